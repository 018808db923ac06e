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

  /// Errors: throws what SQLite throws.
  void write(const HighWater& mark);

  /// The mark of a store; nothing if there is none, or none that is whole.
  ///
  /// Errors: throws what SQLite throws.
  static std::optional<HighWater> read(const std::string& store_path, const std::string& vfs);

 private:
  SideFile file_;
};

}  // namespace pawl
