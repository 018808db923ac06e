// backup, restore and repair, as an operator meets them.
#include <pawl/sqlite_store.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/store_sql.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <vector>

using namespace pawl;
namespace fs = std::filesystem;

namespace {

struct Operated {
  std::unique_ptr<Store> open() const { return open_sqlite_store({path}).value(); }

  RunKey start(Store& store, const std::string& run) const {
    const Flow flow = parse_flow(R"({"flow": "f", "steps": {"a": {"run": "echo"}}})").value();
    return put(store,
               StartRun{run, flow.name(), std::make_shared<const std::string>(flow.canonical()),
                        flow.digest(), "{}", "/folder"})
        .run;
  }

  ProcessEnd pawl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path());
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path()))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  TempFolder folder;
  std::string path = folder / "pawl.db";
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("store command: a backup of a store at work is whole, private, and restored", "[tools]") {
  Operated operated;
  auto store = operated.open();
  operated.start(*store, "first");
  const ProcessEnd made = operated.pawl({"backup", "copy.db"});
  CHECK(made.code == 0);
  CHECK(made.out == "copy.db: 1 runs, 1 records, verified\n");

  struct stat status {};

  REQUIRE(::stat((operated.folder / "copy.db").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  operated.start(*store, "second");  // the owner did not notice

  SECTION("a backup replaces nothing") {
    const ProcessEnd again = operated.pawl({"backup", "copy.db"});
    CHECK(again.code == 2);
    CHECK(has(again.err, "a backup replaces nothing"));
  }
  SECTION("nothing is restored under an engine") {
    const ProcessEnd refused = operated.pawl({"restore", "copy.db"});
    CHECK(refused.code == 3);
    CHECK(has(refused.err, "the store is in use by process"));
  }
  SECTION("restored, it is the store, and what was there is kept") {
    store.reset();
    const ProcessEnd restored = operated.pawl({"restore", "copy.db"});
    CHECK(restored.code == 0);
    CHECK(has(restored.out, "verified; what was there before is pawl.db.replaced"));
    CHECK(operated.names() == std::vector<std::string>{"copy.db", "pawl.db", "pawl.db.lock",
                                                       "pawl.db.replaced",
                                                       "pawl.db.replaced-mark"});
    CHECK(has(operated.pawl({"list"}).out, "first"));
    CHECK_FALSE(has(operated.pawl({"list"}).out, "second"));
    CHECK(has(operated.pawl({"list", "--store", "pawl.db.replaced"}).out, "second"));
    const ProcessEnd resumed = operated.pawl({"resume"});
    CAPTURE(resumed.err);
    CHECK(resumed.code == 0);
    CHECK(has(operated.pawl({"restore", "copy.db"}).err,
              "what an earlier restore replaced is still there"));
  }
  SECTION("restored where there was nothing") {
    const ProcessEnd restored =
        operated.pawl({"restore", "copy.db", "--store", "elsewhere.db", "--json"});
    CHECK(restored.code == 0);
    CHECK(json::parse(restored.out)["runs"] == 1);
    CHECK(operated.pawl({"verify", "--store", "elsewhere.db"}).code == 0);
  }
  SECTION("in words, where there was nothing") {
    const ProcessEnd restored = operated.pawl({"restore", "copy.db", "--store", "elsewhere.db"});
    CHECK(has(restored.out, "elsewhere.db: 1 runs, 1 records, verified\n"));
  }
}

TEST_CASE("store command: a damaged store is backed up as it is, and not restored", "[tools]") {
  Operated operated;
  {
    const auto store = operated.open();
    operated.start(*store, "bad");
    operated.start(*store, "good");
  }
  open_to_change(operated.path).exec("UPDATE events SET at_ms = at_ms + 1 WHERE run = 1");
  const ProcessEnd made = operated.pawl({"backup", "copy.db"});
  CHECK(made.code == 3);
  CHECK(has(made.out, "run_unreadable: run bad"));
  CHECK(has(made.out, "copied with what is damaged"));
  CHECK(fs::exists(operated.folder / "copy.db"));
  const auto before = operated.names();
  const ProcessEnd restored = operated.pawl({"restore", "copy.db"});
  CHECK(restored.code == 3);
  CHECK(has(restored.err, "the copy is damaged"));
  CHECK(operated.names() == before);
}

TEST_CASE("store command: a backup to where it cannot be leaves nothing", "[tools]") {
  Operated operated;
  operated.open();
  CHECK(operated.pawl({"backup", "none/copy.db"}).code == 3);
  CHECK(operated.pawl({"backup", "copy.db", "--store", "none.db"}).code == 3);
  std::ofstream(operated.folder / "text") << "no store";
  CHECK(operated.pawl({"backup", "copy.db", "--store", "text"}).code == 3);
  CHECK(operated.names() ==
        std::vector<std::string>{"pawl.db", "pawl.db-mark", "pawl.db.lock", "text"});
}

TEST_CASE("store command: yesterday's copy is told of, and taken only when that is wished",
          "[tools]") {
  Operated operated;
  {
    const auto store = operated.open();
    operated.start(*store, "first");
  }
  fs::copy_file(operated.path, operated.folder / "yesterday.db");
  {
    const auto store = operated.open();
    operated.start(*store, "second");
  }
  fs::copy_file(operated.folder / "yesterday.db", operated.path,
                fs::copy_options::overwrite_existing);
  const std::string words =
      "the store ends at record 1 of epoch 1, but record 2 of epoch 2 was acknowledged";
  for (const std::string command : {"list", "resume", "repair"}) {
    const ProcessEnd refused = operated.pawl({command});
    CHECK(refused.code == 3);
    CHECK(has(refused.err, words));
    CHECK(has(refused.err, "pawl repair --accept-loss"));
  }
  const ProcessEnd verified = operated.pawl({"verify"});
  CHECK(verified.code == 3);
  CHECK(has(verified.out, "rolled_back: " + words));
  const ProcessEnd repaired = operated.pawl({"repair", "--accept-loss"});
  CHECK(repaired.code == 0);
  CHECK(has(repaired.out, "repaired: a loss was accepted: " + words));
  CHECK(has(repaired.out, "1 repairs, 0 findings left"));
  CHECK(operated.pawl({"resume"}).code == 0);
}

TEST_CASE("store command: nothing is repaired that is not there", "[tools]") {
  const Operated operated;
  const ProcessEnd repaired = operated.pawl({"repair"});
  CHECK(repaired.code == 3);
  CHECK(has(repaired.err, "there is no such store"));
  CHECK(operated.names().empty());
}

TEST_CASE("store command: indexes are made anew from the rows", "[tools]") {
  Operated operated;
  {
    const auto store = operated.open();
    for (int i = 0; i < 20; ++i) operated.start(*store, "r" + std::to_string(i));
  }
  {
    // An index that lacks some of its rows, as a page that went back would leave it.
    SQLite::Database db = open_to_change(operated.path);
    db.exec("PRAGMA writable_schema = ON");
    db.exec(
        "UPDATE sqlite_schema SET sql = replace(sql, 'state < 7', 'state < 0') "
        "WHERE name = 'runs_due'");
    db.exec("PRAGMA writable_schema = RESET");
    db.exec("REINDEX runs_due");
    db.exec("PRAGMA writable_schema = ON");
    db.exec(
        "UPDATE sqlite_schema SET sql = replace(sql, 'state < 0', 'state < 7') "
        "WHERE name = 'runs_due'");
  }
  const ProcessEnd verified = operated.pawl({"verify"});
  CHECK(verified.code == 3);
  CHECK(has(verified.out, "file_damaged"));
  const ProcessEnd repaired = operated.pawl({"repair", "--json"});
  CAPTURE(repaired.out, repaired.err);
  CHECK(repaired.code == 0);
  const json document = json::parse(repaired.out);
  CHECK(document["ok"] == true);
  REQUIRE(document["repaired"].size() == 1);
  CHECK(has(document["repaired"][0], "the indexes were made anew from the rows"));
  CHECK(operated.pawl({"verify"}).code == 0);
  CHECK(operated.pawl({"repair"}).out == "0 repairs, 0 findings left\n");
}

TEST_CASE("store command: an owner that hangs is taken over when that is wished", "[tools]") {
  Operated operated;
  std::ofstream(operated.folder / "gate.json")
      << R"({"flow": "gate", "steps": {"a": {"run": "shell", "with": {"argv": ["sh", "-c",
             "echo x >> began.txt; [ -e go.txt ] || sleep 600"]}}}})";
  Process owner({PAWL_COMMAND, "run", "gate.json", "--id", "r1"}, operated.folder.path());
  REQUIRE(wait_until([&] { return !file_text(operated.folder / "began.txt").empty(); }));
  owner.signal(SIGSTOP);
  std::ofstream(operated.folder / "go.txt") << "x";
  const ProcessEnd refused = operated.pawl({"resume"});
  CHECK(refused.code == 3);
  CHECK(has(refused.err, "the store is in use by process " + std::to_string(owner.id())));
  const ProcessEnd taken = operated.pawl({"resume", "--take-over"});
  CAPTURE(taken.err);
  CHECK(taken.code == 0);
  CHECK(taken.out == "r1: succeeded\n");
  CHECK(owner.wait().killed());
  CHECK(file_text(operated.folder / "began.txt") == "x\nx\n");
  CHECK(operated.pawl({"verify"}).code == 0);
}
