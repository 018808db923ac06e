/// UnsyncedLog: what was written to a log and is not known to be durable.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

struct sqlite3_file;

namespace pawl {

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

  /// While it lives, commits do not wait for the disk, and what is written to the log is kept.
  class Keeping {
   public:
    explicit Keeping(UnsyncedLog& log) : log_(log) { log_.is_on_ = true; }

    ~Keeping() { log_.is_on_ = false; }

    Keeping(const Keeping&) = delete;
    Keeping& operator=(const Keeping&) = delete;

   private:
    UnsyncedLog& log_;
  };

  bool is_on() const { return is_on_; }

  /// Errors: throws std::bad_alloc.
  void keep(const void* bytes, int size, std::int64_t at);

  /// The place after all that was kept so far.
  Place cut();

  /// What was written before `place` is durable.
  void forget_before(Place place);

  /// Set by whoever syncs the file through another handle, when that fails. Threads: any.
  std::shared_ptr<std::atomic<bool>> failure() const { return has_failed_; }

  bool has_failed() const { return *has_failed_; }

  /// Syncs the file, and writes to it first what was kept if a sync has failed. Then nothing is
  /// kept any more. Gives SQLite's result code.
  int sync(sqlite3_file* file, int flags);

 private:
  struct Piece {
    std::int64_t at;
    std::vector<unsigned char> bytes;

    std::int64_t end() const { return at + static_cast<std::int64_t>(bytes.size()); }
  };

  int write_again(sqlite3_file* file) const;

  std::deque<Piece> kept_;
  std::vector<std::vector<unsigned char>> spare_;
  Place first_ = 0;
  bool is_on_ = false;
  bool is_cut_ = true;  // the next write begins a piece
  std::shared_ptr<std::atomic<bool>> has_failed_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace pawl
