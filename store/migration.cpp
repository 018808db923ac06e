#include "store/migration.hpp"

#include "store/row_checksum.hpp"
#include "store/schema.hpp"
#include "store/sqlite_progress.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Column.h>

#include <optional>
#include <string>

namespace pawl {

namespace {

/// Steps a SELECT, whose rows become those of an UPDATE: `bind` binds its parameters.
template <class Bind>
void update_each(SQLite::Database& db, const char* select, const char* update, const Bind& bind) {
  SQLite::Statement rows(db, select);
  SQLite::Statement change(db, update);
  while (rows.executeStep()) {
    const Digest checksum = bind(rows, change);
    bind_digest(change, 1, checksum);
    change.exec();
    change.reset();
  }
}

void seal_flows(SQLite::Database& db) {
  update_each(
      db, "SELECT flow, digest, name FROM flows", "UPDATE flows SET checksum = ? WHERE flow = ?",
      [](SQLite::Statement& row, SQLite::Statement& change) {
        const std::int64_t flow = row.getColumn(0).getInt64();
        change.bind(2, flow);
        return flow_checksum(flow, digest_from(row.getColumn(1)), row.getColumn(2).getString());
      });
}

void seal_runs(SQLite::Database& db) {
  update_each(db, "SELECT " PAWL_RUN_COLUMNS " FROM runs r",
              "UPDATE runs SET checksum = ? WHERE run = ?",
              [](SQLite::Statement& row, SQLite::Statement& change) {
                change.bind(2, row.getColumn(0).getInt64());
                return checksum_of_run(row);
              });
}

void seal_events(SQLite::Database& db) {
  update_each(db,
              "SELECT seq, step, kind, attempt_end, attempt, epoch, at_ms, started_ms, "
              "duration_ms, due_ms, input_digest, output_digest, body, run, slot, commit_seq "
              "FROM events",
              "UPDATE events SET checksum = ? WHERE seq = ?",
              [](SQLite::Statement& row, SQLite::Statement& change) {
                change.bind(2, row.getColumn(0).getInt64());
                return checksum_of_event(row, 0);
              });
}

void seal_progress(SQLite::Database& db) {
  update_each(db, "SELECT step, attempt, epoch, at_ms, body, run FROM progress",
              "UPDATE progress SET checksum = ? WHERE run = ? AND step = ?",
              [](SQLite::Statement& row, SQLite::Statement& change) {
                const RunKey run = row.getColumn(5).getInt64();
                const Progress progress = progress_from(row);
                change.bind(2, run);
                change.bind(3, progress.step);
                return progress_checksum(run, progress);
              });
}

void seal_children_and_meta(SQLite::Database& db) {
  update_each(db, "SELECT run, parent FROM children",
              "UPDATE children SET checksum = ? WHERE run = ?",
              [](SQLite::Statement& row, SQLite::Statement& change) {
                change.bind(2, row.getColumn(0).getInt64());
                return child_checksum(row.getColumn(0).getInt64(), row.getColumn(1).getInt64());
              });
  update_each(db, "SELECT key, value FROM meta", "UPDATE meta SET checksum = ? WHERE key = ?",
              [](SQLite::Statement& row, SQLite::Statement& change) {
                const std::string key = row.getColumn(0).getString();
                change.bind(2, key);
                return meta_checksum(key, row.getColumn(1).getInt64());
              });
}

}  // namespace

void seal_rows(SQLite::Database& db) {
  seal_flows(db);
  seal_runs(db);
  seal_events(db);
  seal_progress(db);
  seal_children_and_meta(db);
}

void migrate(SqliteConnection& connection) {
  if (connection.checks_rows()) return;
  SQLite::Database& db = connection.db();
  make_what_came_later(db);
  seal_rows(db);
  db.exec("PRAGMA user_version = " + std::to_string(schema_version));
  connection.look_at_format();
}

}  // namespace pawl
