/// The SELECTs of a store, for its owner and for readers alike.
#pragma once

#include <pawl/store.hpp>

#include "store/sqlite_connection.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl {

/// The columns of a run's row `r` that `checksum_of_run` takes, and the checksum.
#define PAWL_RUN_COLUMNS                                                             \
  "r.run, r.id, r.flow, r.input_digest, r.folder, r.started_ms, r.state, r.due_ms, " \
  "r.ended_ms, r.checksum"

/// A run's row and what there is of its flow's, the long texts aside.
struct RunHead {
  RunRow row;
  Digest flow_digest;
  Digest input_digest;
  std::string folder;
};

/// All throw what SQLite throws. Outside a transaction each sees one moment of the store.
///
/// Whatever is read is compared with its checksum. Errors: Errc::corrupt, where: the run, if one
/// does not fit; of a list the row says so itself, and the others are as good as ever.
Result<std::optional<RunHead>> read_head(SqliteConnection& connection, const std::string& run);
Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, const std::string& run);
Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, RunKey key);
/// Visits every run, in the order of their starts: its id, and what can be read of it.
void read_each_run(SqliteConnection& connection,
                   const std::function<void(const std::string&, Result<StoredRun>)>& visit);
Result<std::vector<RunRow>> read_list(SqliteConnection& connection, const RunFilter& filter);
Result<std::vector<RunRow>> read_due(SqliteConnection& connection, std::int64_t now_ms,
                                     std::size_t limit, const DuePlace& after);
Result<std::optional<std::int64_t>> read_next_due_ms(SqliteConnection& connection,
                                                     std::int64_t now_ms);
Result<std::int64_t> read_count_unfinished(SqliteConnection& connection);

/// The record in a place of a run; null if there is none.
Result<std::shared_ptr<const Record>> read_record(SqliteConnection& connection, RunKey run,
                                                  const std::string& step, std::int64_t slot);

/// What a run's row says that never changes, and its checksum.
///
/// Given: `row` with `PAWL_RUN_COLUMNS` from column 0 on.
Digest birth_of_run(SQLite::Statement& row);
Digest checksum_of_run(SQLite::Statement& row);

/// The checksum of the record that a statement is at.
///
/// Given: `row` with seq, step, kind, attempt_end, attempt, epoch, at_ms, started_ms, duration_ms,
///        due_ms, input_digest, output_digest, body, run, slot, commit_seq from column `at` on.
Digest checksum_of_event(SQLite::Statement& row, int at);

/// Binds a digest, all zeros as NULL, to the parameter `index`. The digest must outlive the
/// statement's step.
void bind_digest(SQLite::Statement& statement, int index, const Digest& digest);
Digest digest_from(const SQLite::Column& column);

}  // namespace pawl
