// pawl prune as a program: on a store of its own, through an owner's socket, and when it is killed.
#include <pawl/json.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace pawl;

namespace {

constexpr std::int64_t day_ms = 86'400'000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A store whose runs ended some days ago, and the command.
struct Attic {
  void put(const std::vector<int>& days_ago) {
    auto store = open_sqlite_store({path()}).value();
    for (const int days : days_ago) {
      const std::int64_t at_ms = now_ms() - days * day_ms;
      const std::string run = "d" + std::to_string(days);
      const RunKey key = pawl::put(*store, start_run(run), at_ms).run;
      pawl::put(*store, append(key, output_record("a", 1, 1)), at_ms);
      pawl::put(*store, append(key, ended_record(RunState::cancelled)), at_ms);
    }
  }

  std::string path() const { return folder / "pawl.db"; }

  std::vector<std::string> command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return arguments;
  }

  ProcessEnd pawl(std::vector<std::string> arguments,
                  const Process::Environment& environment = {}) const {
    return run_process(command(std::move(arguments)), folder.path(), environment);
  }

  std::string ids() const {
    std::string text;
    for (const RunRow& row : open_sqlite_reader(path()).value()->list({}).value())
      text += row.run + " ";
    return text;
  }

  TempFolder folder;
};

/// A run that waits at a gate, so that its pawl owns the store meanwhile.
const std::string gate = R"({"flow": "gate", "steps": {"a": {"run": "shell", "with": {"argv":
  ["sh", "-c", "echo x > began.txt; until [ -e go.txt ]; do sleep 0.01; done"]}}}})";

}  // namespace

TEST_CASE("prune command: by age and by count, and a dry run says what would go", "[tools]") {
  Attic attic;
  attic.put({40, 35, 20, 10, 1});
  const ProcessEnd dry = attic.pawl({"prune", "--older-than", "15d", "--dry-run", "--json"});
  CHECK(dry.code == 0);
  CHECK(json::parse(dry.out) ==
        json{{"dry_run", true}, {"removed", 3}, {"runs", {"d40", "d35", "d20"}}});
  const ProcessEnd told = attic.pawl({"prune", "--keep", "1", "--dry-run"});
  CHECK(told.err == "4 runs would be removed\n");
  CHECK(told.out.find("d10") != std::string::npos);
  CHECK(told.out.find("d1 ") == std::string::npos);
  CHECK(attic.ids() == "d1 d10 d20 d35 d40 ");

  const ProcessEnd both = attic.pawl({"prune", "--older-than", "15d", "--keep", "3", "--json"});
  CHECK(both.code == 0);
  CHECK(json::parse(both.out) == json{{"dry_run", false}, {"removed", 2}});
  CHECK(attic.ids() == "d1 d10 d20 ");
  CHECK(attic.pawl({"prune", "--older-than", "15d"}).out == "1 run removed\n");
  CHECK(attic.pawl({"prune", "--keep", "1"}).out == "1 run removed\n");
  CHECK(attic.ids() == "d1 ");
  CHECK(attic.pawl({"prune", "--keep", "0"}).code == 0);
  CHECK(attic.ids().empty());
  CHECK(attic.pawl({"verify"}).code == 0);
  CHECK(attic.pawl({"show", "d1"}).code == 2);
}

TEST_CASE("prune command: a prune that does not say what may go removes nothing", "[tools]") {
  Attic attic;
  attic.put({40, 1});
  const auto [arguments, words] = GENERATE(table<std::vector<std::string>, std::string>({
      {{std::string("prune")}, "--older-than AGE"},
      {{"prune", "--older-than", "2026-01-01"}, "is no age"},
      {{"prune", "--older-than", ""}, "--older-than AGE"},
      {{"prune", "--keep", "-1"}, "--keep"},
      {{"prune", "--keep", "many"}, "--keep"},
      {{"prune", "--dry-run"}, "--older-than AGE"},
  }));
  CAPTURE(arguments);
  const ProcessEnd end = attic.pawl(arguments);
  CHECK(end.code == 2);
  CHECK(end.err.find(words) != std::string::npos);
  CHECK(attic.ids() == "d1 d40 ");
  const ProcessEnd nowhere = attic.pawl({"prune", "--keep", "1", "--store", "none.db", "--json"});
  CHECK(nowhere.code == 3);
  CHECK(json::parse(nowhere.out)["error"]["code"] == "io");
  CHECK(::access((attic.folder / "none.db").c_str(), F_OK) != 0);
}

TEST_CASE("prune command: an owner is asked through its socket, and goes on with its run",
          "[tools]") {
  Attic attic;
  std::vector<int> days;
  for (int i = 1300; i > 0; --i) days.push_back(i);  // more than one question's worth
  attic.put(days);
  std::ofstream(attic.folder / "gate.json") << gate;
  Process owner(attic.command({"run", "gate.json", "--id", "open"}), attic.folder.path());
  REQUIRE(wait_until([&] { return !file_text(attic.folder / "began.txt").empty(); }));
  const ProcessEnd prune = attic.pawl({"prune", "--older-than", "36h", "--json"});
  CHECK(prune.code == 0);
  CHECK(json::parse(prune.out) == json{{"dry_run", false}, {"removed", 1299}});
  CHECK(attic.ids() == "open d1 ");
  CHECK(attic.pawl({"prune", "--keep", "0", "--json"}).code == 0);
  CHECK(attic.ids() == "open ");
  std::ofstream(attic.folder / "go.txt") << "x";
  CHECK(owner.wait().code == 0);
  CHECK(attic.pawl({"verify"}).code == 0);
}

TEST_CASE("prune command: killed at its commit, a run is there whole or gone whole", "[tools]") {
  Attic attic;
  attic.put({3, 2, 1});
  const auto [visit, left] = GENERATE(table<std::string, std::string>({
      {"store.before_commit//0/1", "d1 d2 d3 "},
      {"store.after_commit//0/1", "d1 "},
  }));
  CAPTURE(visit);
  CHECK(attic.pawl({"prune", "--older-than", "36h"}, {{"PAWL_KILL_AT", visit}}).killed());
  CHECK(attic.ids() == left);
  CHECK(verify_sqlite_store(attic.path()).value().findings.empty());
  CHECK(attic.pawl({"prune", "--older-than", "36h"}).code == 0);
  CHECK(attic.ids() == "d1 ");
  CHECK(attic.pawl({"verify"}).code == 0);
}

TEST_CASE("prune command: the id of a removed run starts a new one", "[tools]") {
  Attic attic;
  std::ofstream(attic.folder / "count.json") << R"({"flow": "count", "steps": {"a": {"run": "shell",
    "with": {"argv": ["sh", "-c", "echo x >> count.txt"]}}}})";
  const std::vector<std::string> run{"run", "count.json", "--id", "r1"};
  attic.pawl(run);
  attic.pawl(run);
  CHECK(file_text(attic.folder / "count.txt") == "x\n");
  attic.pawl({"prune", "--keep", "0"});
  CHECK(attic.pawl(run).code == 0);
  CHECK(file_text(attic.folder / "count.txt") == "x\nx\n");
  CHECK(attic.pawl({"verify"}).code == 0);
}
