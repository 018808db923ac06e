// What is written ahead: committed, not durable yet, and settled before anybody hears of it.
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/faulty_vfs.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace pawl::written_ahead_test {

namespace {

struct AheadWorld {
  AheadWorld() {
    FaultyVfs::heal();
    SqliteStoreOptions options{path};
    options.vfs = FaultyVfs::name();
    store = open_sqlite_store(options).value();
    run = put(*store, start_run("r1")).run;
  }

  ~AheadWorld() { FaultyVfs::heal(); }

  Write output(const char* step) const { return append(run, output_record(step, 1, step)); }

  /// Writes it ahead and gives its status; none after an error.
  std::optional<WriteStatus> write_ahead(const Write& write) {
    const auto replies = store->write_ahead({&write}, 2000);
    if (!replies) return std::nullopt;
    return replies->at(0).status;
  }

  std::string mark() const {
    std::ifstream file(path + "-mark", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::size_t records() const { return store->load("r1").value()->records.size(); }

  TempFolder folder;
  std::string path = folder / "pawl.db";
  std::unique_ptr<Store> store;
  RunKey run = 0;
};

}  // namespace

TEST_CASE("written ahead: nothing is synced, marked or read until it is settled", "[store]") {
  AheadWorld world;
  const long syncs = FaultyVfs::syncs();
  const std::string mark = world.mark();
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  CHECK(FaultyVfs::syncs() == syncs);
  CHECK(world.mark() == mark);
  CHECK(world.store->load("r1").error().code == Errc::internal);
  CHECK(world.store->count_unfinished().error().code == Errc::internal);
  const Write other = world.output("b");
  CHECK(world.store->write({&other}, 2000).error().code == Errc::internal);
  REQUIRE(world.store->settle().has_value());
  CHECK(FaultyVfs::syncs() == syncs + 1);
  CHECK(world.mark() != mark);
  CHECK(world.records() == 2);
  CHECK(world.store->settle().has_value());
  CHECK(FaultyVfs::syncs() == syncs + 1);
}

TEST_CASE("written ahead: another thread waits for the disk while the next batch is written",
          "[store]") {
  AheadWorld world;
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  const std::shared_ptr<LogSync> sync = world.store->log_sync();
  REQUIRE(sync);
  const long syncs = FaultyVfs::syncs();
  const std::string before = world.mark();
  Result<void> waited = make_error(Errc::internal, "nobody waited");
  std::thread thread([&] { waited = sync->wait(); });
  CHECK(world.write_ahead(world.output("b")) == WriteStatus::written);
  thread.join();
  CHECK(FaultyVfs::syncs() == syncs + 1);
  REQUIRE(world.store->settle(*sync, waited).has_value());
  const std::string of_first = world.mark();
  CHECK(of_first != before);
  // The first batch alone is durable.
  CHECK(world.store->load("r1").error().code == Errc::internal);
  REQUIRE(world.store->settle().has_value());
  CHECK(world.mark() != of_first);
  CHECK(world.records() == 3);
}

TEST_CASE("written ahead: after a failed sync it is written to the log again, before all else",
          "[store]") {
  AheadWorld world;
  const bool elsewhere = GENERATE(false, true);
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  const std::shared_ptr<LogSync> sync = world.store->log_sync();
  const std::string mark = world.mark();
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  const Result<void> settled =
      elsewhere ? world.store->settle(*sync, sync->wait()) : world.store->settle();
  CHECK(settled.error().code == Errc::io);
  CHECK(world.mark().substr(8, 24) == mark.substr(8, 24));  // no further than before
  CHECK(world.mark().substr(0, 8) == "pawlfail");
  CHECK_FALSE(world.store->log_sync());  // nobody else can mend it

  // What the system may have dropped is written before the next sync, which would not miss it.
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL);
  const long syncs = FaultyVfs::syncs();
  CHECK(world.store->load("r1").error().code == Errc::full);
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL);
  CHECK_FALSE(world.write_ahead(world.output("b")).has_value());
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  const Write again = world.output("a");
  CHECK(world.store->write({&again}, 2000).error().code == Errc::io);
  CHECK(FaultyVfs::syncs() == syncs);

  FaultyVfs::heal();
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::already_exists);
  REQUIRE(world.store->settle().has_value());
  CHECK(world.mark() != mark);
  CHECK(world.records() == 2);
  world.store.reset();
  CHECK(verify_sqlite_store(world.path)->findings.empty());
}

TEST_CASE("written ahead: a sync elsewhere that has failed is known before it is heard of",
          "[store]") {
  AheadWorld world;
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  const std::shared_ptr<LogSync> sync = world.store->log_sync();
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  CHECK_FALSE(sync->wait().has_value());
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL);
  CHECK(world.store->settle().error().code == Errc::full);  // it is written once more
  FaultyVfs::heal();
  CHECK(world.records() == 2);
}

TEST_CASE("written ahead: what cannot be marked is settled by whoever comes next", "[store]") {
  AheadWorld world;
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  const std::shared_ptr<LogSync> sync = world.store->log_sync();
  const Result<void> waited = sync->wait();
  CHECK(world.write_ahead(world.output("b")) == WriteStatus::written);
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL, 2);
  CHECK(world.store->settle(*sync, waited).error().code == Errc::full);
  FaultyVfs::heal();
  CHECK(world.records() == 3);
}

