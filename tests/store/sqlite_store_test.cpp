// What SQLite adds to the contract: a file that outlives its process, and everything that can be
// wrong with one.
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/faulty_vfs.hpp"
#include "support/store_sql.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sqlite_store_test {

using namespace pawl;

namespace {

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// Ownership that two stores can hold at once: for tests of what happens then.
class NoLock : public OwnerLock {};

Result<std::unique_ptr<OwnerLock>> take_no_lock(const std::string&) {
  return std::unique_ptr<OwnerLock>(std::make_unique<NoLock>());
}

struct Faulty {
  Faulty() {
    SqliteStoreOptions options{folder / "pawl.db"};
    options.vfs = FaultyVfs::name();
    options.take_lock = take_no_lock;
    store = open_sqlite_store(options).value();
  }

  ~Faulty() { FaultyVfs::heal(); }

  TempFolder folder;
  std::unique_ptr<Store> store;
};

}  // namespace

TEST_CASE("sqlite: what was answered is there after a reopen, in a higher epoch", "[store]") {
  TempFolder folder;
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  const std::int64_t first_epoch = store->epoch();
  const RunKey key = put(*store, start_run("r1")).run;
  put(*store, append(key, output_record("a", 1, {{"x", 1}})));
  store.reset();

  store = open_sqlite_store({folder / "pawl.db"}).value();
  CHECK(store->epoch() > first_epoch);
  const StoredRun run = store->load("r1").value().value();
  CHECK(run.records.at(1).body == R"({"x":1})");
  CHECK(run.records.at(1).epoch == first_epoch);
  const WriteReply again = put(*store, append(key, output_record("a", 1, {{"x", 1}})));
  CHECK(again.status == WriteStatus::already_exists);
  CHECK(put(*store, append(key, output_record("b", 1, 2))).stored->seq > run.records.back().seq);
}

TEST_CASE("sqlite: what was answered is there after SIGKILL", "[store]") {
  TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = open_sqlite_store({folder / "pawl.db"}).value();
    const RunKey key = put(*store, start_run("r1")).run;
    put(*store, append(key, output_record("a", 1, 1)));
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  CHECK(store->load("r1").value()->records.size() == 2);
}

TEST_CASE("sqlite: a second owner is refused at once and told who holds the store", "[store]") {
  TempFolder folder;
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  SqliteStoreOptions options{folder / "pawl.db"};
  options.lock_wait_ms = 20;
  const Error error = open_sqlite_store(options).error();
  CHECK(error.code == Errc::in_use);
  CHECK(error.message.find("process " + std::to_string(::getpid())) != std::string::npos);
  store.reset();
  CHECK(open_sqlite_store(options).has_value());
}

TEST_CASE("sqlite: one store has one lock, whatever path leads to it", "[store]") {
  TempFolder folder;
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  std::filesystem::create_symlink(folder / "pawl.db", folder / "link.db");
  std::filesystem::create_directory(folder / "sub");
  for (const std::string& path :
       {folder / "link.db", folder / "./pawl.db", folder / "sub/../pawl.db"}) {
    SqliteStoreOptions options{path};
    options.lock_wait_ms = 0;
    CHECK(open_sqlite_store(options).error().code == Errc::in_use);
  }
}

TEST_CASE("sqlite: a link that leads nowhere is refused: it would give one store two locks",
          "[store]") {
  TempFolder folder;
  std::filesystem::create_symlink(folder / "elsewhere.db", folder / "link.db");
  const Error error = open_sqlite_store({folder / "link.db"}).error();
  CHECK(error.code == Errc::io);
  CHECK(error.message.find("symbolic link") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "elsewhere.db"));
  open_sqlite_store({folder / "elsewhere.db"}).value();
  CHECK(open_sqlite_store({folder / "link.db"}).has_value());
}

