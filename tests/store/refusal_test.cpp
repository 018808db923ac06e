// What no store of pawl's can hold, found in one: it is told by name, and what is there is left as
// it is.
#include <pawl/limits.hpp>
#include <pawl/resolution.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/stored_fixture.hpp>

#include "store/migration.hpp"
#include "store/sqlite_error.hpp"
#include "support/catch.hpp"
#include "support/store_sql.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>

using namespace pawl;

namespace {

bool has_part(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Changes a store, and gives every row the checksum of what it says then.
void change(const std::string& path, const std::string& sql) {
  SQLite::Database db = open_to_change(path);
  db.exec(sql);
  seal_rows(db);
}

}  // namespace

TEST_CASE("refusal: a run without its first record is set aside, and is not started anew",
          "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  {
    auto store = open_sqlite_store({path}).value();
    put(*store, start_run("r1"));
    put(*store, start_run("r2"));
  }
  change(path, "DELETE FROM events WHERE kind = 1 AND run = 1");
  auto store = open_sqlite_store({path}).value();
  const Error error = store->load("r1").error();
  CHECK(error.code == Errc::corrupt);
  CHECK(has_part(error.message, "the run's first record is not there; restore the store"));
  for (const RunRow& row : store->list({}).value())
    CHECK(has_part(row.damage, "the run's first record is not there") == (row.run == "r1"));
  const Write again = start_run("r1");
  const WriteReply reply = store->write({&again}, 1).value().at(0);
  CHECK(reply.status == WriteStatus::refused);
  CHECK(reply.error.code == Errc::corrupt);
  CHECK(has_part(reply.error.message, "the run's first record is not there"));
  CHECK(store->load("r2").value()->records.size() == 1);
}

TEST_CASE("refusal: a store whose epoch is not there is not opened", "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  { put(*open_sqlite_store({path}).value(), start_run("r1")); }
  change(path, "DELETE FROM meta WHERE key = 'epoch'");
  const bool has_mark = GENERATE(true, false);
  if (!has_mark) REQUIRE(std::filesystem::remove(path + "-mark"));
  const Error error = open_sqlite_store({path}).error();
  CHECK(error.code == Errc::corrupt);
  CHECK(has_part(error.message, "\"epoch\" is not there; restore the store from a backup"));
}

TEST_CASE("refusal: no fixture is made of a run whose flow or input cannot be read", "[store]") {
  StoredRun run;
  run.row.run = "r1";
  run.flow = std::make_shared<const std::string>(R"({"flow": "f", "steps": {"a": {"run": "x"}}})");
  run.input = "{}";
  CHECK(fixture_of(run).has_value());
  run.input = "{";
  CHECK(fixture_of(run).error().code == Errc::corrupt);
  CHECK(has_part(fixture_of(run).error().message, "the run's input is not readable: "));
  CHECK(fixture_of(run).error().where == "r1");
  run.flow = std::make_shared<const std::string>("{}");
  CHECK(fixture_of(run).error().code == Errc::corrupt);
  CHECK(has_part(fixture_of(run).error().message, "the run's flow is not readable: "));
}

TEST_CASE("refusal: an output that somebody gives a step must be one that a store takes",
          "[store]") {
  const Error error = resolution_record({"a", std::string(Limits::output_bytes_max, 'x')}).error();
  CHECK(error.code == Errc::too_large);
  CHECK(error.where == "a");
  CHECK(has_part(error.message, "the step's output: "));
  CHECK(resolution_record({"a", "x"}).has_value());
}

TEST_CASE("refusal: the error of a write says what the system refused", "[store]") {
  const auto told = [](int code, int system_errno) {
    return error_from_sqlite(SQLite::Exception("refused", code), "/f", system_errno);
  };
  CHECK(told(SQLITE_IOERR_WRITE, EROFS).code == Errc::io);
  CHECK(has_part(told(SQLITE_IOERR_WRITE, EROFS).message, "; the file system is read-only"));
  CHECK_FALSE(has_part(told(SQLITE_IOERR_WRITE, EIO).message, "read-only"));
  CHECK(told(SQLITE_TOOBIG, 0).code == Errc::too_large);
}
