// The real command, killed by a real SIGKILL at every point of the protocol that a run passes, and
// started again.
#include <pawl/json.hpp>
#include <pawl/kill_points.hpp>

#include "crash/ledger.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string_view>
#include <vector>

using namespace pawl;
using lab::PointVisit;

namespace {

/// Five steps: a fork, one of whose sides is a child's, a join, and a step whose first attempt
/// fails. Each leaves its key in the ledger.
const std::string five_steps = R"({"flow": "five", "steps": {
  "a": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> ledger; echo A"]}},
  "b": {"run": "shell", "after": ["a"], "retry": {"initial_ms": 1},
        "with": {"argv": ["sh", "-c", "if [ ! -e tried ]; then : > tried; exit 1; fi; echo $PAWL_KEY >> ledger; echo B"]}},
  "c": {"after": ["a"], "child": {"flow": "inner", "output": "{{steps.c.output}}", "steps": {
        "c": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> ledger; echo C"]}}}}},
  "d": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> ledger; printf %s%s \"$1\" \"$2\"", "d",
        "{{steps.b.output.stdout}}", "{{steps.c.output.stdout}}"]}},
  "e": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> ledger; cat"], "stdin": "{{steps.d.output.stdout}}"}}},
  "output": "{{steps.e.output.stdout}}"})";
const std::vector<std::string> step_names{"a", "b", "c", "d", "e"};

std::string key_of(const std::string& step) {
  return (step == "c" ? "r1.c/" : "r1/") + step;
}

/// One run in a folder of its own.
struct Scene {
  Scene() { std::ofstream(folder / "five.json") << five_steps; }

  ProcessEnd pawl(const std::string& trace, const std::string& kill_at = {}) {
    Process::Environment environment{{"PAWL_POINT_TRACE", folder / trace}};
    if (!kill_at.empty()) environment["PAWL_KILL_AT"] = kill_at;
    return run_process({PAWL_COMMAND, "run", "five.json", "--id", "r1"}, folder.path(),
                       environment);
  }

  std::vector<PointVisit> visits(const std::string& trace) const {
    return lab::read_point_trace(folder / trace).value();
  }

  /// Steps whose completion somebody was told of.
  std::set<std::string> completed(const std::string& trace) const {
    std::set<std::string> steps;
    for (const PointVisit& visit : visits(trace))
      if (visit.point == "step.after_completion") steps.insert(visit.step);
    return steps;
  }

  Ledger ledger() const { return Ledger(folder / "ledger"); }

  TempFolder folder;
};

/// What must hold after a last, undisturbed start.
void check_end(Scene& scene, const ProcessEnd& last, const std::string& output, int kills) {
  CHECK(last.code == 0);
  CHECK(last.out == output);
  const Ledger ledger = scene.ledger();
  std::set<std::string> expected_keys;
  for (const std::string& step : step_names) {
    CAPTURE(step);
    expected_keys.insert(key_of(step));
    CHECK(ledger.count(key_of(step)) >= 1);
    CHECK(ledger.count(key_of(step)) <= 1 + kills);
  }
  CHECK(ledger.keys() == expected_keys);
  CHECK(run_process({PAWL_COMMAND, "verify"}, scene.folder.path()).code == 0);
}

bool is_of_recovery(std::string_view point) {
  return point.substr(0, 9) == "recovery.";
}

/// Every visit of an undisturbed run, once.
std::set<PointVisit> record_visits(std::string& output) {
  Scene scene;
  const ProcessEnd end = scene.pawl("trace");
  REQUIRE(end.code == 0);
  output = end.out;
  const std::vector<PointVisit> visits = scene.visits("trace");
  return std::set<PointVisit>(visits.begin(), visits.end());
}

}  // namespace

