// A store where nothing may be written: from the beginning, or all at once.
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/faulty_vfs.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <filesystem>

using namespace pawl;
namespace fs = std::filesystem;

namespace {

bool tells(const Error& error, const std::string& part) {
  return error.message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("read-only: a folder that nobody may write to is told as such", "[store]") {
  // Nobody may, not even root.
  const Error error = open_sqlite_store({"/sys/pawl-test.db"}).error();
  CHECK(error.code == Errc::io);
  CHECK(error.where == "/sys/pawl-test.db.lock");
  CHECK(tells(error, "must be able to write to the folder around it"));
}

TEST_CASE("read-only: files that cannot be written or opened are told as such at opening",
          "[store]") {
  TempFolder folder;
  SqliteStoreOptions options{folder / "pawl.db"};
  options.vfs = FaultyVfs::name();
  { open_sqlite_store(options).value(); }
  const auto operation = GENERATE(FaultyVfs::Operation::open, FaultyVfs::Operation::write);
  const int code = GENERATE(SQLITE_READONLY, SQLITE_READONLY_DIRECTORY, SQLITE_CANTOPEN);
  FaultyVfs::fail(operation, 1, code, FaultyVfs::forever);
  const Result<std::unique_ptr<Store>> refused = open_sqlite_store(options);
  FaultyVfs::heal();
  REQUIRE_FALSE(refused.has_value());
  CAPTURE(refused.error().text());
  CHECK(refused.error().code == Errc::io);
  CHECK(tells(refused.error(), "must be able to write to its file and to the folder around it"));
  CHECK(open_sqlite_store(options).has_value());
}

TEST_CASE("read-only: a store that turns so loses nothing, and goes on when it may be written",
          "[store]") {
  TempFolder folder;
  SqliteStoreOptions options{folder / "pawl.db"};
  options.vfs = FaultyVfs::name();
  auto store = open_sqlite_store(options).value();
  const RunKey run = put(*store, start_run("r1")).run;
  const Write write = append(run, output_record("a", 1, "x"));
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_READONLY, FaultyVfs::forever);
  CHECK(store->write({&write}, 1).error().code == Errc::io);
  FaultyVfs::fail(FaultyVfs::Operation::open, 1, SQLITE_CANTOPEN, FaultyVfs::forever);
  for (int tries = 0; tries < 3; ++tries) {
    const Error error = store->write({&write}, 1).error();
    CHECK(error.code == Errc::io);
    CHECK(tells(error, "must be able to write to its file"));
  }
  FaultyVfs::heal();
  CHECK(put(*store, write).status != WriteStatus::refused);
  CHECK(store->load("r1").value()->records.size() == 2);
  store.reset();
  CHECK(verify_sqlite_store(options.path).value().findings.empty());
}

TEST_CASE(
    "read-only: a folder that cannot be entered for a while is not taken for one without the "
    "store",
    "[store]") {
  TempFolder folder;
  fs::create_directory(folder / "sub");
  const std::string path = folder / "sub/pawl.db";
  auto store = open_sqlite_store({path}).value();
  const RunKey run = put(*store, start_run("r1")).run;
  const Write write = append(run, output_record("a", 1, "x"));
  // A link that leads to itself: the system cannot say what is behind it.
  fs::rename(folder / "sub", folder / "away");
  fs::create_directory_symlink("sub", folder / "sub");
  for (int tries = 0; tries < 3; ++tries) {
    const Error error = store->write({&write}, 1).error();
    CHECK(error.code == Errc::io);
    CHECK(tells(error, "nobody can say whether the store's file is there"));
  }
  fs::remove(folder / "sub");
  fs::rename(folder / "away", folder / "sub");
  CHECK(put(*store, write).status == WriteStatus::already_exists);
  CHECK(store->load("r1").value()->records.size() == 2);
}
