// Two worlds, one scenario: the lab's process and a real one die at the same point, and come to the
// same end.
#include <pawl/kill_points.hpp>
#include <pawl/lab.hpp>
#include <pawl/mock_steps.hpp>
#include <pawl/run_document.hpp>

#include "lab/case_runner.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <fstream>
#include <iostream>
#include <map>
#include <set>

using namespace pawl;

namespace {

const std::string flow_text = R"({"flow": "two_worlds", "steps": {
  "a": {"run": "echo", "with": {"n": 1}},
  "b": {"run": "echo", "with": {"a": "{{steps.a.output.n}}"}},
  "c": {"run": "echo", "with": {"a": "{{steps.a.output.n}}"}},
  "d": {"run": "echo", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}}}})";

/// What both worlds must agree on: the run's end, and how the attempts of the step in question
/// ended.
std::string verdict(const json& document, const std::string& step) {
  std::string text = document["state"].get<std::string>() + " " + document["output"].dump();
  if (step.empty()) return text;
  for (const json& attempt : document["steps"][step]["attempts"])
    text += " " + attempt["end"].get<std::string>();
  return text;
}

std::string verdict_in_lab(const lab::Scenario& scenario, std::size_t position,
                           const std::string& step) {
  lab::LabCase lab_case;
  lab_case.lives.resize(1);
  lab_case.lives[0].crash = lab::Crash{position, lab::Loss::kill, 0};
  const lab::CaseEnd end = lab::run_case(scenario, lab_case);
  for (const lab::Breach& breach : end.breaches)
    FAIL_CHECK(breach.invariant << ": " << breach.message);
  REQUIRE(end.runs.size() == 1);
  return verdict(
      view_run(scenario.flow, "r1", json::object(), end.runs[0].records).value().document, step);
}

std::string verdict_in_reality(const lab::PointVisit& visit) {
  const TempFolder folder;
  std::ofstream(folder / "flow.json") << flow_text;
  const std::vector<std::string> run{PAWL_COMMAND, "run", "flow.json", "--id", "r1", "--json"};
  const ProcessEnd killed = run_process(run, folder.path(), {{"PAWL_KILL_AT", visit.text()}});
  CHECK(killed.killed());
  CHECK(run_process(run, folder.path()).code == 0);
  const ProcessEnd shown = run_process({PAWL_COMMAND, "show", "r1", "--json"}, folder.path());
  return verdict(json::parse(shown.out), visit.step);
}

}  // namespace

TEST_CASE("two worlds: the lab and a real process agree at every point", "[crash]") {
  const Flow flow = parse_flow(flow_text).value();
  const lab::Scenario scenario{
      flow, {{"r1"}}, [flow] {
        return lab::Outside{[flow] { return lab::mock_steps(flow).value(); }};
      }};
  const lab::LifeEnd undisturbed =
      lab::live_in(scenario, scenario.outside(), lab::Outlook{}, lab::Life{}, false);
  std::map<lab::PointVisit, std::size_t> visits;  // to the position at which it happens
  std::map<lab::PointVisit, int> hits;
  const auto& entries = undisturbed.course.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind != lab::Entry::Kind::mark) continue;
    const lab::HistoryEvent& event = undisturbed.course.history()[entries[i].event];
    if (event.what != lab::Happened::point) continue;
    lab::PointVisit visit{event.text, event.step, event.attempt, 1};
    visit.hit = ++hits[visit];
    // A real process dies within the point: everything up to it has happened, and the point too.
    visits.emplace(visit, i + 1);
  }
  REQUIRE(visits.size() > 50);
  for (const auto& [visit, position] : visits) {
    CAPTURE(visit.text());
    CHECK(verdict_in_lab(scenario, position, visit.step) == verdict_in_reality(visit));
  }
  std::cout << "both worlds agree at " << visits.size() << " points\n";
}
