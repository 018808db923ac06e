// A store that has less than it acknowledged is refused: its log was lost, or it is an older copy.
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/faulty_vfs.hpp"
#include "support/log_file.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

using namespace pawl;
namespace fs = std::filesystem;

namespace {

using Files = std::map<std::string, std::string>;

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What a kill would leave of a store, by the ends of the names.
Files files_of(const std::string& path) {
  Files files;
  for (const char* end : {"", "-wal", "-mark"})
    if (fs::exists(path + end)) files[end] = content_of(path + end);
  return files;
}

void put_back(const std::string& path, const Files& files) {
  for (const char* end : {"", "-wal", "-shm", "-mark"}) fs::remove(path + end);
  for (const auto& [end, bytes] : files)
    std::ofstream(path + end, std::ios::binary | std::ios::trunc) << bytes;
}

/// A store that lives, as it is at three moments.
struct Story {
  Story() {
    auto store = open_sqlite_store({original}).value();
    run = put(*store, start_run("r1")).run;
    yesterday = files_of(original);
    put(*store, append(run, output_record("a", 1, "x")));
    today = files_of(original);
    put(*store, NoteProgress{run, std::make_shared<Progress>(Progress{"b", 1, "1"})});
    reported = files_of(original);
  }

  TempFolder folder;
  std::string original = folder / "original.db";
  std::string path = folder / "pawl.db";
  RunKey run = 0;
  Files yesterday, today, reported;
};

/// Neither an owner nor a reader gets it, and nothing is changed.
void check_refused(const std::string& path, const std::string& word) {
  const Files before = files_of(path);
  const Error error = open_sqlite_store({path}).error();
  CHECK(error.code == Errc::rolled_back);
  CHECK(error.where == path);
  CHECK(error.message.find(word) != std::string::npos);
  CHECK(files_of(path) == before);
  if (!fs::exists(path)) return;
  CHECK(open_sqlite_reader(path).error().code == Errc::rolled_back);
  const auto verified = verify_sqlite_store(path);
  REQUIRE(verified.has_value());
  CHECK(std::any_of(verified->findings.begin(), verified->findings.end(),
                    [](const Finding& finding) { return finding.code == "rolled_back"; }));
  CHECK(files_of(path) == before);
}

}  // namespace

TEST_CASE("high water: what a kill leaves is opened", "[store]") {
  Story story;
  for (const Files& files : {story.yesterday, story.today, story.reported}) {
    put_back(story.path, files);
    CHECK(open_sqlite_reader(story.path).has_value());
    CHECK(verify_sqlite_store(story.path)->findings.empty());
    CHECK(open_sqlite_store({story.path}).has_value());
    CHECK(open_sqlite_store({story.path}).has_value());
  }
}

TEST_CASE("high water: a store without its last records is refused, and left as it is", "[store]") {
  Story story;
  Files files = story.today;
  const std::string epoch_1 = "of epoch 1 was acknowledged";
  SECTION("its log is cut") {
    files["-wal"].resize(log_end(files["-wal"]) - 4096);
    put_back(story.path, files);
    check_refused(story.path, epoch_1);
  }
  SECTION("a bit of its log has flipped") {
    files["-wal"][log_end(files["-wal"]) - 2000] ^= 1;
    put_back(story.path, files);
    check_refused(story.path, epoch_1);
  }
  SECTION("it is yesterday's copy") {
    files = story.yesterday;
    files["-mark"] = story.today["-mark"];
    put_back(story.path, files);
    check_refused(story.path, "the store ends at record 1 of epoch 1, but record 2 of epoch 1");
  }
  SECTION("a report of progress is lost") {
    files["-mark"] = story.reported["-mark"];
    put_back(story.path, files);
    check_refused(story.path, epoch_1);
  }
  // Put right, it is a store again.
  put_back(story.path, story.today);
  CHECK(open_sqlite_store({story.path}).value()->load("r1").value()->records.size() == 2);
}

