// crash-test and simulate: the lab, for flows without C++. Steps are mocked; no store of yours is
// touched.
#include <pawl/lab.hpp>
#include <pawl/limits.hpp>
#include <pawl/mock_steps.hpp>

#include "tools/commands.hpp"

#include <fstream>
#include <iterator>
#include <utility>

namespace pawl::tools {

namespace {

constexpr std::size_t file_bytes_max = 16u << 20;

/// JSON, or @FILE with JSON in it.
Result<json> read_json_argument(const std::string& text) {
  if (text.empty()) return json(json::object());
  if (text.front() != '@') return parse_json(text, file_bytes_max);
  std::ifstream file(text.substr(1), std::ios::binary);
  if (!file) return make_error(Errc::invalid_argument, "the file cannot be read", text.substr(1));
  Result<json> value =
      parse_json(std::string(std::istreambuf_iterator<char>(file), {}), file_bytes_max);
  if (value) return value;
  Error error = value.error();
  error.where = text.substr(1) + (error.where.empty() ? "" : ": " + error.where);
  return error;
}

Result<lab::Scenario> scenario_of(const LabArguments& arguments) {
  // Unknown step types are fine: nothing of them is performed.
  Result<Flow> flow = load_flow(arguments.flow);
  if (!flow) return flow.error();
  Result<json> input = read_json_argument(arguments.input);
  if (!input) return input.error();
  const Result<json> mocks = read_json_argument(arguments.mocks);
  if (!mocks) return mocks.error();
  Result<Steps> steps = lab::mock_steps(*flow, *mocks);
  if (!steps) return steps.error();
  lab::Scenario scenario{*flow, {}, [steps = *steps] {
                           return lab::Outside{[steps] { return steps; }, {}};
                         }};
  for (int i = 1; i <= arguments.runs; ++i)
    scenario.runs.push_back({"run-" + std::to_string(i), *input});
  return scenario;
}

json document_of(const lab::Report& report) {
  json violations = json::array();
  for (const lab::Violation& violation : report.violations)
    violations.push_back({{"invariant", violation.invariant},
                          {"message", violation.message},
                          {"replay", violation.lab_case.text()},
                          {"timeline", violation.timeline}});
  return json{{"holds", report.holds()},     {"cases", report.cases},
              {"situations", report.images}, {"lives", report.lives},
              {"crashes", report.crashes},   {"positions", report.positions},
              {"points", report.points},     {"missed", report.points_missed},
              {"left_out", report.left_out}, {"seconds", report.seconds},
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
