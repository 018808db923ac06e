/// WrittenAhead: what a connection has committed without waiting for the disk.
#pragma once

#include <pawl/store.hpp>

#include "store/high_water.hpp"
#include "store/side_file.hpp"
#include "store/sqlite_connection.hpp"
#include "store/unsynced_log.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace pawl {

/// Threads: one at a time; what `sync` gives may wait on any.
class WrittenAhead {
 public:
  bool is_there() const { return reached_.has_value(); }

  /// Whether it could not be settled when it was asked for.
  bool has_failed() const { return has_failed_; }

  /// Given: `reached`, how far the store has come with it.
  void note(const HighWater& reached) { reached_ = reached; }

  /// What waits for the disk to have all that there is now; null if there is nothing, or if `wait`
  /// has to do it. Has a handle of its own on the log: SQLite's belongs to the store's thread.
  std::shared_ptr<LogSync> sync(SqliteConnection& connection,
                                const SqliteConnection::WriterOptions& store);

  /// How far the store is durable after that. What a failed sync may have lost is written to the
  /// log again, by `wait`, before it is synced once more.
  ///
  /// Given:  `waited`, what `sync` gave.
  /// Errors: as `LogSync::wait`: nothing of what is there is known to be durable.
  Result<HighWater> settle(SqliteConnection& connection, const LogSync& sync,
                           const Result<void>& waited);

  /// The same for all that is there.
  Result<HighWater> wait(SqliteConnection& connection);

  /// What was settled could not be told: whatever else there is, those who wait were told an error.
  void note_failure() { has_failed_ = is_there(); }

  /// The connection is another one now, and so may the log's file be.
  void forget_file() { file_ = nullptr; }

 private:
  Result<HighWater> settled(const HighWater& reached, const Result<void>& waited);

  std::optional<HighWater> reached_;
  std::shared_ptr<SideFile> file_;  // null until it is needed
  bool has_failed_ = false;
};

}  // namespace pawl
