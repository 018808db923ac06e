// What a prune removes and what it leaves: over the model and over SQLite; and what SQLite adds,
// failing disks and files of before.
#include <pawl/retention.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/faulty_vfs.hpp"
#include "support/store_worlds.hpp"
#include "support/store_writes.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <limits>

using namespace pawl;

namespace {

std::string ids(StoreView& store) {
  std::string text;
  for (const RunRow& row : store.list({}).value()) text += row.run + " ";
  return text;
}

RunKey put_ended(Store& store, const std::string& run, std::int64_t ended_ms,
                 const std::string& type = "x") {
  const RunKey key = put(store, start_run(run, json::object(), type), ended_ms).run;
  put(store, append(key, output_record("a", 1, 1)), ended_ms);
  put(store, append(key, ended_record(RunState::cancelled)), ended_ms);
  return key;
}

std::string query(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  std::string text;
  const auto take = [](void* to, int columns, char** values, char**) {
    for (int i = 0; i < columns; ++i)
      *static_cast<std::string*>(to) += values[i] == nullptr ? "" : values[i];
    return 0;
  };
  REQUIRE(sqlite3_exec(db, sql.c_str(), take, &text, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  return text;
}

}  // namespace

#define PRUNE_TEST(name) TEMPLATE_TEST_CASE("prune: " name, "[store]", MemoryWorld, SqliteWorld)

PRUNE_TEST("runs that end at one moment go in the order of their starts") {
  TestType world;
  for (const char* run : {"r1", "r2", "r3"}) put_ended(*world.store, run, 5000);
  PruneRuns prune;
  prune.ended_before_ms = 5000;
  CHECK(put(*world.store, prune).pruned == 0);
  prune.ended_before_ms = 5001;
  prune.keep_newest = 1;
  CHECK(put(*world.store, prune).pruned == 2);
  CHECK(ids(*world.store) == "r3 ");
}

PRUNE_TEST("those that are kept are those that ended last, whenever they started") {
  TestType world;
  const RunKey early = put(*world.store, start_run("early"), 1000).run;
  put_ended(*world.store, "r2", 2000);
  put_ended(*world.store, "r3", 3000);
  put(*world.store, append(early, ended_record(RunState::failed)), 4000);
  PruneRuns prune;
  prune.keep_newest = 2;
  CHECK(put(*world.store, prune).pruned == 1);
  CHECK(ids(*world.store) == "r3 early ");
  for (const std::size_t many : {std::size_t{5}, std::numeric_limits<std::size_t>::max(),
                                 std::numeric_limits<std::size_t>::max() / 2 + 1}) {
    prune.keep_newest = many;
    CHECK(put(*world.store, prune).pruned == 0);
  }
}

PRUNE_TEST("a run that is unfinished stays, however old, parked or blocked") {
  TestType world;
  for (const RunState state : {RunState::running, RunState::waiting, RunState::blocked}) {
    const RunKey key = put(*world.store, start_run(std::string(to_string(state))), 1000).run;
    put(*world.store, ParkRun{key, state, 0}, 1000);
  }
  put_ended(*world.store, "r1", 9000);
  CHECK(put(*world.store, PruneRuns{}, 9000).pruned == 1);
  CHECK(ids(*world.store) == "blocked waiting running ");
  CHECK(world.store->due(9000, 10, {}).value().size() == 3);
}

PRUNE_TEST("a transaction removes no further run once it has removed many records") {
  TestType world;
  for (int i = 1; i <= 4; ++i) put_ended(*world.store, "r" + std::to_string(i), 1000 * i);
  PruneRuns prune;
  prune.records_max = 5;  // a run has three
  const WriteReply first = put(*world.store, prune);
  CHECK(first.pruned == 2);
  CHECK(first.more);
  CHECK(ids(*world.store) == "r4 r3 ");
  prune.records_max = 1;
  CHECK(put(*world.store, prune).pruned == 1);
  prune.records_max = 100;
  const WriteReply last = put(*world.store, prune);
  CHECK(last.pruned == 1);
  CHECK_FALSE(last.more);
}

PRUNE_TEST("other writes of its batch see what it removed, and are answered one by one") {
  TestType world;
  const RunKey old = put_ended(*world.store, "r1", 1000);
  const std::vector<Write> writes{append(old, receipt_record("a", 1, AttemptEnd::late)),
                                  PruneRuns{}, start_run("r1", {{"n", 2}}),
                                  append(old, receipt_record("b", 1, AttemptEnd::late))};
  std::vector<const Write*> batch;
  for (const Write& write : writes) batch.push_back(&write);
  const std::vector<WriteReply> replies = world.store->write(batch, 2000).value();
  CHECK(replies.at(0).status == WriteStatus::written);
  CHECK(replies.at(1).pruned == 1);
  CHECK(replies.at(2).status == WriteStatus::written);
  CHECK(replies.at(3).error.code == Errc::unknown_run);
  CHECK(world.store->load("r1").value()->input == R"({"n":2})");
}

PRUNE_TEST("what a dry run names is what goes") {
  TestType world;
  int n = 0;
  for (const std::int64_t ended_ms : {7000, 3000, 5000, 5000, 9000, 1000})
    put_ended(*world.store, "r" + std::to_string(++n), ended_ms);
  put(*world.store, start_run("open"), 500);
  for (const std::int64_t before_ms : {100'000, 5001, 5000})
    for (const std::size_t keep : {0U, 1U, 3U, 9U}) {
      PruneRuns prune;
      prune.ended_before_ms = before_ms;
      prune.keep_newest = keep;
      std::vector<std::string> named;
      for (const RunRow& row : prunable(world.store->list({}).value(), prune))
        named.push_back(row.run);
      TestType other;
      const std::vector<RunRow> rows = world.store->list({}).value();
      for (auto row = rows.rbegin(); row != rows.rend(); ++row)
        if (row->ended_ms > 0) put_ended(*other.store, row->run, row->ended_ms);
      put(*other.store, prune);
      for (const std::string& run : named) CHECK_FALSE(other.store->load(run).value().has_value());
      CHECK(other.store->list({}).value().size() + named.size() == 6);
    }
}

TEST_CASE("prune: a prune says what may go, or is refused", "[store]") {
  CHECK(check(PruneOptions{}).error().code == Errc::invalid_argument);
  CHECK(check(PruneOptions{std::nullopt, 0}).has_value());
  CHECK(check(PruneOptions{7}).has_value());
  PruneOptions options{7, 3, 300};
  CHECK(next_portion(options, 0).runs_max == 256);
  CHECK(next_portion(options, 256).runs_max == 44);
  CHECK(next_portion(options, 300).runs_max == 0);
  CHECK(next_portion(options, 0).ended_before_ms == 7);
  CHECK(next_portion(options, 0).keep_newest == 3);
}

TEST_CASE("sqlite: a prune removes records and flows with their runs, and leaves a sound store",
          "[store]") {
  SqliteWorld world;
  const std::string path = world.folder / "pawl.db";
  for (int i = 1; i <= 3; ++i) put_ended(*world.store, "x" + std::to_string(i), 1000 * i);
  put_ended(*world.store, "y1", 1000, "y");
  put(*world.store, start_run("open", json::object(), "z"), 4000);
  CHECK(query(path, "SELECT count(*) FROM flows") == "3");
  PruneRuns prune;
  prune.ended_before_ms = 2000;
  CHECK(put(*world.store, prune, 5000).pruned == 2);
  CHECK(query(path, "SELECT group_concat(name || spec LIKE '%\"y\"%', ' ') FROM flows") == "0 0");
  CHECK(query(path, "SELECT count(*) FROM events WHERE run NOT IN (SELECT run FROM runs)") == "0");
  CHECK(query(path, "SELECT count(*) FROM events") == "7");
  put(*world.store, PruneRuns{}, 5000);
  CHECK(query(path, "SELECT count(*) FROM flows") == "1");
  CHECK(verify_sqlite_store(path).value().findings.empty());
  // A flow that comes back is stored anew.
  put_ended(*world.store, "y2", 6000, "y");
  CHECK(world.view()->load("y2").value()->records.size() == 3);
  CHECK(verify_sqlite_store(path).value().findings.empty());
}

TEST_CASE("sqlite: after a prune of all records numbers and times go on, for every next owner",
          "[store]") {
  SqliteWorld world;
  const std::string path = world.folder / "pawl.db";
  put_ended(*world.store, "r1", 5000);
  const std::int64_t last = world.store->load("r1").value()->records.back().seq;
  put(*world.store, PruneRuns{}, 6000);
  REQUIRE(query(path, "SELECT count(*) FROM events") == "0");
  for (int i = 1; i <= 3; ++i) {
    world.store = world.open_again();
    CHECK(world.store->opened_at_ms() == 6000);
  }
  const WriteReply next = put(*world.store, start_run("r2"), 6000);
  CHECK(next.stored->seq == last + 1);
  CHECK(query(path, "SELECT commit_seq > 4 FROM events") == "1");
  CHECK(verify_sqlite_store(path).value().findings.empty());
}

TEST_CASE("sqlite: whichever write or sync of a prune fails, a run is there whole or gone whole",
          "[store]") {
  const auto operation = GENERATE(FaultyVfs::Operation::write, FaultyVfs::Operation::sync);
  const int nth = GENERATE(range(1, 8));
  const int code = GENERATE(SQLITE_IOERR_WRITE, SQLITE_FULL);
  CAPTURE(static_cast<int>(operation), nth, code);
  TempFolder folder;
  SqliteStoreOptions options{folder / "pawl.db"};
  options.vfs = FaultyVfs::name();
  auto store = open_sqlite_store(options).value();
  for (int i = 1; i <= 20; ++i) {
    const std::string run = "r" + std::to_string(i);
    const RunKey key = put(*store, start_run(run), 1000 * i).run;
    put(*store, append(key, output_record("a", 1, std::string(5000, 'x'))), 1000 * i);
    put(*store, append(key, ended_record(RunState::cancelled)), 1000 * i);
  }
  const std::int64_t last = store->load("r20").value()->records.back().seq;
  const Write prune = PruneRuns{std::numeric_limits<std::int64_t>::max(), 0, 10};
  FaultyVfs::fail(operation, nth, code);
  Result<std::vector<WriteReply>> replies = store->write({&prune}, 30'000);
  FaultyVfs::heal();
  const std::size_t left = store->list({}).value().size();
  CHECK((left == 10 || left == 20));
  if (replies) CHECK(left == 10);
  CHECK(verify_sqlite_store(folder / "pawl.db").value().findings.empty());
  // The same again: nothing but the next ones goes.
  CHECK(put(*store, prune, 30'000).pruned == 10);
  const std::vector<RunRow> rows = store->list({}).value();
  CHECK(rows.size() == left - 10);
  if (!rows.empty()) CHECK(rows.back().run == "r11");
  CHECK(put(*store, start_run("next"), 30'000).stored->seq == last + 1);
  CHECK(verify_sqlite_store(folder / "pawl.db").value().findings.empty());
}

TEST_CASE("sqlite: a fenced owner prunes nothing", "[store]") {
  SqliteWorld world;
  put_ended(*world.store, "r1", 1000);
  const auto next = world.open_again();
  const Write prune = PruneRuns{};
  CHECK(world.store->write({&prune}, 2000).error().code == Errc::fenced);
  CHECK(ids(*next) == "r1 ");
}

TEST_CASE("sqlite: a prune that somebody did by halves is found by verify", "[store]") {
  SqliteWorld world;
  const std::string path = world.folder / "pawl.db";
  put_ended(*world.store, "r1", 1000);
  put_ended(*world.store, "r2", 2000);
  const auto [sql, code] = GENERATE(table<std::string, std::string>({
      {"DELETE FROM runs WHERE id = 'r1'", "orphans"},
      {"DELETE FROM events WHERE run = 1", "run_unreadable"},
      {"DELETE FROM flows", "orphans"},
  }));
  query(path, sql);
  const std::vector<Finding> findings = verify_sqlite_store(path).value().findings;
  CHECK(std::any_of(findings.begin(), findings.end(), [&, &wanted = code](const Finding& finding) {
    return finding.code == wanted;
  }));
}
