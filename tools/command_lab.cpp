// crash-test and simulate: the lab, for flows without C++. Steps are mocked; no store of yours is
// touched.
#include <pawl/lab.hpp>
#include <pawl/limits.hpp>
#include <pawl/mock_steps.hpp>

#include "tools/commands.hpp"
#include "tools/read_json.hpp"

#include <utility>

namespace pawl::tools {

namespace {

/// One signal for every step that awaits one: what is mocked under the step's name, else null.
void send_signals(lab::Scenario& scenario, const json& mocks) {
  for (const auto& run : scenario.runs)
    for (const AwaitedSignal& awaited : awaited_signals(scenario.flow, run.id))
      scenario.signals.push_back(
          {awaited.run, {awaited.signal, mocks.value(awaited.step, json()), "of-" + awaited.step}});
}

Result<lab::Scenario> scenario_of(const LabArguments& arguments) {
  // Unknown step types are fine: nothing of them is performed.
  Result<Flow> flow = load_flow(arguments.flow);
  if (!flow) return flow.error();
  Result<json> input = read_json_argument("--input", arguments.input);
  if (!input) return input.error();
  const Result<json> mocks = read_json_argument("--mock", arguments.mocks);
  if (!mocks) return mocks.error();
  Result<Steps> steps = lab::mock_steps(*flow, *mocks);
  if (!steps) return steps.error();
  lab::Scenario scenario{*flow, {}, [steps = *steps] {
                           return lab::Outside{[steps] { return steps; }, {}};
                         }};
  for (int i = 1; i <= arguments.runs; ++i)
    scenario.runs.push_back({"run-" + std::to_string(i), *input});
  send_signals(scenario, *mocks);
  return scenario;
}

json document_of(const lab::Report& report) {
  json violations = json::array();
  for (const lab::Violation& violation : report.violations)
    violations.push_back({{"invariant", violation.invariant},
                          {"message", violation.message},
                          {"replay", violation.lab_case.text()},
                          {"timeline", violation.timeline}});
  const lab::FaultCounts& faults = report.faults;
  return json{{"faults",
               {{"operations", faults.operations},
                {"cases", faults.cases},
                {"finished", faults.finished},
                {"refused", faults.refused},
                {"given_up", faults.given_up}}},
              {"holds", report.holds()},
              {"cases", report.cases},
              {"situations", report.images},
              {"lives", report.lives},
              {"crashes", report.crashes},
              {"positions", report.positions},
              {"points", report.points},
              {"missed", report.points_missed},
              {"left_out", report.left_out},
              {"seconds", report.seconds},
              {"violations", violations}};
}

ExitCode tell(Console& console, const lab::Report& report) {
  if (console.json_wanted())
    console.document(document_of(report));
  else
    console.data(report.text());
  return report.holds() ? ExitCode::succeeded : ExitCode::failed;
}

}  // namespace

ExitCode crash_test_command(const Settings& settings, const LabArguments& arguments) {
  Console console(settings);
  const Result<lab::Scenario> scenario = scenario_of(arguments);
  if (!scenario) return console.error(scenario.error());
  if (!arguments.replay.empty()) {
    const Result<lab::LabCase> lab_case = lab::LabCase::parse(arguments.replay);
    if (!lab_case) return console.error(lab_case.error());
    const lab::Report report = lab::replay(*scenario, *lab_case);
    if (report.holds() && !console.json_wanted())
      console.words(lab::timeline_of(*scenario, *lab_case));
    return tell(console, report);
  }
  lab::Options options;
  options.depth = arguments.depth;
  options.torn_images = arguments.torn_images;
  options.schedules = arguments.seeds;
  options.faults = arguments.faults;
  options.fault_recoveries = arguments.faults ? 4 : 0;
  options.seconds_max = arguments.seconds;
  options.disk_lies = arguments.disk_lies;
  options.history_file = arguments.history;
  return tell(console, lab::explore(*scenario, options));
}

ExitCode simulate_command(const Settings& settings, const LabArguments& arguments) {
  Console console(settings);
  const Result<lab::Scenario> scenario = scenario_of(arguments);
  if (!scenario) return console.error(scenario.error());
  lab::Options options;
  options.positions = false;
  options.schedules = arguments.seeds;
  options.first_seed = arguments.first_seed;
  options.seconds_max = arguments.seconds;
  options.disk_lies = arguments.disk_lies;
  options.demand_coverage = false;
  options.history_file = arguments.history;
  return tell(console, lab::explore(*scenario, options));
}

}  // namespace pawl::tools
