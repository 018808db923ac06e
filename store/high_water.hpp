/// The high-water mark: how far a store has come at least, kept in a file beside it. A store that
/// has less than its mark says has lost what was acknowledged.
#pragma once

#include <pawl/error.hpp>

#include "store/side_file.hpp"
#include "store/sqlite_connection.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace pawl {

/// How far a store has come. None of the numbers ever goes down.
struct HighWater {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;            ///< of the last record
  std::int64_t quiet_commits = 0;  ///< transactions that wrote, but no record

  /// Whether a store that has come to `other` has everything that one that came here has.
  bool is_within(const HighWater& other) const {
    return epoch <= other.epoch && seq <= other.seq && quiet_commits <= other.quiet_commits;
  }

  bool operator==(const HighWater& other) const {
    return is_within(other) && other.is_within(*this);
  }
};

/// How far the store behind a connection has come.
///
/// Errors: throws what SQLite throws, SQLITE_CORRUPT if one of its numbers is damaged.
HighWater read_high_water(SqliteConnection& connection);

/// Errors: Errc::rolled_back if the store has come less far than its mark says.
Result<void> check_high_water(const std::optional<HighWater>& mark, const HighWater& store,
                              const std::string& where);

/// Waits until what a reader sees is durable: the owner may have written it ahead.
///
/// Given:  `connection`, in a transaction in which it has read.
/// Errors: Errc::busy while the owner cannot make it durable; throws what SQLite throws.
Result<void> await_durability(SqliteConnection& connection, const std::string& path,
                              const std::string& vfs);

/// Writes the log once more, and waits for the disk to have it, if the last owner's syncs have
/// failed: the next one would believe what power loss may still take.
///
/// Given:  a store whose lock is held.
/// Errors: throws what SQLite throws.
void mend_log(const std::string& path, const std::string& vfs);

/// What is told when the store of which there is a mark has gone, or is empty.
Error store_is_gone(const std::string& where);

/// The file `STORE-mark`. Written after each commit and before anybody is told of it, and never
/// synced: power loss may take it back, but never forward, so it says too much only if the store
/// has lost something. What is torn or damaged of it counts as no mark.
class HighWaterFile {
 public:
  /// Opens the file to write it.
  ///
  /// Given: `vfs`, as `SqliteStoreOptions::vfs`.
  /// Errors: throws what SQLite throws.
  HighWaterFile(const std::string& store_path, const std::string& vfs);

  /// Writes that the store has come to `now`, if the file does not say so.
  ///
  /// Errors: throws what SQLite throws.
  void reach(const HighWater& now);

  /// Writes that the store has written more, of which a sync has failed. To be called after
  /// `reach`; what cannot be written is left out.
  void note_failed_sync() noexcept;

  /// What was written last; nothing if nothing was.
  const std::optional<HighWater>& reached() const { return reached_; }

  /// Whether the mark says that a sync has failed, and nothing of it is mended.
  ///
  /// Errors: throws what SQLite throws.
  static bool tells_of_failed_sync(const std::string& store_path, const std::string& vfs);

  /// The mark of a store; nothing if there is none, or none that is whole.
  ///
  /// Errors: throws what SQLite throws.
  static std::optional<HighWater> read(const std::string& store_path, const std::string& vfs);

 private:
  void write(const HighWater& mark, bool sync_failed);

  SideFile file_;
  std::optional<HighWater> reached_;
  bool says_failed_ = false;
};

}  // namespace pawl
