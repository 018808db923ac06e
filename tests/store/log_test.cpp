// The log of a store beside a reader that does not let go of it.
#include <pawl/sqlite_store.hpp>

#include "store/checked_vfs.hpp"
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

using namespace pawl;

namespace {

/// Another connection, in the middle of a read transaction.
struct LongReader {
  explicit LongReader(const std::string& path)
      : db(path, SQLite::OPEN_READONLY, 0, checked_vfs({})) {
    db.exec("BEGIN");
    db.execAndGet("SELECT count(*) FROM runs");
  }

  SQLite::Database db;
};

std::int64_t log_file_bytes(const std::string& path) {
  return static_cast<std::int64_t>(std::filesystem::file_size(path + "-wal"));
}

}  // namespace

TEST_CASE(
    "log: under a long reader it grows, which is known, and it is cut once the reader lets go",
    "[store]") {
  constexpr std::int64_t log_header_bytes = 32;
  constexpr std::int64_t size_limit = 64 << 20;
  TempFolder folder;
  SqliteStoreOptions options{folder / "pawl.db"};
  options.checkpoint_pages = 10;
  auto store = open_sqlite_store(options).value();
  const RunKey run = put(*store, start_run("r1")).run;
  auto reader = std::make_unique<LongReader>(options.path);
  // Larger than what the log's file may keep; in few commits, since each is synced.
  const std::string text(8 << 20, 'x');
  for (int i = 0; i < 9; ++i)
    put(*store, append(run, output_record("s" + std::to_string(i), 1, text)));
  CHECK(store->log().held);
  CHECK(store->log().failure.empty());
  const std::int64_t room = log_file_bytes(options.path) - log_header_bytes - store->log().bytes;
  CHECK(room >= 0);
  CHECK(room <= 512 << 10);
  CHECK(store->log().bytes > size_limit);
  reader.reset();
  // The first one moves the log, the second begins it anew.
  put(*store, append(run, output_record("t", 1, 1)));
  put(*store, append(run, output_record("u", 1, 1)));
  CHECK_FALSE(store->log().held);
  CHECK(store->log().bytes < 100'000);
  CHECK(log_file_bytes(options.path) <= size_limit);
  CHECK(store->load("r1").value()->records.size() == 12);
}

TEST_CASE("log: its file is made longer seldom, also when another connection has cut it",
          "[store]") {
  TempFolder folder;
  SqliteStoreOptions options{folder / "pawl.db"};
  auto store = open_sqlite_store(options).value();
  const RunKey run = put(*store, start_run("r1")).run;
  for (const std::string half : {"a", "b"}) {
    std::set<std::int64_t> lengths;
    for (int i = 0; i < 100; ++i) {
      put(*store, append(run, output_record(half + std::to_string(i), 1, i)));
      lengths.insert(log_file_bytes(options.path));
    }
    CHECK(store->log().bytes > 500'000);
    CHECK(lengths.size() < 20);
    SQLite::Database other(options.path, SQLite::OPEN_READWRITE, 0, checked_vfs({}));
    other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    CHECK(log_file_bytes(options.path) == 0);
  }
  CHECK(store->load("r1").value()->records.size() == 201);
}

TEST_CASE("log: without a reader it is begun anew again and again, and never held", "[store]") {
  TempFolder folder;
  SqliteStoreOptions options{folder / "pawl.db"};
  options.checkpoint_pages = 10;
  auto store = open_sqlite_store(options).value();
  const RunKey run = put(*store, start_run("r1")).run;
  int begun_anew = 0;
  for (int i = 0; i < 50; ++i) {
    const std::int64_t before = store->log().bytes;
    put(*store, append(run, output_record("s" + std::to_string(i), 1, std::string(9'000, 'x'))));
    CHECK_FALSE(store->log().held);
    begun_anew += store->log().bytes < before ? 1 : 0;
  }
  CHECK(begun_anew > 5);
}
