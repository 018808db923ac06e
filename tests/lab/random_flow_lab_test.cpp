// Random flows, run by the real actors and the real store with crashes, must come to what the
// language's rules say.
#include <pawl/lab.hpp>

#include "lab/case_runner.hpp"
#include "lab/exploration_lock.hpp"
#include "lab/timeline.hpp"
#include "runtime/part_name.hpp"
#include "support/catch.hpp"
#include "support/flow_property.hpp"

#include <cstdlib>
#include <memory>

using namespace pawl;

namespace {

std::uint64_t flows_wanted() {
  const char* given = std::getenv("PAWL_RANDOM_FLOWS");
  return given == nullptr ? 300 : std::strtoull(given, nullptr, 10) / 10;
}

lab::Scenario scenario_of(const std::shared_ptr<const RandomFlow>& random, const Flow& flow) {
  lab::Scenario scenario{flow, {{"r1"}}, [random] {
                           return lab::Outside{[random] {
                             const auto answer = [random](const StepCall& call) {
                               const std::string below = call.run.substr(2);  // r1
                               return random->answer(
                                   below.empty() ? call.step : below + "/" + call.step,
                                   call.attempt);
                             };
                             return Steps{{"t", answer}, {"u", answer}};
                           }};
                         }};
  for (const Signal& signal : random->signals) scenario.signals.push_back({"r1", signal});
  return scenario;
}

/// What a run with crashes makes of a flow and the rules do not, if anything.
std::string difference(const RandomFlow& flow_of, std::int64_t& crashes) {
  const auto random = std::make_shared<const RandomFlow>(flow_of);
  const Result<Flow> flow = parse_flow(random->flow.dump());
  if (!flow) return flow.error().problems.at(0).code == "may_be_excluded" ? "" : "it is refused";
  lab::Chance chance(random->seed());
  lab::LabCase lab_case;
  for (std::uint64_t lives = 1 + chance.below(2); lives > 0; --lives) {
    lab::Life life;
    life.seed = chance.below(1000);
    life.crash = lab::Crash{static_cast<std::size_t>(chance.below(200)),
                            static_cast<lab::Loss>(chance.below(3)), chance.below(1000)};
    if (chance.below(4) == 0) life.weather.pauses = 30;
    lab_case.lives.push_back(life);
  }
  const lab::CaseEnd end = lab::run_case(scenario_of(random, *flow), lab_case);
  crashes += end.crashes;
  for (const lab::Breach& breach : end.breaches)
    return lab_case.text() + ": " + breach.invariant + ": " + breach.message + "\n" +
           lab::timeline(end.view());
  const lab::Ending ending = lab::make_ending(end.view(), end.runs);
  const Outcome& outcome = ending.outcomes.at("r1");
  const std::string told = lab_case.text() + ": " + to_json_value(outcome).dump();
  const Interpreter expected = random->interpret();
  const std::set<std::string> failing = expected.failing();
  if (failing.empty()) {
    if (outcome.state != RunState::succeeded) return "it should succeed: " + told;
    if (without_child_errors(outcome.output) != without_child_errors(expected.output()))
      return "the output should be " + expected.output().dump() + ": " + told;
    return "";
  }
  if (outcome.state != RunState::failed ||
      failing.count(part_name_from(outcome.error->step).step) == 0)
    return "another step should fail: " + told;
  return "";
}

}  // namespace

TEST_CASE("random flows: after crashes a run comes to what the rules of the language say",
          "[lab]") {
  const lab::ExplorationLock lock;
  std::int64_t crashes = 0;
  CHECK(holds_for_flows(flows_wanted(),
                        [&](const RandomFlow& random) { return difference(random, crashes); }));
  CHECK(crashes > static_cast<std::int64_t>(flows_wanted() / 3));
}