TEST_CASE("high water: a store without its file, or with an empty one, is not begun anew",
          "[store]") {
  Story story;
  Files files = story.today;
  SECTION("the main file is gone") {
    files.erase("");
    put_back(story.path, files);
  }
  SECTION("all but the mark is gone") {
    put_back(story.path, {{"-mark", files["-mark"]}});
  }
  SECTION("the main file is empty, its log is gone") {
    put_back(story.path, {{"", ""}, {"-mark", files["-mark"]}});
  }
  const Error error = open_sqlite_store({story.path}).error();
  CAPTURE(error.text());
  CHECK(error.code == Errc::rolled_back);
  CHECK(error.message.find("remove the mark to begin a new store") != std::string::npos);
  CHECK(error.message.find(story.path + "-mark") != std::string::npos);
  CHECK(content_of(story.path).empty());
  fs::remove(story.path + "-mark");
  fs::remove(story.path + "-wal");
  CHECK(open_sqlite_store({story.path}).value()->list({}).value().empty());
}

TEST_CASE("high water: a loss can be accepted, and is then no more told of", "[store]") {
  Story story;
  Files files = story.yesterday;
  files["-mark"] = story.reported["-mark"];
  put_back(story.path, files);
  SqliteStoreOptions options{story.path};
  options.accepts_loss = true;
  CHECK(open_sqlite_store(options).value()->load("r1").value()->records.size() == 1);
  CHECK(open_sqlite_store({story.path}).has_value());
  CHECK(verify_sqlite_store(story.path)->findings.empty());
}

TEST_CASE("high water: a mark that is damaged, torn or missing refuses nothing", "[store]") {
  Story story;
  Files files = story.today;
  REQUIRE(files["-mark"].size() == 48);
  SECTION("every bit of it flips") {
    for (std::size_t bit = 0; bit < 48 * 8; ++bit) {
      Files flipped = files;
      flipped["-mark"][bit / 8] ^= static_cast<char>(1 << (bit % 8));
      put_back(story.path, flipped);
      CHECK(open_sqlite_reader(story.path).has_value());
    }
  }
  SECTION("it is short") {
    files["-mark"].resize(20);
  }
  SECTION("it is gone") {
    files.erase("-mark");
  }
  put_back(story.path, files);
  CHECK(open_sqlite_store({story.path}).has_value());
  CHECK(content_of(story.path + "-mark").size() == 48);
}

TEST_CASE("high water: an owner that has to look again sees what was lost meanwhile", "[store]") {
  TempFolder folder;
  SqliteStoreOptions options{folder / "pawl.db"};
  options.vfs = FaultyVfs::name();
  const auto store = open_sqlite_store(options).value();
  const RunKey run = put(*store, start_run("r1")).run;
  const Write write = append(run, output_record("a", 1, 1));
  FaultyVfs::fail(FaultyVfs::Operation::sync, 1, SQLITE_IOERR_FSYNC);
  REQUIRE(store->write({&write}, 2000).error().code == Errc::io);
  fs::resize_file(folder / "pawl.db-wal", 0);
  const Error error = store->write({&write}, 2000).error();
  CAPTURE(error.text());
  CHECK(error.code == Errc::rolled_back);
  CHECK(store->load("r1").error().code == Errc::rolled_back);
}

TEST_CASE("high water: nothing is answered while its mark cannot be written", "[store]") {
  // Which of the writes is the mark's: the last one of a commit.
  for (int nth = 1;; ++nth) {
    REQUIRE(nth < 50);
    TempFolder folder;
    SqliteStoreOptions options{folder / "pawl.db"};
    options.vfs = FaultyVfs::name();
    const auto store = open_sqlite_store(options).value();
    const RunKey run = put(*store, start_run("r1")).run;
    const std::string before = content_of(folder / "pawl.db-mark");
    const Write write = append(run, output_record("a", 1, 1));
    FaultyVfs::fail(FaultyVfs::Operation::write, nth, SQLITE_IOERR_WRITE);
    const auto written = store->write({&write}, 2000);
    FaultyVfs::heal();
    REQUIRE_FALSE(written);
    CHECK(written.error().code == Errc::io);
    if (written.error().message.find("pawl.db-mark cannot be written") == std::string::npos)
      continue;
    CHECK(content_of(folder / "pawl.db-mark") == before);
    CHECK(store->load("r1").value()->records.size() == 2);
    CHECK(put(*store, write).status == WriteStatus::already_exists);
    CHECK(content_of(folder / "pawl.db-mark") != before);
    return;
  }
}
