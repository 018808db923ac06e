/// The table of what steps last reported: one row per step of a run, replaced in its place.
#pragma once

#include <pawl/progress.hpp>
#include <pawl/store.hpp>

#include "store/sqlite_connection.hpp"

#include <memory>
#include <string>
#include <vector>

namespace pawl {

/// All throw what SQLite throws.

/// Puts `progress` in the place of what its step reported before.
void put_progress(SqliteConnection& connection, RunKey run, const Progress& progress);

/// What the step last reported; null if nothing.
///
/// Errors: Errc::corrupt if it is not what its checksum says.
Result<std::shared_ptr<const Progress>> read_progress(SqliteConnection& connection, RunKey run,
                                                      const std::string& step);

/// What the run's steps last reported, by step; of a file without the table, nothing.
///
/// Errors: as above.
Result<std::vector<Progress>> read_progress(SqliteConnection& connection, RunKey run);

/// The report whose step, attempt, epoch, at_ms and body a statement is at.
Progress progress_from(SQLite::Statement& row);

void delete_progress(SqliteConnection& connection, RunKey run);

}  // namespace pawl