TEST_CASE("sqlite: the lock dies with its process, and children do not keep it", "[store]") {
  TempFolder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    auto store = open_sqlite_store({folder / "pawl.db"}).value();
    const pid_t child = ::fork();
    if (child == 0) ::execlp("sleep", "sleep", "30", nullptr);
    // The child has left the lock behind as soon as it runs another program.
    ::usleep(200'000);
    if (::write(ready[1], &child, sizeof child) != sizeof child) ::_exit(1);
    ::raise(SIGKILL);
  }
  pid_t child = 0;
  REQUIRE(::read(ready[0], &child, sizeof child) == sizeof child);
  ::waitpid(owner, nullptr, 0);
  REQUIRE(::kill(child, 0) == 0);  // still alive
  CHECK(open_sqlite_store({folder / "pawl.db"}).has_value());
  ::kill(child, SIGKILL);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("sqlite: a foreign file is refused and left as it was", "[store]") {
  TempFolder folder;
  const std::string path = folder / "other.db";
  SECTION("another SQLite application") {
    run_sql(path, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  }
  SECTION("another application id") {
    run_sql(path, "PRAGMA application_id = 12; CREATE TABLE t(x)");
  }
  SECTION("no SQLite file") {
    std::ofstream(path) << std::string(5000, 'x');
  }
  const std::string before = file_bytes(path);
  CHECK(open_sqlite_store({path}).error().code == Errc::foreign_file);
  CHECK(open_sqlite_reader(path).error().code == Errc::foreign_file);
  CHECK(file_bytes(path) == before);
}

TEST_CASE("sqlite: only the owner that the lock file names is taken over", "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  const auto owned = open_sqlite_store({path}).value();
  SqliteStoreOptions options{path};
  options.lock_wait_ms = 0;
  options.take_over = true;
  // The lock of a process that lives on, whatever stands in its file.
  const auto refused_with = [&](const std::string& words) {
    const Error error = open_sqlite_store(options).error();
    CAPTURE(error.text());
    CHECK(error.code == Errc::in_use);
    CHECK(error.message.find(words) != std::string::npos);
  };
  refused_with("it is this process itself");
  const std::string own = file_bytes(path + ".lock");
  const auto claim = [&](const std::string& owner) {
    std::ofstream(path + ".lock", std::ios::trunc) << owner;
  };
  claim("");
  refused_with("does not say who it is");
  claim("1\n");
  refused_with("does not say who it is");
  claim(std::to_string(::getppid()) + " 1@another-boot\n");
  refused_with("that is another process by now");
  claim("4194304 1@some-boot\n");  // above the highest number that there is
  refused_with("there is no such process here");
  claim(own);
  refused_with("it is this process itself");
  CHECK(owned->list({}).has_value());
}

TEST_CASE("sqlite: nothing is acknowledged into a file that is not where it was", "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  auto store = open_sqlite_store({path}).value();
  const RunKey key = put(*store, start_run("r1")).run;
  SECTION("renamed") {
    std::filesystem::rename(path, folder / "away.db");
  }
  SECTION("deleted") {
    std::filesystem::remove(path);
  }
  SECTION("replaced by a copy") {
    std::filesystem::copy_file(path, folder / "copy.db");
    std::filesystem::rename(folder / "copy.db", path);
  }
  const bool is_there = std::filesystem::exists(path);
  const Write write = append(key, output_record("a", 1, 1));
  for (int tries = 0; tries < 3; ++tries) {
    const Error error = store->write({&write}, 2000).error();
    CHECK(error.code == Errc::store_moved);
    CHECK(error.message.find("moved, deleted or replaced") != std::string::npos);
    CHECK(error.where == path);
  }
  CHECK(store->load("r1").error().code == Errc::store_moved);
  // Nor is a new file made in its place.
  CHECK(std::filesystem::exists(path) == is_there);
  store.reset();
  CHECK(std::filesystem::exists(path) == is_there);
  if (std::filesystem::exists(folder / "away.db")) {
    std::filesystem::rename(folder / "away.db", path);
    CHECK(open_sqlite_store({path}).value()->load("r1").value().has_value());
  }
}

TEST_CASE("sqlite: a store that was being made when its process was killed is told as such",
          "[store]") {
  TempFolder folder;
  const std::string making = folder / "making.db", left = folder / "left.db";
  SQLite::Database db(making, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db.exec("BEGIN; CREATE TABLE half (made)");
  REQUIRE(sqlite3_db_cacheflush(db.getHandle()) == SQLITE_OK);
  for (const char* end : {"", "-journal"}) std::filesystem::copy_file(making + end, left + end);
  const Error told = open_sqlite_reader(left).error();
  CHECK(told.code == Errc::io);
  CHECK(told.message.find("killed while the store was being made") != std::string::npos);
  CHECK(open_sqlite_store({left}).has_value());
  CHECK(open_sqlite_reader(left).has_value());
}

TEST_CASE("sqlite: a lock file that cannot be one is told with its reason", "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  std::filesystem::create_directory(path + ".lock");
  const Error told = open_sqlite_store({path}).error();
  CHECK(told.code == Errc::io);
  CHECK(told.message == "the lock file cannot be opened: Is a directory");
  CHECK(told.where == path + ".lock");
}

TEST_CASE("sqlite: a newer format is refused by name", "[store]") {
  TempFolder folder;
  open_sqlite_store({folder / "pawl.db"}).value();
  run_sql(folder / "pawl.db", "PRAGMA user_version = 99");
  const Error error = open_sqlite_store({folder / "pawl.db"}).error();
  CHECK(error.code == Errc::newer_format);
  CHECK(error.message.find("99") != std::string::npos);
}

TEST_CASE("sqlite: a format that no pawl ever wrote is refused", "[store]") {
  TempFolder folder;
  open_sqlite_store({folder / "pawl.db"}).value();
  run_sql(folder / "pawl.db",
          "PRAGMA user_version = " + std::string(GENERATE(as<std::string>(), "0", "-1")));
  CHECK(open_sqlite_store({folder / "pawl.db"}).error().code == Errc::corrupt);
  CHECK(open_sqlite_reader(folder / "pawl.db").error().code == Errc::corrupt);
}

TEST_CASE("sqlite: an empty file becomes a store", "[store]") {
  TempFolder folder;
  std::ofstream(folder / "pawl.db");
  CHECK(open_sqlite_store({folder / "pawl.db"}).has_value());
}

TEST_CASE("sqlite: a path that cannot be is told with its reason", "[store]") {
  TempFolder folder;
  CHECK(open_sqlite_store({folder / "none/pawl.db"}).error().code == Errc::io);
  CHECK(open_sqlite_store({""}).error().code == Errc::invalid_argument);
  CHECK(open_sqlite_store({folder / "x/"}).error().code == Errc::invalid_argument);
  std::filesystem::create_directory(folder / "folder");
  CHECK(open_sqlite_store({folder / "folder"}).error().code == Errc::io);
  CHECK(open_sqlite_reader(folder / "none.db").error().code == Errc::io);
  CHECK_FALSE(std::filesystem::exists(folder / "none.db"));
}

TEST_CASE("sqlite: nobody else can read the files", "[store]") {
  TempFolder folder;
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  put(*store, start_run("r1"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    CAPTURE(entry.path());

    struct stat status {};

    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0077) == 0);
  }
}

TEST_CASE("sqlite: a reader sees what is durable while the owner works, and hinders nothing",
          "[store]") {
  TempFolder folder;
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  const RunKey key = put(*store, start_run("r1")).run;
  auto reader = open_sqlite_reader(folder / "pawl.db").value();
  CHECK(reader->load("r1").value()->records.size() == 1);
  put(*store, append(key, output_record("a", 1, 1)));
  CHECK(reader->load("r1").value()->records.size() == 2);
  CHECK(reader->list({}).value().size() == 1);
  CHECK(reader->due(99'000, 10, {}).value().size() == 1);
  CHECK(reader->count_unfinished().value() == 1);
  CHECK_FALSE(reader->next_due_ms(0).value().has_value());
}

TEST_CASE("sqlite: a reader finds what a killed owner left in its log, and leaves the log alone",
          "[store]") {
  TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = open_sqlite_store({folder / "pawl.db"}).value();
    put(*store, start_run("r1"));
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  const std::string log = file_bytes(folder / "pawl.db-wal");
  REQUIRE_FALSE(log.empty());
  CHECK(open_sqlite_reader(folder / "pawl.db").value()->load("r1").value().has_value());
  CHECK(file_bytes(folder / "pawl.db-wal") == log);
}

TEST_CASE("sqlite: every batch is synced once, whatever its size", "[store]") {
  Faulty world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const long before = FaultyVfs::syncs();
  std::vector<Write> writes;
  for (int i = 1; i <= 100; ++i)
    writes.push_back(append(key, receipt_record("a", i, AttemptEnd::failed)));
  std::vector<const Write*> batch;
  for (const Write& write : writes) batch.push_back(&write);
  REQUIRE(world.store->write(batch, 1).has_value());
  CHECK(FaultyVfs::syncs() == before + 1);
  put(*world.store, append(key, output_record("b", 1, 1)));
  CHECK(FaultyVfs::syncs() == before + 2);
}

TEST_CASE("sqlite: a failed sync answers nobody, and the same batch can be written again",
          "[store]") {
  Faulty world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const Write write = append(key, output_record("a", 1, "x"));
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  CHECK(world.store->write({&write}, 1).error().code == Errc::io);
  const WriteReply again = put(*world.store, write);
  // Whether the first try lasted is unknown: either answer is lawful, a missing output is not.
  CHECK(again.status != WriteStatus::refused);
  CHECK(world.store->load("r1").value()->records.size() == 2);
}

TEST_CASE("sqlite: what a failed sync left in the log is synced before anybody is told of it",
          "[store]") {
  Faulty world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const Write write = append(key, output_record("a", 1, "x"));
  // The sync of the commit fails, and so does that of the checkpoint at closing: the log keeps
  // frames that look committed.
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC, 2);
  REQUIRE(world.store->write({&write}, 1).error().code == Errc::io);
  const long before = FaultyVfs::syncs();
  const WriteReply again = put(*world.store, write);
  CHECK(again.status == WriteStatus::already_exists);
  CHECK(FaultyVfs::syncs() >= before + 2);  // the log, and the main file that it was moved into
  CHECK(file_bytes(world.folder / "pawl.db-wal").empty());
}

TEST_CASE("sqlite: a log that cannot be synced after a failed sync keeps the store from answering",
          "[store]") {
  Faulty world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const Write write = append(key, output_record("a", 1, "x"));
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC, FaultyVfs::forever);
  for (int i = 0; i < 4; ++i) CHECK(world.store->write({&write}, 1).error().code == Errc::io);
  CHECK(world.store->load("r1").error().code == Errc::io);
  FaultyVfs::heal();
  CHECK(put(*world.store, write).status != WriteStatus::refused);
  CHECK(world.store->load("r1").value()->records.size() == 2);
}

TEST_CASE("sqlite: a full disk is told as such, loses nothing acknowledged, and passes",
          "[store]") {
  Faulty world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL, FaultyVfs::forever);
  const Write write = append(key, output_record("a", 1, "x"));
  for (int i = 0; i < 3; ++i) CHECK(world.store->write({&write}, 1).error().code == Errc::full);
  FaultyVfs::heal();
  CHECK(put(*world.store, write).status == WriteStatus::written);
  CHECK(world.store->load("r1").value()->records.size() == 2);
}

TEST_CASE("sqlite: whichever write or sync of a batch fails, a retry leaves each record once",
          "[store]") {
  const auto operation = GENERATE(FaultyVfs::Operation::write, FaultyVfs::Operation::sync);
  const int nth = GENERATE(range(1, 8));
  const int code = GENERATE(SQLITE_IOERR_WRITE, SQLITE_FULL);
  CAPTURE(static_cast<int>(operation), nth, code);
  Faulty world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const std::vector<Write> writes{append(key, output_record("a", 1, std::string(20'000, 'x'))),
                                  append(key, receipt_record("b", 1, AttemptEnd::failed)),
                                  start_run("r2")};
  FaultyVfs::fail(operation, nth, code);
  int tries = 1;
  while (!world.store->write({&writes[0], &writes[1], &writes[2]}, 1)) REQUIRE(++tries < 10);
  FaultyVfs::heal();
  CHECK(world.store->load("r1").value()->records.size() == 3);
  CHECK(world.store->load("r2").value()->records.size() == 1);
}

TEST_CASE("sqlite: the log's size is known", "[store]") {
  TempFolder folder;
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  put(*store, start_run("r1"));
  CHECK(store->wal_bytes() ==
        static_cast<std::int64_t>(std::filesystem::file_size(folder / "pawl.db-wal")));
}

TEST_CASE("sqlite: damaged numbers in a row are told as damage, by name", "[store]") {
  TempFolder folder;
  {
    auto store = open_sqlite_store({folder / "pawl.db"}).value();
    const RunKey key = put(*store, start_run("r1")).run;
    put(*store, append(key, output_record("a", 1, 1)));
  }
  SECTION("kind") {
    run_sql(folder / "pawl.db", "UPDATE events SET kind = 77 WHERE step = 'a'");
  }
  SECTION("end") {
    run_sql(folder / "pawl.db", "UPDATE events SET attempt_end = 77 WHERE step = 'a'");
  }
  SECTION("state") {
    run_sql(folder / "pawl.db", "UPDATE runs SET state = 77");
  }
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  const auto loaded = store->load("r1");
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().code == Errc::corrupt);
  CHECK(loaded.error().message.find("77") != std::string::npos);
}

TEST_CASE("sqlite: what a step reports replaces what it had reported, and the file does not grow",
          "[store]") {
  TempFolder folder;
  auto store = open_sqlite_store({folder / "pawl.db"}).value();
  const RunKey run = put(*store, start_run("r1")).run;
  const auto pages_after = [&](int reports) {
    for (int i = 0; i < reports; ++i) {
      const std::string body = json(std::string(20'000, static_cast<char>('a' + i % 26))).dump();
      put(*store, NoteProgress{run, std::make_shared<Progress>(Progress{"a", 1, body})}, 2000 + i);
    }
    return std::stoi(column_of(folder / "pawl.db", "PRAGMA page_count").front());
  };
  const int pages = pages_after(10);
  CHECK(pages_after(500) == pages);
}

}  // namespace sqlite_store_test
