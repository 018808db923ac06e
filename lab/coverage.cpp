#include "lab/coverage.hpp"

#include <pawl/point.hpp>

#include "lab/case_runner.hpp"
#include "lab/own_steps_check.hpp"
#include "lab/run_plan.hpp"
#include "runtime/plan.hpp"

#include <algorithm>
#include <string_view>

namespace pawl::lab {

namespace {

/// The tasks that some run of the undisturbed course must have performed; none where a run of it
/// fails, for nobody can say then which steps could have begun.
std::vector<std::string> performed_tasks(const Scenario& scenario, const Options& options,
                                         const std::vector<StoredRun>& runs) {
  const auto succeeded = [](const StoredRun& run) { return run.row.state == RunState::succeeded; };
  const bool all_there =
      std::all_of(scenario.runs.begin(), scenario.runs.end(), [&](const RunToStart& to_start) {
        return std::any_of(runs.begin(), runs.end(),
                           [&](const StoredRun& run) { return run.row.run == to_start.id; });
      });
  if (!is_calm(options.course) || !all_there || !std::all_of(runs.begin(), runs.end(), succeeded))
    return {};
  const Plan& plan = *scenario.flow.plan();
  std::map<std::string, std::size_t> excluded;  // by how many runs, or given a default
  for (const StoredRun& run : runs) {
    if (plan_of_run(scenario, run.row.run) != &plan) continue;  // a child's
    for (const std::string& step : excluded_steps(plan, run)) ++excluded[step];
    for (const Record& record : run.records)
      if (record.kind == RecordKind::output && record.attempt == 0) ++excluded[record.step];
  }
  std::vector<std::string> tasks;
  for (const auto& [name, place] : plan.index)
    if (plan.steps[place].kind == StepKind::task && excluded[name] < scenario.runs.size())
      tasks.push_back(name);
  return tasks;
}

bool has_children(const Scenario& scenario) {
  const auto& steps = scenario.flow.plan()->steps;
  return std::any_of(steps.begin(), steps.end(),
                     [](const PlannedStep& step) { return work_of(step).child != nullptr; });
}

}  // namespace

std::vector<std::string> points_missed(const Scenario& scenario, const Options& options,
                                       const std::map<std::string, std::int64_t>& reached,
                                       const std::vector<StoredRun>& runs) {
  const std::vector<std::string> tasks = performed_tasks(scenario, options, runs);
  const bool crashes = !options.losses.empty() && options.positions;
  std::vector<std::string> missed;
  const auto demand = [&](const std::string& point) {
    if (reached.count(point) == 0) missed.push_back(point);
  };
  // Where each run waits for a person, none ends.
  const bool ends = std::any_of(runs.begin(), runs.end(),
                                [](const StoredRun& run) { return is_ended(run.row.state); });
  for (const std::string_view point : protocol_points()) {
    const std::string name(point);
    if (!ends && (point == "run.before_end" || point == "run.after_end")) continue;
    const bool of_failures = point == "step.after_failure" || point == "run.on_failure";
    const bool of_recovery = point.substr(0, 9) == "recovery.";
    const bool of_steps = point.substr(0, 5) == "step." || point == "run.before_dispatch" ||
                          point == "run.on_completion";
    const bool of_lost = point == "recovery.before_lost" || point == "recovery.after_lost";
    if (of_failures) {
      if (options.schedules >= 20 && options.steps_fail && !tasks.empty()) demand(name);
    } else if (of_recovery) {
      if (crashes && (!of_lost || !tasks.empty())) demand(name);
    } else if (of_steps) {
      for (const std::string& task : tasks) demand(name + " " + task);
    } else if (point.substr(0, 6) != "child." || (!tasks.empty() && has_children(scenario))) {
      demand(name);
    }
  }
  return missed;
}

}  // namespace pawl::lab