TEST_CASE("written ahead: a batch that fails leaves the one before it to be settled", "[store]") {
  AheadWorld world;
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL);
  CHECK_FALSE(world.write_ahead(world.output("b")).has_value());
  CHECK(world.store->write_ahead({}, 2000).error().code == Errc::internal);
  REQUIRE(world.store->settle().has_value());
  CHECK(world.records() == 2);
  CHECK(put(*world.store, world.output("b"), 2000).status == WriteStatus::written);
}

TEST_CASE("written ahead: a batch is larger than SQLite's cache, which reads of the log again",
          "[store]") {
  AheadWorld world;
  constexpr int outputs = 30;  // of a megabyte each; the cache has 16
  const bool fails = GENERATE(false, true);
  std::vector<Write> writes;
  for (int i = 0; i < outputs; ++i)
    writes.push_back(
        append(world.run, output_record("s" + std::to_string(i), 1,
                                        std::string(1 << 20, static_cast<char>('a' + i % 26)))));
  std::vector<const Write*> batch;
  for (const Write& write : writes) batch.push_back(&write);
  batch.push_back(&writes.front());  // which is no longer in the cache
  if (fails) {
    // The first pieces reach the file, and none of the batch may be there.
    FaultyVfs::fail(FaultyVfs::Operation::write, 200, SQLITE_FULL);
    CHECK(world.store->write_ahead(batch, 2000).error().code == Errc::full);
    CHECK(world.records() == 1);
  }
  const auto replies = world.store->write_ahead(batch, 2000);
  REQUIRE(replies.has_value());
  CHECK(replies->back().status == WriteStatus::already_exists);
  REQUIRE(world.store->settle().has_value());
  const auto run = world.store->load("r1").value();
  REQUIRE(run->records.size() == 1 + outputs);
  for (int i = 0; i < outputs; ++i)
    CHECK(run->records.at(static_cast<std::size_t>(i) + 1).body.at(1) == 'a' + i % 26);
  world.store.reset();
  const auto found = verify_sqlite_store(world.path).value();
  REQUIRE(found.findings.size() == 1);  // the flow has no such steps, and that is all
  CHECK_THAT(found.findings.at(0).message, Catch::Contains("a step that the flow has not"));
}

TEST_CASE("written ahead: what was not committed never reaches the log", "[store]") {
  AheadWorld world;
  const std::string log = world.path + "-wal";
  const auto bytes = [&] {
    std::ifstream file(log, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  const std::string before = bytes();
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL);
  CHECK_FALSE(world.write_ahead(world.output("b")).has_value());
  CHECK((bytes() == before));
  REQUIRE(world.store->settle().has_value());
  CHECK((bytes() == before));
  CHECK(world.write_ahead(world.output("b")) == WriteStatus::written);
  REQUIRE(world.store->settle().has_value());
  CHECK(world.records() == 3);
}

TEST_CASE("written ahead: who looks from another process waits for the disk too", "[store]") {
  AheadWorld world;
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  const auto reader = open_sqlite_reader(world.path, FaultyVfs::name()).value();
  const long syncs = FaultyVfs::syncs();
  CHECK(reader->load("r1").value()->records.size() == 2);
  CHECK(FaultyVfs::syncs() == syncs + 1);
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  CHECK(reader->load("r1").error().code == Errc::io);
  FaultyVfs::heal();
  REQUIRE(world.store->settle().has_value());
  const long settled = FaultyVfs::syncs();
  CHECK(reader->load("r1").value()->records.size() == 2);
  CHECK(FaultyVfs::syncs() == settled);  // the mark says so
}

TEST_CASE("written ahead: nobody is shown what the owner's failed sync may have lost", "[store]") {
  AheadWorld world;
  CHECK(world.write_ahead(world.output("a")) == WriteStatus::written);
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  CHECK_FALSE(world.store->settle().has_value());
  FaultyVfs::heal();
  // Its own sync would succeed, for it was opened later.
  const auto reader = open_sqlite_reader(world.path, FaultyVfs::name()).value();
  const Error error = reader->load("r1").error();
  CHECK(error.code == Errc::busy);
  CHECK(error.message.find("owner cannot make durable") != std::string::npos);
  CHECK(world.records() == 2);  // the owner writes it once more
  CHECK(reader->load("r1").value()->records.size() == 2);
}

TEST_CASE("written ahead: the log is moved into the main file only when it is durable", "[store]") {
  AheadWorld world;
  for (int i = 0; i < 3000; ++i)
    REQUIRE(
        world.write_ahead(start_run("s" + std::to_string(i), {{"text", std::string(4000, 'x')}})) ==
        WriteStatus::written);
  REQUIRE(world.store->settle().has_value());
  CHECK(world.store->count_unfinished().value() == 3001);
  world.store.reset();
  CHECK(verify_sqlite_store(world.path)->findings.empty());
}

}  // namespace pawl::written_ahead_test
