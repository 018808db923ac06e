// The example flows, run as their users would: by the command, with a person's part played.
#include <pawl/json.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <algorithm>
#include <fstream>
#include <signal.h>

using namespace pawl;

namespace {

struct Place {
  ProcessEnd pawl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path(), {}, {});
  }

  std::vector<std::string> command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return arguments;
  }

  json shown(const std::string& run) { return json::parse(pawl({"show", run, "--json"}).out); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  }

  static std::string flow(const std::string& name) {
    return std::string(PAWL_SOURCES) + "/examples/flows/" + name + ".json";
  }

  TempFolder folder;
};

/// How many lines a file has.
long lines_of(const std::string& path) {
  const std::string text = file_text(path);
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace

TEST_CASE("flows: the saga ships an approved order, and takes back one that nobody approves",
          "[tools]") {
  Place place;
  const auto run = [&](const std::string& id, const std::string& answer) {
    Process owner(place.command({"run", Place::flow("saga"), "--id", id}), place.folder.path());
    CHECK(wait_until([&] {
      return place.pawl({"signal", id, "answer", "--payload", answer, "--id", "a1"}).code == 0;
    }));
    return owner.wait();
  };
  const ProcessEnd good = run("good", R"({"ok": true, "by": "ada"})");
  CHECK(good.code == 0);
  CHECK(json::parse(good.out)["parcel"]["parcel"].size() == 2);
  CHECK_FALSE(place.shown("good")["steps"]["charge"].contains("undo"));

  CHECK(run("bad", R"({"ok": false, "by": "bob"})").code == 1);
  const json bad = place.shown("bad");
  CHECK(bad["state"] == "failed");
  CHECK(bad["error"]["message"] == "order 4711 was not approved; it was asked of bob");
  CHECK(bad["steps"]["ship"]["state"] == "excluded");
  CHECK(bad["steps"]["charge"]["undo"]["output"]["refund"] == "4711-pay");
  for (const json& element : bad["steps"]["reserve"]["elements"])
    CHECK(element["undo"]["state"] == "succeeded");
  CHECK(place.pawl({"verify"}).code == 0);
}

TEST_CASE("flows: the import reads what it can and reports the rest", "[tools]") {
  Place place;
  place.write("a.csv", "1;2");
  const ProcessEnd end = place.pawl({"run", Place::flow("import"), "--id", "r1"});
  CHECK(end.code == 0);
  const json shown = place.shown("r1");
  CHECK(shown["steps"]["fetch"]["elements"].size() == 2);  // b.csv is too old
  CHECK(shown["steps"]["fetch"]["output"][0]["output"]["text"] == "1;2");
  CHECK(shown["steps"]["fetch"]["output"][1]["error"]["code"] == "step_failed");
  CHECK(shown["steps"]["load"]["output"]["rows"].size() == 1);
  CHECK(shown["steps"]["report"]["output"]["not_read"].size() == 1);
}

TEST_CASE("flows: the poll goes on asking until the job is done, over a crash too", "[tools]") {
  Place place;
  {
    Process owner(place.command({"run", Place::flow("poll"), "--id", "r1"}), place.folder.path());
    CHECK(wait_until([&] {
      const ProcessEnd end = place.pawl({"show", "r1", "--json"});
      return end.code == 0 && json::parse(end.out)["steps"]["status"]["attempts"].size() > 2;
    }));
    owner.signal(SIGKILL);
    owner.wait();
  }
  place.write("done.txt", "1000 frames");
  const ProcessEnd end = place.pawl({"run", Place::flow("poll"), "--id", "r1"});
  CHECK(end.code == 0);
  CHECK(json::parse(end.out) == json{{"job", "render-17"}, {"status", {{"text", "1000 frames"}}}});
  const json attempts = place.shown("r1")["steps"]["status"]["attempts"];
  for (std::size_t i = 0; i < attempts.size(); ++i) CHECK(attempts[i]["attempt"] == i + 1);
}

TEST_CASE("flows: the agent makes each call once, and asks a person about one in doubt",
          "[tools]") {
  Place place;
  CHECK(place.pawl({"run", Place::flow("agent"), "--id", "calm"}).code == 0);
  CHECK(file_text(place.folder / "calls.txt") == "search: rooms\nbook: room 2\n");
  CHECK(place.pawl({"doubts"}).out.empty());

  // The call is made, and its process dies before anybody hears of it.
  json flow = json::parse(file_text(Place::flow("agent")));
  flow["steps"]["call"]["with"]["argv"][2] =
      "echo \"$1: $2\" >> once.txt; echo made >> made.txt; sleep 600";
  place.write("agent.json", flow.dump());
  Process owner(place.command({"run", "agent.json", "--id", "r1"}), place.folder.path());
  CHECK(wait_until([&] { return lines_of(place.folder / "made.txt") == 1; }));
  owner.signal(SIGKILL);
  owner.wait();
  CHECK(place.pawl({"run", "agent.json", "--id", "r1"}).code != 0);
  CHECK(place.shown("r1")["state"] == "blocked");
  CHECK(place.shown("r1")["error"]["code"] == "in_doubt");
  CHECK(place.shown("r1")["error"]["step"] == "call[0]");
  const ProcessEnd doubts = place.pawl({"doubts", "r1", "--json"});
  CHECK(json::parse(doubts.out)["key"] == "r1/call[0]");
  CHECK(json::parse(doubts.out)["kind"] == "undecided");
  // Who has found out that it was made gives its output; what is not in doubt is nobody's to give.
  CHECK(place.pawl({"resolve", "r1", "call[1]", "--output", "{}"}).code == 2);
  CHECK(place.pawl({"resolve", "r1", "plan", "--output", "{}"}).code == 2);
  CHECK(place.pawl({"resolve", "r1", "nothing", "--output", "{}"}).code == 2);
  const ProcessEnd resolved =
      place.pawl({"resolve", "r1", "call[0]", "--output", R"({"stdout": "found"})"});
  CHECK(resolved.code == 0);
  CHECK(lines_of(place.folder / "once.txt") == 1);
  // The second call comes next, once.
  Process next(place.command({"run", "agent.json", "--id", "r1"}), place.folder.path());
  CHECK(wait_until([&] { return lines_of(place.folder / "made.txt") == 2; }));
  CHECK(file_text(place.folder / "once.txt") == "search: rooms\nbook: room 2\n");
  next.signal(SIGTERM);
  next.wait();
  // Its process was stopped in the middle: that is a doubt as well.
  CHECK(place.shown("r1")["error"]["step"] == "call[1]");
  CHECK(place.pawl({"unblock", "r1"}).code == 0);
  CHECK(place.pawl({"cancel", "r1"}).code == 0);
  CHECK(place.shown("r1")["state"] == "cancelled");
  CHECK(place.pawl({"verify"}).code == 0);
}
