#include "store/schema.hpp"

#include "store/row_checksum.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <string>

namespace pawl {

namespace {

// docs/durability.md explains every column. Run keys are integers and (run, step, slot) is the one
// index besides the rows: rows of one run lie together, whatever its id looks like.
constexpr const char* format_2 = R"sql(
CREATE TABLE meta(
  key      TEXT PRIMARY KEY,
  value    INTEGER NOT NULL,
  checksum BLOB
) WITHOUT ROWID, STRICT;

CREATE TABLE flows(
  flow     INTEGER PRIMARY KEY,
  digest   BLOB NOT NULL UNIQUE,
  name     TEXT NOT NULL,
  spec     TEXT NOT NULL,
  checksum BLOB
) STRICT;

CREATE TABLE runs(
  run          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL UNIQUE,
  flow         INTEGER NOT NULL REFERENCES flows,
  input        TEXT NOT NULL,
  input_digest BLOB NOT NULL,
  folder       TEXT NOT NULL,
  state        INTEGER NOT NULL,
  due_ms       INTEGER NOT NULL,
  started_ms   INTEGER NOT NULL,
  ended_ms     INTEGER NOT NULL,
  checksum     BLOB
) STRICT;

CREATE INDEX runs_due ON runs(due_ms, run) WHERE state < 7;

CREATE TABLE events(
  seq           INTEGER PRIMARY KEY,
  run           INTEGER NOT NULL REFERENCES runs,
  step          TEXT NOT NULL,
  slot          INTEGER,
  kind          INTEGER NOT NULL,
  attempt_end   INTEGER NOT NULL,
  attempt       INTEGER NOT NULL,
  epoch         INTEGER NOT NULL,
  commit_seq    INTEGER NOT NULL,
  at_ms         INTEGER NOT NULL,
  started_ms    INTEGER NOT NULL,
  duration_ms   INTEGER NOT NULL,
  due_ms        INTEGER NOT NULL,
  input_digest  BLOB,
  output_digest BLOB,
  body          TEXT,
  checksum      BLOB,
  UNIQUE(run, step, slot)
) STRICT;

CREATE TABLE children(
  run      INTEGER PRIMARY KEY REFERENCES runs,
  parent   INTEGER NOT NULL REFERENCES runs,
  checksum BLOB
) STRICT;
)sql";

// What came to format 1 later.
constexpr const char* indexes_and_progress = R"sql(
CREATE INDEX IF NOT EXISTS runs_ended ON runs(ended_ms, run) WHERE state >= 7;
CREATE INDEX IF NOT EXISTS runs_flow ON runs(flow);
CREATE INDEX IF NOT EXISTS children_parent ON children(parent);

CREATE TABLE IF NOT EXISTS progress(
  run      INTEGER NOT NULL REFERENCES runs,
  step     TEXT NOT NULL,
  attempt  INTEGER NOT NULL,
  epoch    INTEGER NOT NULL,
  at_ms    INTEGER NOT NULL,
  body     TEXT NOT NULL,
  checksum BLOB,
  PRIMARY KEY(run, step)
) WITHOUT ROWID, STRICT;
)sql";

void insert_first_epoch(SQLite::Database& db) {
  const Digest checksum = meta_checksum("epoch", 0);
  SQLite::Statement row(db, "INSERT INTO meta VALUES('epoch', 0, ?)");
  bind_digest(row, 1, checksum);
  row.exec();
}

int pragma_value(SQLite::Database& db, const char* pragma) {
  return db.execAndGet(std::string("PRAGMA ") + pragma).getInt();
}

}  // namespace

bool has_no_tables(SQLite::Database& db) {
  return db.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0 &&
         pragma_value(db, "application_id") == 0;
}

Result<void> check_schema(SQLite::Database& db, const std::string& where) {
  if (pragma_value(db, "application_id") != schema_application_id)
    return make_error(Errc::foreign_file, "this SQLite file is not a pawl store", where);
  const int version = pragma_value(db, "user_version");
  if (version > schema_version)
    return make_error(Errc::newer_format,
                      "the store has format " + std::to_string(version) +
                          ", this pawl knows up to " + std::to_string(schema_version) +
                          "; use a newer pawl",
                      where);
  // Set by the transaction that made the tables: no pawl leaves it out.
  if (version < 1)
    return make_error(Errc::corrupt,
                      "the store has format " + std::to_string(version) +
                          ", which no pawl has written; restore it from a backup",
                      where);
  return {};
}

void make_what_came_later(SQLite::Database& db) {
  db.exec(
      "CREATE TABLE IF NOT EXISTS children(run INTEGER PRIMARY KEY REFERENCES runs, "
      "parent INTEGER NOT NULL REFERENCES runs) STRICT");
  db.exec(indexes_and_progress);
  db.exec("ALTER TABLE children ADD COLUMN checksum BLOB");
  db.exec("ALTER TABLE meta ADD COLUMN checksum BLOB");
}

Result<void> make_schema(SQLite::Database& db, const std::string& where) {
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  // Somebody may have been faster.
  if (!has_no_tables(db)) return check_schema(db, where);
  db.exec("PRAGMA application_id = " + std::to_string(schema_application_id));
  db.exec("PRAGMA user_version = " + std::to_string(schema_version));
  db.exec(format_2);
  db.exec(indexes_and_progress);
  insert_first_epoch(db);
  transaction.commit();
  return {};
}

}  // namespace pawl
