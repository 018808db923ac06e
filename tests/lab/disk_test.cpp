#include "lab/disk.hpp"

#include "support/catch.hpp"

#include <sqlite3.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

using namespace pawl;
using namespace pawl::lab;

namespace {

/// A connection to the simulated disk; errors become exceptions.
class Connection {
 public:
  explicit Connection(const std::string& settings) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(
        "t.db", &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, lab_vfs);
    db_.reset(opened);
    if (code != SQLITE_OK) throw std::runtime_error("open");
    run(settings);
  }

  void run(const std::string& sql) {
    if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(db_.get()));
  }

  std::string text(const std::string& sql) {
    std::string result;
    const auto take = [](void* to, int, char** values, char**) {
      *static_cast<std::string*>(to) = values[0] == nullptr ? "" : values[0];
      return 0;
    };
    if (sqlite3_exec(db_.get(), sql.c_str(), take, &result, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(db_.get()));
    return result;
  }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };

  std::unique_ptr<sqlite3, Close> db_;
};

/// Writes 40 rows, one commit each, and notes where in the course each was acknowledged; then
/// crashes everywhere.
struct Losses {
  int cases = 0;
  int lost = 0;       // acknowledged rows that were gone
  int malformed = 0;  // SQLite itself complained
};

Losses losses_with(const std::string& settings, Loss loss, bool disk_lies = false) {
  Course course;
  std::vector<std::size_t> acknowledged;
  {
    Disk disk({}, course, {}, disk_lies);
    set_current_disk(&disk);
    seed_sqlite(7);
    Connection db(settings);
    db.run("CREATE TABLE t(n INTEGER PRIMARY KEY, x TEXT)");
    for (int i = 0; i < 40; ++i) {
      db.run("INSERT INTO t(x) VALUES(hex(zeroblob(300)))");
      acknowledged.push_back(course.entries().size());
    }
  }
  Losses losses;
  DiskReplay replay({});
  for (std::size_t position = 0; position <= course.entries().size(); ++position) {
    if (position > 0) replay.follow(course.entries()[position - 1]);
    std::size_t expected = 0;
    while (expected < acknowledged.size() && acknowledged[expected] <= position) ++expected;
    if (expected == 0) continue;
    ++losses.cases;
    Course after;
    Disk disk(replay.after(loss, position), after);
    set_current_disk(&disk);
    try {
      Connection db(settings);
      if (db.text("PRAGMA integrity_check") != "ok") ++losses.malformed;
      if (std::stoul(db.text("SELECT count(*) FROM t")) < expected) ++losses.lost;
    } catch (const std::exception&) {
      ++losses.malformed;
    }
  }
  set_current_disk(nullptr);
  seed_sqlite(0);
  return losses;
}

const std::string wal = "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=20; ";

}  // namespace

TEST_CASE("disk: with WAL and synchronous=FULL nothing acknowledged is lost, whatever the loss",
          "[lab]") {
  for (const Loss loss : {Loss::kill, Loss::power, Loss::torn}) {
    CAPTURE(to_string(loss));
    const Losses losses = losses_with(wal + "PRAGMA synchronous=FULL", loss);
    CHECK(losses.cases > 150);
    CHECK(losses.lost == 0);
    CHECK(losses.malformed == 0);
  }
}

TEST_CASE(
    "disk: with synchronous=NORMAL a killed process loses nothing, a power loss takes acknowledged "
    "rows",
    "[lab]") {
  CHECK(losses_with(wal + "PRAGMA synchronous=NORMAL", Loss::kill).lost == 0);
  CHECK(losses_with(wal + "PRAGMA synchronous=NORMAL", Loss::power).lost > 50);
}

TEST_CASE("disk: known-bad settings and a lying disk are seen as bad", "[lab]") {
  const Losses off = losses_with(wal + "PRAGMA synchronous=OFF", Loss::power);
  CHECK(off.lost + off.malformed > 100);
  CHECK(losses_with("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL", Loss::torn).lost > 0);
  CHECK(losses_with("PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA", Loss::torn).lost == 0);
  const Losses lied = losses_with(wal + "PRAGMA synchronous=FULL", Loss::power, true);
  CHECK(lied.lost + lied.malformed > 100);
}

