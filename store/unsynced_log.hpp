/// UnsyncedLog: what was written to a log, or is about to be, and is not known to be durable.
#pragma once

#include "store/log_room.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

struct sqlite3_file;

namespace pawl {

/// SQLite writes a log page by page, each with a header of its own: some 700 calls for 500 records.
/// Here they are gathered, and written as few pieces when the commit is complete.
///
/// After a failed sync the system may have dropped what it could not write, and the next sync
/// succeed without it. What was kept here is written again first.
///
/// Threads: one at a time.
class UnsyncedLog {
 public:
  /// Null if there is no memory.
  static std::unique_ptr<UnsyncedLog> make() noexcept;

  /// A place in the order of all writes that were kept.
  using Place = std::uint64_t;

  /// While it lives, commits do not wait for the disk, and what is written to the log is kept. What
  /// was not committed by then never reaches the file.
  class Keeping {
   public:
    explicit Keeping(UnsyncedLog& log);
    ~Keeping();

    Keeping(const Keeping&) = delete;
    Keeping& operator=(const Keeping&) = delete;

   private:
    UnsyncedLog& log_;
  };

  bool is_on() const { return is_on_; }

  /// What is to be written to the file, which has it at once; while this is on, when the commit is
  /// complete, or at once if it is: on some file systems SQLite fills a sector after it. Gives
  /// SQLite's result code.
  ///
  /// Errors: throws std::bad_alloc.
  int put(sqlite3_file* file, const void* bytes, int size, std::int64_t at);

  /// The commit is complete: its log's index tells of it as soon as this has succeeded.
  int complete(sqlite3_file* file);

  /// Writes to the file what is not there yet. Gives SQLite's result code.
  int write(sqlite3_file* file);

  /// The same if any of these bytes are among it.
  int write_if_within(sqlite3_file* file, std::int64_t at, int size);

  /// The place after all that was written so far.
  Place written() const { return first_ + written_; }

  /// What was written before `place` is durable.
  void forget_before(Place place);

  /// Set by whoever syncs the file through another handle, when that fails. Threads: any.
  std::shared_ptr<std::atomic<bool>> failure() const { return has_failed_; }

  bool has_failed() const { return *has_failed_; }

  /// The file was cut.
  void note_cut() noexcept { room_.forget(); }

  /// Syncs the file, and writes to it first what was kept if a sync has failed. Then nothing is
  /// kept any more. Gives SQLite's result code.
  int sync(sqlite3_file* file, int flags);

 private:
  struct Piece {
    std::int64_t at;
    std::vector<unsigned char> bytes;

    std::int64_t end() const { return at + static_cast<std::int64_t>(bytes.size()); }

    int write(sqlite3_file* file) const;

    /// Takes the bytes of the places that both have.
    void take_from(const Piece& later);
  };

  void keep(const void* bytes, std::size_t count, std::int64_t at);
  int write_again(sqlite3_file* file);

  void drop_unwritten();
  void recycle(std::vector<unsigned char> bytes);

  LogRoom room_;
  std::deque<Piece> kept_;
  std::size_t written_ = 0;  // of the kept pieces, those that the file has
  std::vector<std::vector<unsigned char>> spare_;
  Place first_ = 0;
  bool is_on_ = false;
  bool is_complete_ = false;  // the commit, while this is on
  std::shared_ptr<std::atomic<bool>> has_failed_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace pawl
