// A store with a damaged run, as an operator meets it: the run is named, and the others go on.
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
#include <vector>

using namespace pawl;

namespace {

/// Two runs that have not begun, of which one is damaged.
struct Damaged {
  Damaged() {
    {
      auto store = open_sqlite_store({path}).value();
      const Flow flow =
          parse_flow(R"({"flow": "f", "steps": {"a": {"run": "echo", "with": {"n": 1}}}})").value();
      for (const char* run : {"bad", "good"})
        put(*store,
            StartRun{run, flow.name(), std::make_shared<const std::string>(flow.canonical()),
                     flow.digest(), "{}", "/folder"});
    }
    open_to_change(path).exec("UPDATE events SET at_ms = at_ms + 1 WHERE run = 1");
  }

  ProcessEnd pawl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path());
  }

  TempFolder folder;
  std::string path = folder / "pawl.db";
};

const std::string why =
    "record 1 is damaged: its checksum does not fit; restore the store from a backup, or start the "
    "run again under another id";

}  // namespace

TEST_CASE("damage: list, show and verify name the run that is damaged", "[tools]") {
  const Damaged damaged;
  const ProcessEnd listed = damaged.pawl({"list"});
  CHECK(listed.code == 3);
  CHECK(listed.out.find("bad   f     damaged") != std::string::npos);
  CHECK(listed.out.find("good  f     running") != std::string::npos);
  CHECK(listed.err.find("bad: " + why) != std::string::npos);
  const ProcessEnd shown = damaged.pawl({"show", "bad"});
  CHECK(shown.code == 3);
  CHECK(shown.err.find("bad: " + why) != std::string::npos);
  const ProcessEnd verified = damaged.pawl({"verify"});
  CHECK(verified.code == 3);
  CHECK((verified.out + verified.err).find("run_unreadable") != std::string::npos);
  const ProcessEnd doubts = damaged.pawl({"doubts"});
  CHECK(doubts.code == 3);
  CHECK(doubts.err.find("bad: " + why) != std::string::npos);
}

TEST_CASE(
    "damage: a store that is moved away during a run ends the engine, and goes on when it is "
    "put back",
    "[tools]") {
  TempFolder folder;
  std::ofstream(folder / "flow.json") << R"({"flow": "f", "steps": {
    "a": {"run": "shell", "with": {"argv": ["sh", "-c", "test -e moved || mv pawl.db moved"]}},
    "b": {"run": "echo", "after": ["a"]}}})";
  const auto pawl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path());
  };
  const ProcessEnd run = pawl({"run", "flow.json", "--id", "r"});
  CAPTURE(run.err);
  CHECK(run.code == 3);
  CHECK(run.err.find("the store's file was moved, deleted or replaced") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "pawl.db"));
  std::filesystem::copy_file(folder / "moved", folder / "pawl.db");
  const ProcessEnd again = pawl({"resume"});
  CAPTURE(again.err);
  CHECK(again.code == 0);
  CHECK(pawl({"verify"}).code == 0);
}

TEST_CASE("damage: resume leaves the run that is damaged, and goes on with the others", "[tools]") {
  const Damaged damaged;
  const ProcessEnd resumed = damaged.pawl({"resume"});
  CAPTURE(resumed.out, resumed.err);
  CHECK(resumed.code == 3);
  CHECK(resumed.err.find("bad: " + why) != std::string::npos);
  CHECK(open_sqlite_reader(damaged.path).value()->load("good").value()->row.state ==
        RunState::succeeded);
}
