/// What a prune means in SQL, and what keeps the log's numbers ascending when their last bearers
/// are gone. Inside a transaction that somebody else begins and commits.
#pragma once

#include <pawl/retention.hpp>

#include "store/sqlite_connection.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace pawl {

/// Where the log has come to. Later records have higher numbers and no earlier times.
struct LogEnd {
  std::int64_t seq = 0;         ///< of the last record
  std::int64_t commit_seq = 0;  ///< of the transaction that wrote it
  std::int64_t at_ms = 0;       ///< when; 0 if there never was one
};

/// The newest run that may go when `keep_newest` stay, as it was found by an earlier portion: to
/// find it, all that stay are counted. Runs that end later stay before it, so it never goes too
/// far.
struct PruneBoundary {
  std::size_t keep_newest;
  std::int64_t ended_ms;
  RunKey run;
};

/// Removes runs with their records, and flows that no run uses any more.
///
/// Given:  `known`, what an earlier portion has found, if one has; what this one finds is left
/// there.
///         `now`, where the log has come to, this transaction included: noted, for the records that
///         it removes may be the last ones.
/// Errors: throws what SQLite throws.
Pruned prune_runs(SqliteConnection& connection, const PruneRuns& prune,
                  std::optional<PruneBoundary>& known, const LogEnd& now);

/// Where the log has come to, by its last record and by what a prune has noted.
///
/// Errors: throws what SQLite throws.
LogEnd read_log_end(SqliteConnection& connection);

}  // namespace pawl
