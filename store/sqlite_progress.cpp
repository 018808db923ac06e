#include "store/sqlite_progress.hpp"

#include "store/row_checksum.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Column.h>

namespace pawl {

namespace {

constexpr const char* insert_progress =
    "INSERT OR REPLACE INTO progress(run, step, attempt, epoch, at_ms, body, checksum) "
    "VALUES(?, ?, ?, ?, ?, ?, ?)";
constexpr const char* select_progress =
    "SELECT step, attempt, epoch, at_ms, body, run, checksum FROM progress WHERE run = ? AND step "
    "= ?";
constexpr const char* select_all_progress =
    "SELECT step, attempt, epoch, at_ms, body, run, checksum FROM progress WHERE run = ? ORDER BY "
    "step";
constexpr const char* delete_all_progress = "DELETE FROM progress WHERE run = ?";

Result<Progress> sound_progress_from(const SqliteConnection& connection, SQLite::Statement& row) {
  Progress progress = progress_from(row);
  if (connection.checks_rows() &&
      digest_from(row.getColumn(6)) != progress_checksum(row.getColumn(5).getInt64(), progress))
    return make_error(Errc::corrupt,
                      "what step " + progress.step +
                          " reported is damaged: its checksum does not fit; restore the store from "
                          "a backup, or start the run again under another id");
  return progress;
}

}  // namespace

Progress progress_from(SQLite::Statement& row) {
  Progress progress;
  progress.step = row.getColumn(0).getString();
  progress.attempt = row.getColumn(1).getInt();
  progress.epoch = row.getColumn(2).getInt64();
  progress.at_ms = row.getColumn(3).getInt64();
  progress.body = row.getColumn(4).getString();
  return progress;
}

void put_progress(SqliteConnection& connection, RunKey run, const Progress& progress) {
  StatementUse row(connection.statement(insert_progress));
  row->bind(1, run);
  row->bindNoCopy(2, progress.step);
  row->bind(3, progress.attempt);
  row->bind(4, progress.epoch);
  row->bind(5, progress.at_ms);
  row->bindNoCopy(6, progress.body);
  const Digest checksum = progress_checksum(run, progress);
  bind_digest(*row, 7, checksum);
  row->exec();
}

Result<std::shared_ptr<const Progress>> read_progress(SqliteConnection& connection, RunKey run,
                                                      const std::string& step) {
  StatementUse row(connection.statement(select_progress));
  row->bind(1, run);
  row->bindNoCopy(2, step);
  if (!row->executeStep()) return std::shared_ptr<const Progress>();
  Result<Progress> progress = sound_progress_from(connection, *row);
  if (!progress) return progress.error();
  return std::make_shared<const Progress>(std::move(*progress));
}

Result<std::vector<Progress>> read_progress(SqliteConnection& connection, RunKey run) {
  std::vector<Progress> all;
  if (!connection.has_progress()) return all;
  StatementUse row(connection.statement(select_all_progress));
  row->bind(1, run);
  while (row->executeStep()) {
    Result<Progress> progress = sound_progress_from(connection, *row);
    if (!progress) return progress.error();
    all.push_back(std::move(*progress));
  }
  return all;
}

void delete_progress(SqliteConnection& connection, RunKey run) {
  StatementUse removal(connection.statement(delete_all_progress));
  removal->bind(1, run);
  removal->exec();
}

}  // namespace pawl
