// What a store's lock file tells of its owner.
#include <pawl/sqlite_store.hpp>

#include "support/catch.hpp"
#include "support/faulty_vfs.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace pawl;

namespace {

struct Owned {
  Owned() { open(); }

  ~Owned() { FaultyVfs::heal(); }

  void open() {
    SqliteStoreOptions options{path};
    options.vfs = FaultyVfs::name();
    store = open_sqlite_store(options).value();
  }

  std::optional<StoreOwner> owner() const { return find_store_owner(path).value(); }

  TempFolder folder;
  std::string path = folder / "pawl.db";
  std::unique_ptr<Store> store;
};

}  // namespace

TEST_CASE("owner lock: whoever looks learns who owns the store, and that it cannot write",
          "[store]") {
  Owned world;
  const RunKey run = put(*world.store, start_run("r1")).run;
  REQUIRE(world.owner());
  CHECK(world.owner()->process == ::getpid());
  CHECK_FALSE(world.owner()->cannot_write);
  const auto size = std::filesystem::file_size(world.path + ".lock");

  const Write write = append(run, output_record("a", 1, "x"));
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_FULL, FaultyVfs::forever);
  REQUIRE(world.store->write({&write}, 2000).error().code == Errc::full);
  REQUIRE(world.store->write({&write}, 3000).error().code == Errc::full);
  CHECK(world.owner()->cannot_write == Errc::full);
  CHECK(world.owner()->since_ms == 2000);
  // On a full disk a file may not grow.
  CHECK(std::filesystem::file_size(world.path + ".lock") == size);
  FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_IOERR_WRITE, FaultyVfs::forever);
  REQUIRE(world.store->write({&write}, 4000).error().code == Errc::io);
  CHECK(world.owner()->cannot_write == Errc::io);
  CHECK(world.owner()->since_ms == 2000);

  SECTION("until it can write again") {
    FaultyVfs::heal();
    put(*world.store, write, 5000);
    CHECK_FALSE(world.owner()->cannot_write);
    CHECK(world.owner()->process == ::getpid());
  }
  SECTION("nothing that a dead owner has left there is believed") {
    world.store.reset();
    CHECK_FALSE(world.owner());
    FaultyVfs::heal();
    world.open();
    REQUIRE(world.owner());
    CHECK_FALSE(world.owner()->cannot_write);
  }
}

TEST_CASE("owner lock: what is no word of an owner's counts for nothing", "[store]") {
  Owned world;
  const auto claim = [&](const std::string& text) {
    std::ofstream(world.path + ".lock", std::ios::trunc) << text;
  };
  claim("");
  CHECK(world.owner()->process == 0);
  claim("12 34@boot\n");  // as older pawls write it
  CHECK(world.owner()->process == 12);
  CHECK_FALSE(world.owner()->cannot_write);
  claim("12 34@boot cannot_write fenced 7\n");
  CHECK_FALSE(world.owner()->cannot_write);
  claim("12 34@boot cannot_write full 7\n");
  CHECK(world.owner()->cannot_write == Errc::full);
  CHECK(world.owner()->since_ms == 7);
}

TEST_CASE("owner lock: of a store that nobody ever owned, or that is not there, there is no owner",
          "[store]") {
  TempFolder folder;
  CHECK_FALSE(find_store_owner(folder / "pawl.db").value());
  CHECK(find_store_owner(folder / "none/pawl.db").error().code == Errc::io);
}
