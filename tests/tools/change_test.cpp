// Runs and other versions of their flows, by the command.
#include <pawl/json.hpp>
#include <pawl/run_fixture.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <filesystem>
#include <fstream>

using namespace pawl;

namespace {

/// A folder with a flow of three steps, of which the second may fail, and the command.
struct Bench {
  Bench() { write("flow.json", flow("420")); }

  static std::string flow(const std::string& price) {
    return R"({"flow": "f", "secret": ["input.card"], "steps": {
      "price": {"run": "echo", "with": {"cents": )" +
           price + R"(}},
      "charge": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> charged.txt; printf %s $0", "{{steps.price.output.cents}}"],
                                          "stdin": "{{input.card}}"}},
      "ship": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> shipped.txt; printf 'for %s' $0", "{{steps.charge.output.stdout}}"]}}}})";
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  }

  ProcessEnd pawl(std::vector<std::string> arguments,
                  const Process::Environment& environment = {}) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path(), environment, {});
  }

  ProcessEnd run(const std::string& id) {
    return pawl({"run", "flow.json", "--id", id, "--input", R"({"card": "4711"})"});
  }

  json shown(const std::string& run) { return json::parse(pawl({"show", run, "--json"}).out); }

  TempFolder folder;
};

}  // namespace

TEST_CASE("command: diff says whether a run fits another flow", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  bench.write("new.json", Bench::flow("430"));
  const ProcessEnd same = bench.pawl({"diff", "r1", "flow.json"});
  CHECK(same.code == 0);
  CHECK(same.out == "fits\n");
  const ProcessEnd other = bench.pawl({"diff", "r1", "new.json"});
  CHECK(other.code == 1);
  CHECK(other.out ==
        "differs\n  breaks: step price: parameters_differ: its attempts had other parameters at "
        "/cents\n");
  const ProcessEnd document = bench.pawl({"diff", "r1", "new.json", "--json"});
  CHECK(document.code == 1);
  CHECK(json::parse(document.out)["run"] == "r1");
  CHECK(json::parse(document.out)["fits"] == false);
  CHECK(json::parse(document.out)["findings"][0]["kind"] == "parameters_differ");
}

TEST_CASE("command: diff of an unknown run or a flow that is none is bad usage", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  CHECK(bench.pawl({"diff", "r2", "flow.json"}).code == 2);
  CHECK(bench.pawl({"diff", "r1", "gone.json"}).code == 2);
  CHECK(bench.pawl({"diff", "r1"}).code == 2);
}

TEST_CASE("command: export prints a run as a fixture that can be read back", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  const ProcessEnd end = bench.pawl({"export", "r1"});
  CHECK(end.code == 0);
  const RunFixture fixture = parse_run_fixture(end.out).value();
  CHECK(fixture.run == "r1");
  CHECK(fixture.records.size() == 5);
  CHECK(fixture_text(fixture) == end.out);
  const ProcessEnd document = bench.pawl({"export", "r1", "--json"});
  CHECK(document.out.find('\n') == document.out.size() - 1);
  CHECK(fixture_text(parse_run_fixture(document.out).value()) == end.out);
  CHECK(bench.pawl({"export", "r2"}).code == 2);
}

TEST_CASE("command: export leaves out what the flow marks secret when it is told to", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  CHECK(bench.pawl({"export", "r1"}).out.find("4711") != std::string::npos);
  const ProcessEnd end = bench.pawl({"export", "r1", "--redact"});
  CHECK(end.code == 0);
  CHECK(end.out.find("4711") == std::string::npos);
  CHECK(parse_run_fixture(end.out).has_value());
}

TEST_CASE("command: fork shares what came before and pawl resume goes on with it", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  const ProcessEnd fork = bench.pawl({"fork", "r1", "--from", "ship", "--id", "r2"});
  CHECK(fork.code == 0);
  CHECK(fork.out == "r2: running\n");
  CHECK(fork.err.find("it shares price, charge") != std::string::npos);
  CHECK(fork.err.find("run again under keys of their own: ship") != std::string::npos);
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(file_text(bench.folder / "charged.txt") == "r1/charge\n");
  CHECK(file_text(bench.folder / "shipped.txt") == "r1/ship\nr2/ship\n");
  const json shown = bench.shown("r2");
  CHECK(shown["state"] == "succeeded");
  CHECK(shown["steps"]["charge"]["attempts"].empty());
  CHECK(shown["steps"]["ship"]["attempts"][0]["end"] == "interrupted");
  CHECK(shown["forked_from"] == json{{"run", "r1"}, {"step", "ship"}});
  CHECK(bench.shown("r1")["forked_from"].is_null());
  CHECK(bench.pawl({"show", "r2"}).out.find("forked from run r1, from step ship on") !=
        std::string::npos);
  CHECK(bench.pawl({"doubts"}).out.empty());
  CHECK(bench.pawl({"verify"}).code == 0);
}