TEST_CASE("crash: SIGKILL at every point that a run passes, and the run comes to the same end",
          "[crash]") {
  std::string output;
  const std::set<PointVisit> visits = record_visits(output);
  CHECK(output == "\"B\\nC\\n\"\n");
  int landed = 0;
  for (const PointVisit& visit : visits) {
    CAPTURE(visit.text());
    Scene scene;
    const ProcessEnd killed = scene.pawl("before", visit.text());
    REQUIRE(killed.killed());
    REQUIRE(scene.visits("before").back() == visit);
    ++landed;
    const Ledger before = scene.ledger();
    const std::set<std::string> completed = scene.completed("before");
    check_end(scene, scene.pawl("after"), output, 1);
    for (const std::string& step : completed) {
      CAPTURE(step);
      CHECK(scene.ledger().count(key_of(step)) == before.count(key_of(step)));
    }
  }
  // Which points a run passes is known: were one missing, its cases would be missing unseen.
  std::set<std::string> points;
  for (const PointVisit& visit : visits) points.insert(visit.point);
  std::set<std::string> expected;
  for (const std::string_view point : protocol_points())
    if (!is_of_recovery(point)) expected.emplace(point);
  CHECK(points == expected);
  std::cout << "killed at each of " << visits.size() << " visits of " << points.size()
            << " points by a flow of " << step_names.size() << " steps; " << landed
            << " kills landed where they were aimed\n";
}

TEST_CASE("crash: SIGKILL in a recovery, after SIGKILL in the run", "[crash]") {
  std::string output;
  const std::set<PointVisit> recorded = record_visits(output);
  const std::vector<PointVisit> visits(recorded.begin(), recorded.end());
  int landed = 0;
  std::set<std::string> points;
  std::map<PointVisit, std::vector<PointVisit>>
      firsts_before;  // by visit of a recovery's own point
  const auto kill_twice = [&](const PointVisit& first, const PointVisit& second) {
    CAPTURE(first.text(), second.text());
    Scene scene;
    REQUIRE(scene.pawl("before", first.text()).killed());
    const ProcessEnd killed = scene.pawl("after", second.text());
    // With threads, a recovery does not pass exactly the same points each time.
    if (!killed.killed()) {
      CHECK(killed.code == 0);
      return false;
    }
    REQUIRE(scene.visits("after").back() == second);
    ++landed;
    points.insert(second.point);
    check_end(scene, scene.pawl("last"), output, 2);
    return true;
  };
  for (std::size_t i = 0; i < visits.size(); ++i) {
    // What the recovery from this kill passes is seen first, on a folder of its own.
    Scene rehearsal;
    REQUIRE(rehearsal.pawl("before", visits[i].text()).killed());
    REQUIRE(rehearsal.pawl("after").code == 0);
    const std::vector<PointVisit> recovery = rehearsal.visits("after");
    // A run that was not acknowledged, or had ended, is not recovered.
    if (recovery.empty()) continue;
    for (const PointVisit& visit : recovery)
      if (is_of_recovery(visit.point)) firsts_before[visit].push_back(visits[i]);
    // One of them for each first kill...
    kill_twice(visits[i], recovery[i * 7 % recovery.size()]);
  }
  CHECK(landed > static_cast<int>(visits.size()) / 2);
  const int sampled = landed;
  // ...and of the points that only a recovery passes, every visit that there was.
  std::set<std::string> recovery_points;
  for (const auto& [visit, firsts] : firsts_before) {
    CAPTURE(visit.text());
    const bool was_killed =
        std::any_of(firsts.begin(), firsts.end(),
                    [&, at = visit](const PointVisit& first) { return kill_twice(first, at); });
    CHECK(was_killed);
    recovery_points.insert(visit.point);
  }
  std::set<std::string> expected;
  for (const std::string_view point : protocol_points())
    if (is_of_recovery(point)) expected.emplace(point);
  CHECK(recovery_points == expected);
  std::cout << sampled << " second kills landed, at " << points.size() << " points, and "
            << landed - sampled << " more at each of " << firsts_before.size() << " visits of "
            << recovery_points.size() << " points of recovery\n";
}
