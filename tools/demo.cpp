// ./dev demo: a real job, killed at its worst moment and resumed, with the evidence in a table.
#include <pawl/json.hpp>
#include <pawl/kill_points.hpp>

#include "tools/console.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <vector>

namespace {

using pawl::json;
namespace fs = std::filesystem;

/// What is known of a step from outside: the lines that its own program left, and the points that
/// it reached.
struct Evidence {
  std::map<std::string, std::vector<std::string>> keys;  // step to the keys that its program saw
  std::map<std::string, std::vector<int>> bodies;        // step to the attempts that ran
  std::set<std::string> recorded;                        // steps whose output became durable
};

[[noreturn]] void give_up(const std::string& what) {
  std::cerr << "demo: " << what << '\n';
  std::exit(1);
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string file_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Evidence read_evidence(const fs::path& ledger, const fs::path& trace) {
  Evidence evidence;
  std::ifstream lines(ledger);
  for (std::string key; std::getline(lines, key);)
    evidence.keys[key.substr(key.find('/') + 1)].push_back(key);
  for (const pawl::lab::PointVisit& visit : pawl::lab::read_point_trace(trace.string()).value()) {
    if (visit.point == "step.before_body") evidence.bodies[visit.step].push_back(visit.attempt);
    if (visit.point == "step.after_write") evidence.recorded.insert(visit.step);
  }
  return evidence;
}

/// A `sh` that notes its idempotency key in the ledger and goes on as the real one.
void make_witness(const fs::path& folder, const fs::path& ledger) {
  fs::create_directory(folder);
  std::ofstream(folder / "sh") << "#!/bin/sh\n[ -n \"$PAWL_KEY\" ] && echo \"$PAWL_KEY\" >> "
                               << quoted(ledger.string()) << "\nexec /bin/sh \"$@\"\n";
  ::chmod((folder / "sh").c_str(), 0755);
}

int run(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string told(const Evidence& evidence, const std::string& step, bool recorded) {
  const auto ran = evidence.bodies.find(step);
  if (ran == evidence.bodies.end()) return "-";
  std::string text = "ran";
  if (ran->second.front() > 1) text += " (attempt " + std::to_string(ran->second.front()) + ")";
  return text + (recorded ? ", recorded" : ", NOT recorded");
}

struct Demo {
  std::string pawl;
  std::string flow;
  fs::path place;
  json input;

  std::string command(const std::string& verb, const fs::path& trace,
                      const std::string& kill_at) const {
    return "PATH=" + quoted((place / "witness").string()) +
           ":\"$PATH\" PAWL_POINT_TRACE=" + quoted(trace.string()) +
           (kill_at.empty() ? "" : " PAWL_KILL_AT=" + quoted(kill_at)) + " " + quoted(pawl) + " " +
           verb + " --store " + quoted((place / "release.db").string());
  }

  std::string run_verb() const {
    return "run " + quoted(flow) + " --id demo --input " + quoted(input.dump());
  }
};

void print_table(const Evidence& before, const Evidence& after, const json& document) {
  std::vector<std::vector<std::string>> rows{
      {"STEP", "BEFORE THE KILL", "AFTER IT", "IDEMPOTENCY KEY", ""}};
  bool good = true;
  for (const auto& [step, state] : document["steps"].items()) {
    const bool recorded_before = before.recorded.count(step) > 0;
    const bool ran_before = before.bodies.count(step) > 0;
    const bool ran_after = after.bodies.count(step) > 0;
    std::set<std::string> keys;
    for (const Evidence* evidence : {&before, &after})
      if (const auto seen = evidence->keys.find(step); seen != evidence->keys.end())
        keys.insert(seen->second.begin(), seen->second.end());
    std::string remark;
    if (recorded_before)
      remark = ran_after ? "RAN AGAIN ALTHOUGH RECORDED" : "recorded: not run again";
    if (ran_before && !recorded_before)
      remark =
          keys.size() == 1 ? "in flight: run again under the same key" : "in flight: run again";
    good = good && !(recorded_before && ran_after) && keys.size() <= 1;
    rows.push_back({step, told(before, step, recorded_before), told(after, step, true),
                    keys.empty() ? "(no program)" : *keys.begin(), remark});
  }
  for (const std::string& line : pawl::tools::table(rows)) std::cout << "  " << line << '\n';
  if (!good) give_up("a recorded step ran again, or a key changed");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) give_up("usage: pawl_demo PAWL FLOW FOLDER");
  char pattern[] = "/tmp/pawl-demo-XXXXXX";
  const Demo demo{fs::absolute(argv[1]).string(), fs::absolute(argv[2]).string(),
                  ::mkdtemp(pattern),
                  json{{"dir", fs::absolute(argv[3]).lexically_normal().string()},
                       {"out", std::string(pattern) + "/dist"}}};
  const fs::path ledger = demo.place / "ledger.txt";
  make_witness(demo.place / "witness", ledger);

  std::cout << "1. A release of " << demo.input["dir"].get<std::string>()
            << " begins, and is killed with SIGKILL when\n"
            << "   the archive lies on the disk but nobody has recorded that it does: the worst "
               "moment.\n\n"
            << std::flush;
  const int first = run(
      demo.command(demo.run_verb(), demo.place / "before.trace", "step.after_body/archive/1/1"));
  if (first != 128 + 9) give_up("the kill did not land: exit code " + std::to_string(first));
  const Evidence before = read_evidence(ledger, demo.place / "before.trace");
  fs::rename(ledger, demo.place / "ledger-before.txt");

  std::cout << "\n2. Another process goes on with it.\n\n" << std::flush;
  if (run(demo.command("resume", demo.place / "after.trace", "")) != 0)
    give_up("the run did not succeed");
  const Evidence after = read_evidence(ledger, demo.place / "after.trace");

  if (run(demo.command("show demo --json", "/dev/null", "") + " > " +
          quoted((demo.place / "show.json").string())) != 0)
    give_up("the run cannot be shown");
  const json document = json::parse(file_text(demo.place / "show.json"));
  std::cout << "\n3. What the steps' own programs and the points of the protocol witnessed:\n\n";
  print_table(before, after, document);
  const json& output = document["output"];
  std::cout << "\n4. The result:\n\n  archive   " << output["archive"].get<std::string>()
            << "\n  sha256    " << output["sha256"].get<std::string>() << "  manifest  "
            << output["manifest"].get<std::string>() << "\n  store     "
            << (demo.place / "release.db").string() << "\n\nLook at the run yourself: " << demo.pawl
            << " show demo --store " << (demo.place / "release.db").string() << "\n";
}