TEST_CASE("command: fork answers what if a step had given something else", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  bench.write("charge.json", R"({"stdout": "999"})");
  CHECK(bench
            .pawl({"fork", "r1", "--from", "ship", "--id", "r2", "--set", "charge=@charge.json",
                   "--set", R"(price={"cents":1})", "--label", "why=test"})
            .code == 0);
  CHECK(bench.shown("r2")["labels"] == json{{"why", "test"}});
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(bench.shown("r2")["output"]["ship"]["stdout"] == "for 999");
  CHECK(file_text(bench.folder / "charged.txt") == "r1/charge\n");
}

TEST_CASE("command: fork with a new flow takes what fits it", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  bench.write("new.json", Bench::flow("430"));
  const ProcessEnd refused =
      bench.pawl({"fork", "r1", "--from", "ship", "--id", "r2", "--flow", "new.json"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("does not fit the new flow") != std::string::npos);
  CHECK(bench.pawl({"fork", "r1", "--from", "price", "--id", "r2", "--flow", "new.json"}).code ==
        0);
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(bench.shown("r2")["output"]["ship"]["stdout"] == "for 430");
}

TEST_CASE("command: the same fork again is told and another one is refused", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  CHECK(bench.pawl({"fork", "r1", "--from", "ship", "--id", "r2"}).code == 0);
  const ProcessEnd again = bench.pawl({"fork", "r1", "--from", "ship", "--id", "r2", "--json"});
  CHECK(again.code == 0);
  CHECK(json::parse(again.out) == json{{"run", "r2"}, {"state", "running"}});
  CHECK(again.err.find("made before") != std::string::npos);
  CHECK(bench.pawl({"fork", "r1", "--from", "charge", "--id", "r2"}).code == 2);
  CHECK(bench.pawl({"fork", "r1", "--from", "shop"}).code == 2);
  const ProcessEnd secret = bench.pawl({"fork", "r1", "--from", "ship", "--set", "4711"});
  CHECK(secret.code == 2);
  CHECK(secret.err.find("4711") == std::string::npos);
  CHECK(
      bench.pawl({"fork", "r1", "--from", "ship", "--set", "charge=1", "--set", "charge=2"}).code ==
      2);
  CHECK(bench.pawl({"fork", "r9", "--from", "ship"}).code == 2);
  CHECK(bench.pawl({"fork", "r1"}).code == 2);
}

TEST_CASE("command: a fork that is killed is there whole or not at all", "[tools]") {
  for (const char* visit : {"store.before_commit//0/1", "store.after_commit//0/1"}) {
    CAPTURE(visit);
    Bench bench;
    CHECK(bench.run("r1").code == 0);
    const std::vector<std::string> fork{"fork", "r1", "--from", "ship", "--id", "r2"};
    CHECK(bench.pawl(fork, {{"PAWL_KILL_AT", visit}}).killed());
    const bool is_there = std::string(visit).find("after") != std::string::npos;
    CHECK(bench.pawl({"show", "r2"}).code == (is_there ? 0 : 2));
    CHECK(bench.pawl(fork).code == 0);
    CHECK(bench.pawl({"resume"}).code == 0);
    CHECK(bench.shown("r2")["state"] == "succeeded");
    CHECK(file_text(bench.folder / "charged.txt") == "r1/charge\n");
    CHECK(bench.pawl({"verify"}).code == 0);
  }
}

TEST_CASE("command: a paused run begins nothing, whoever resumes it, until it is unpaused",
          "[tools]") {
  Bench bench;
  bench.write("door.json", R"({"flow": "door", "steps": {
    "wait": {"await": "go"}, "c": {"child": {"flow": "in", "steps": {"w": {"await": "in"}}}},
    "b": {"run": "shell", "after": ["wait"], "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> b.txt"]}}}})");
  {
    Process owner({PAWL_COMMAND, "run", "door.json", "--id", "r1"}, bench.folder.path());
    CHECK(wait_until([&] { return bench.pawl({"show", "r1.c"}).code == 0; }));
    const ProcessEnd paused = bench.pawl({"pause", "r1"});
    CHECK(paused.out == "r1: paused\n");
    CHECK(paused.code == 0);
    const ProcessEnd owned = owner.wait();
    CHECK(owned.code == 4);
    CHECK(owned.err.find("somebody paused it; unpause it to go on") != std::string::npos);
  }
  CHECK(bench.pawl({"signal", "r1", "go"}).code == 0);
  const ProcessEnd resumed = bench.pawl({"resume"});
  CHECK(resumed.code == 4);
  CHECK(resumed.out == "r1: paused\nr1.c: paused\n");
  CHECK(bench.shown("r1")["error"]["code"] == "paused");
  CHECK(bench.pawl({"list", "--state", "paused"}).out.find("r1") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(bench.folder / "b.txt"));

  const ProcessEnd child = bench.pawl({"unpause", "r1.c"});
  CHECK(child.code == 4);
  CHECK(child.err.find("paused with its parent") != std::string::npos);
  const ProcessEnd unpaused = bench.pawl({"unpause", "r1", "--json"});
  CHECK(unpaused.code == 0);
  CHECK(unpaused.err.find("pawl resume") != std::string::npos);
  CHECK(bench.pawl({"signal", "r1.c", "in"}).code == 0);
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(bench.shown("r1")["state"] == "succeeded");
  CHECK(bench.pawl({"pause", "r1"}).code == 1);
  CHECK(bench.pawl({"unpause", "r1"}).code == 1);
  CHECK(bench.pawl({"pause", "r9"}).code == 2);
  CHECK(bench.pawl({"verify"}).code == 0);
}

