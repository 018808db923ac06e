#include "store/sqlite_progress.hpp"

#include <SQLiteCpp/Column.h>

namespace pawl {

namespace {

constexpr const char* insert_progress =
    "INSERT OR REPLACE INTO progress(run, step, attempt, epoch, at_ms, body) "
    "VALUES(?, ?, ?, ?, ?, ?)";
constexpr const char* select_progress =
    "SELECT step, attempt, epoch, at_ms, body FROM progress WHERE run = ? AND step = ?";
constexpr const char* select_all_progress =
    "SELECT step, attempt, epoch, at_ms, body FROM progress WHERE run = ? ORDER BY step";
constexpr const char* delete_all_progress = "DELETE FROM progress WHERE run = ?";

Progress progress_from(SQLite::Statement& row) {
  Progress progress;
  progress.step = row.getColumn(0).getString();
  progress.attempt = row.getColumn(1).getInt();
  progress.epoch = row.getColumn(2).getInt64();
  progress.at_ms = row.getColumn(3).getInt64();
  progress.body = row.getColumn(4).getString();
  return progress;
}

}  // namespace

void put_progress(SqliteConnection& connection, RunKey run, const Progress& progress) {
  StatementUse row(connection.statement(insert_progress));
  row->bind(1, run);
  row->bindNoCopy(2, progress.step);
  row->bind(3, progress.attempt);
  row->bind(4, progress.epoch);
  row->bind(5, progress.at_ms);
  row->bindNoCopy(6, progress.body);
  row->exec();
}

std::shared_ptr<const Progress> read_progress(SqliteConnection& connection, RunKey run,
                                              const std::string& step) {
  StatementUse row(connection.statement(select_progress));
  row->bind(1, run);
  row->bindNoCopy(2, step);
  return row->executeStep() ? std::make_shared<const Progress>(progress_from(*row)) : nullptr;
}

std::vector<Progress> read_progress(SqliteConnection& connection, RunKey run) {
  std::vector<Progress> all;
  if (!connection.has_progress()) return all;
  StatementUse row(connection.statement(select_all_progress));
  row->bind(1, run);
  while (row->executeStep()) all.push_back(progress_from(*row));
  return all;
}

void delete_progress(SqliteConnection& connection, RunKey run) {
  StatementUse removal(connection.statement(delete_all_progress));
  removal->bind(1, run);
  removal->exec();
}

}  // namespace pawl
