#include "store/schema.hpp"

#include <SQLiteCpp/Transaction.h>

#include <string>

namespace pawl {

namespace {

// docs/durability.md explains every column. Run keys are integers and (run, step, slot) is the one
// index besides the rows: rows of one run lie together, whatever its id looks like.
constexpr const char* version_1 = R"sql(
CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
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

INSERT INTO meta VALUES('epoch', 0);
)sql";

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

void make_later_indexes(SQLite::Database& db) {
  db.exec("CREATE INDEX IF NOT EXISTS runs_ended ON runs(ended_ms, run) WHERE state >= 7");
  db.exec("CREATE INDEX IF NOT EXISTS runs_flow ON runs(flow)");
  db.exec(
      "CREATE TABLE IF NOT EXISTS children(run INTEGER PRIMARY KEY REFERENCES runs, "
      "parent INTEGER NOT NULL REFERENCES runs) STRICT");
  db.exec(
      "CREATE TABLE IF NOT EXISTS progress(run INTEGER NOT NULL REFERENCES runs, "
      "step TEXT NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, "
      "at_ms INTEGER NOT NULL, body TEXT NOT NULL, checksum BLOB, "
      "PRIMARY KEY(run, step)) WITHOUT ROWID, STRICT");
  db.exec("CREATE INDEX IF NOT EXISTS children_parent ON children(parent)");
}

Result<void> make_schema(SQLite::Database& db, const std::string& where) {
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  // Somebody may have been faster.
  if (!has_no_tables(db)) return check_schema(db, where);
  db.exec("PRAGMA application_id = " + std::to_string(schema_application_id));
  db.exec("PRAGMA user_version = " + std::to_string(schema_version));
  db.exec(version_1);
  transaction.commit();
  return {};
}

}  // namespace pawl