TEST_CASE("disk: what was written before a failed sync, no later sync makes durable", "[lab]") {
  Course course;
  Disk disk({}, course, {{2, FaultKind::io, false}});
  set_current_disk(&disk);
  sqlite3_vfs* const files = sqlite3_vfs_find(lab_vfs);
  std::vector<std::max_align_t> memory(static_cast<std::size_t>(files->szOsFile));
  auto* const file = reinterpret_cast<sqlite3_file*>(memory.data());
  REQUIRE(files->xOpen(files, "a", file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) ==
          SQLITE_OK);
  const auto write = [&](const char* text, sqlite3_int64 at) {
    REQUIRE(file->pMethods->xWrite(file, text, 3, at) == SQLITE_OK);
  };
  const auto sync = [&] { return file->pMethods->xSync(file, SQLITE_SYNC_FULL); };
  write("one", 0);
  CHECK(sync() == SQLITE_IOERR_FSYNC);
  write("two", 3);
  CHECK(sync() == SQLITE_OK);
  DiskReplay replay({});
  for (const Entry& entry : course.entries()) replay.follow(entry);
  CHECK_FALSE(replay.settled());
  CHECK(replay.after(Loss::kill, 0).at("a") == "onetwo");
  const std::string zeros(3, '\0');
  CHECK(replay.after(Loss::power, 0).at("a") == zeros + "two");
  CHECK(replay.after(Loss::torn, 0).at("a") == zeros + "two");
  const std::size_t before = course.entries().size();
  write("one", 0);
  CHECK(sync() == SQLITE_OK);
  for (std::size_t i = before; i < course.entries().size(); ++i) replay.follow(course.entries()[i]);
  CHECK(replay.after(Loss::power, 0).at("a") == "onetwo");
  file->pMethods->xClose(file);
  set_current_disk(nullptr);
}

TEST_CASE("disk: a name that is removed and made again is another file", "[lab]") {
  Course course;
  Disk disk({}, course);
  const auto first = disk.create("a");
  disk.write(*first, 0, "old", 3);
  disk.sync(*first);
  disk.remove("a", true);
  const auto second = disk.create("a");
  disk.write(*second, 0, "n", 1);
  DiskReplay replay({});
  for (const Entry& entry : course.entries()) replay.follow(entry);
  CHECK(replay.after(Loss::kill, 0) == DiskImage{{"a", "n"}});
  CHECK(replay.after(Loss::power, 0) == DiskImage{});
}

TEST_CASE("disk: a torn write leaves whole sectors or none, and garbage at times", "[lab]") {
  Course course;
  Disk disk({{"a", std::string(4096, 'o')}}, course);
  disk.write(*disk.find("a"), 0, std::string(4096, 'n').data(), 4096);
  DiskReplay replay({{"a", std::string(4096, 'o')}});
  for (const Entry& entry : course.entries()) replay.follow(entry);
  int mixed = 0;
  int garbage = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::string bytes = replay.after(Loss::torn, seed).at("a");
    int old_sectors = 0;
    int new_sectors = 0;
    for (std::size_t at = 0; at < bytes.size(); at += 512) {
      old_sectors += bytes.substr(at, 512) == std::string(512, 'o') ? 1 : 0;
      new_sectors += bytes.substr(at, 512) == std::string(512, 'n') ? 1 : 0;
    }
    mixed += old_sectors > 0 && new_sectors > 0 ? 1 : 0;
    garbage += old_sectors + new_sectors < 8 ? 1 : 0;
  }
  CHECK(mixed > 100);
  CHECK(garbage > 20);
}

TEST_CASE("disk: a fault fails the first operation that can fail in its way, once or for ever",
          "[lab]") {
  using Operation = Disk::Operation;
  Course course;
  Disk once({}, course, {{1, FaultKind::full, false}});
  CHECK(once.begin(Operation::write) == SQLITE_OK);
  CHECK(once.begin(Operation::read) == SQLITE_OK);
  CHECK(once.begin(Operation::write) == SQLITE_FULL);
  CHECK(once.begin(Operation::write) == SQLITE_OK);
  CHECK(course.history().back().text == "full at operation 2");
  Disk broken({}, course, {{0, FaultKind::io, true}});
  CHECK(broken.begin(Operation::sync) == SQLITE_IOERR_FSYNC);
  CHECK(broken.begin(Operation::read) == SQLITE_IOERR_READ);
}