TEST_CASE("command: pause without an owner holds a run and its children, for whoever comes next",
          "[tools]") {
  Bench bench;
  bench.write("door.json", R"({"flow": "door", "steps": {
    "c": {"child": {"flow": "in", "steps": {"w": {"await": "in"}, "e": {"run": "shell", "after": ["w"],
      "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> e.txt"]}}}}}}})");
  {
    Process owner({PAWL_COMMAND, "run", "door.json", "--id", "r1"}, bench.folder.path());
    CHECK(wait_until([&] { return bench.pawl({"show", "r1.c"}).code == 0; }));
    owner.signal(SIGKILL);
    owner.wait();
  }
  CHECK(bench.pawl({"pause", "r1"}).out == "r1: paused\n");
  CHECK(bench.pawl({"signal", "r1.c", "in"}).code == 0);
  CHECK(bench.pawl({"resume"}).code == 4);
  CHECK_FALSE(std::filesystem::exists(bench.folder / "e.txt"));
  CHECK(bench.pawl({"unpause", "r1"}).code == 0);
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(file_text(bench.folder / "e.txt") == "r1.c/e\n");
}

TEST_CASE("command: retry unblocks, or forks from the step that failed, and once", "[tools]") {
  Bench bench;
  bench.write("two.json", R"({"flow": "two", "steps": {
    "a": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> a.txt"]}},
    "m": {"map": [1], "run": "file.read", "after": ["a"], "with": {"path": "there.txt"},
          "retry": {"max_attempts": 1}}}})");
  CHECK(bench.pawl({"run", "two.json", "--id", "r1"}).code == 1);
  bench.write("there.txt", "now");
  const ProcessEnd retried = bench.pawl({"retry", "r1"});
  CHECK(retried.code == 0);
  CHECK(retried.out == "r1-retry: running\n");
  CHECK(bench.pawl({"retry", "r1"}).err.find("made before") != std::string::npos);
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(bench.shown("r1-retry")["state"] == "succeeded");
  CHECK(bench.shown("r1")["state"] == "failed");
  CHECK(file_text(bench.folder / "a.txt") == "r1/a\n");
  CHECK(bench.pawl({"retry", "r1-retry"}).code == 2);
  CHECK(bench.pawl({"retry", "r1-retry", "--from", "a", "--id", "r3"}).code == 0);
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(file_text(bench.folder / "a.txt") == "r1/a\nr3/a\n");

  bench.write("asks.json", R"({"flow": "asks", "steps": {"a": {"run": "file.read",
    "with": {"path": "later.txt"}, "on_failure": "ask", "retry": {"max_attempts": 1}}}})");
  CHECK(bench.pawl({"run", "asks.json", "--id", "q1"}).code == 4);
  CHECK(bench.pawl({"retry", "q1", "--id", "q2"}).code == 2);
  bench.write("later.txt", "now");
  CHECK(bench.pawl({"retry", "q1"}).out == "q1: waiting\n");
  CHECK(bench.pawl({"retry", "q1"}).code == 2);
  CHECK(bench.pawl({"resume"}).code == 0);
  CHECK(bench.shown("q1")["state"] == "succeeded");
}

TEST_CASE("command: fork asks a store's owner, which goes on with it at once", "[tools]") {
  Bench bench;
  bench.write("door.json", R"({"flow": "door", "steps": {
    "a": {"run": "echo", "with": {"n": 1}}, "wait": {"await": "go", "after": ["a"]},
    "b": {"run": "shell", "after": ["wait"], "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> b.txt"]}}}})");
  Process owner({PAWL_COMMAND, "run", "door.json", "--id", "r1"}, bench.folder.path());
  CHECK(wait_until([&] {
    const ProcessEnd end = bench.pawl({"show", "r1", "--json"});
    return end.code == 0 && json::parse(end.out)["steps"]["a"]["state"] == "succeeded";
  }));
  CHECK(wait_until([&] {
    return bench.pawl({"fork", "r1", "--from", "b", "--id", "r2", "--set", "wait=null"}).code == 0;
  }));
  CHECK(wait_until([&] { return bench.shown("r2")["state"] == "succeeded"; }));
  CHECK(file_text(bench.folder / "b.txt") == "r2/b\n");
  CHECK(bench.pawl({"signal", "r1", "go"}).code == 0);
  CHECK(owner.wait().code == 0);
}
