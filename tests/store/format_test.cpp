// Stores that an older pawl has written: read, brought to today's format, and gone on with.
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "lab/disk.hpp"
#include "support/catch.hpp"
#include "support/store_sql.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <fstream>
#include <map>

using namespace pawl;

namespace {

const std::string format_1 = std::string(PAWL_SOURCES) + "/tests/store/fixtures/format-1.db";

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int format_of(const std::string& path) {
  return open_to_change(path).execAndGet("PRAGMA user_version").getInt();
}

/// A line for each run: its id, its state, and how many records it has.
std::string runs_of(StoreView& store) {
  std::string text;
  for (const RunRow& row : store.list({}).value())
    text += row.run + " " + std::string(to_string(row.state)) + row.damage + " " +
            std::to_string(store.load(row.run).value()->records.size()) + "\n";
  return text;
}

const char* const runs_of_format_1 =
    "sleepy-2 cancelled 3\n"
    "sleepy-1 waiting 1\n"
    "long-1 blocked 4\n"
    "bad-1 failed 5\n"
    "order-2.pack succeeded 3\n"
    "order-2 succeeded 10\n"
    "order-1.pack succeeded 3\n"
    "order-1 paused 9\n";

}  // namespace

TEST_CASE("format: a store of format 1 is read as it is", "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  std::filesystem::copy_file(format_1, path);
  CHECK(runs_of(*open_sqlite_reader(path).value()) == runs_of_format_1);
  CHECK(verify_sqlite_store(path).value().findings.empty());
  CHECK(format_of(path) == 1);
}

TEST_CASE("format: a store of format 1 gets its checksums when it is opened, and goes on",
          "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  std::filesystem::copy_file(format_1, path);
  // Older ones lack what came to format 1 later.
  SECTION("whole") {}
  SECTION("without what came later") {
    open_to_change(path).exec(
        "DROP INDEX runs_ended; DROP INDEX runs_flow; DROP TABLE children; DROP TABLE "
        "progress");
    CHECK(open_sqlite_reader(path).value()->load("long-1").value()->progress.empty());
  }
  auto store = open_sqlite_store({path}).value();
  CHECK(runs_of(*store) == runs_of_format_1);
  const RunKey sleepy = store->load("sleepy-1").value()->row.key;
  CHECK(put(*store, append(sleepy, output_record("nap", 0, nullptr)), 2'000'000'000'000).status ==
        WriteStatus::written);
  const std::size_t kept = store->list({}).value().size();
  CHECK(put(*store, start_run("new"), 2'000'000'000'000).run > 9);
  CHECK(verify_sqlite_store(path).value().findings.empty());
  CHECK(store->list({}).value().size() == kept + 1);
  CHECK(format_of(path) == 2);
  const auto without = [&](const std::string& table) {
    return open_to_change(path)
        .execAndGet("SELECT count(*) FROM " + table + " WHERE checksum IS NULL")
        .getInt();
  };
  for (const char* table : {"flows", "runs", "events", "progress", "children", "meta"}) {
    CAPTURE(table);
    CHECK(without(table) == 0);
  }
}

TEST_CASE("format: a crash at any position of the change leaves the old store or the new one",
          "[store]") {
  const std::string name = "pawl.db";
  const lab::DiskImage before{{name, bytes_of(format_1)}};
  const auto open = [&] {
    SqliteStoreOptions options{name};
    options.vfs = lab::lab_vfs;
    options.take_lock = [](const std::string&) { return std::make_unique<OwnerLock>(); };
    return open_sqlite_store(options);
  };
  // One opening, recorded.
  lab::Course course;
  {
    lab::Disk disk(before, course);
    lab::set_current_disk(&disk);
    CHECK(open().has_value());
    lab::set_current_disk(nullptr);
  }
  const auto& entries = course.entries();
  REQUIRE(entries.size() > 20);
  std::map<int, int> formats;
  for (const lab::Loss loss : {lab::Loss::kill, lab::Loss::power, lab::Loss::torn}) {
    lab::DiskReplay replay(before);
    for (std::size_t position = 0; position <= entries.size(); ++position) {
      const lab::DiskImage left = replay.after(loss, position);
      lab::Course unwatched;
      lab::Disk disk(left, unwatched);
      lab::set_current_disk(&disk);
      CAPTURE(position);
      {
        auto reader = open_sqlite_reader(name, lab::lab_vfs);
        REQUIRE(reader.has_value());
        CHECK(runs_of(**reader) == runs_of_format_1);
      }
      CHECK(verify_sqlite_store(name, lab::lab_vfs).value().findings.empty());
      {
        SQLite::Database db(name, SQLite::OPEN_READONLY, 0, lab::lab_vfs);
        ++formats[db.execAndGet("PRAGMA user_version").getInt()];
      }
      {
        auto store = open();
        REQUIRE(store.has_value());
        CHECK(runs_of(**store) == runs_of_format_1);
      }
      CHECK(verify_sqlite_store(name, lab::lab_vfs).value().findings.empty());
      lab::set_current_disk(nullptr);
      if (position < entries.size()) replay.follow(entries[position]);
    }
  }
  // The crashes came before it and after it.
  CHECK(formats.size() == 2);
  CHECK(formats[1] > 10);
  CHECK(formats[2] > 10);
}
