// Random flows, run by the real actors and the real store with crashes, must come to what the
// language's rules say.
#include <pawl/lab.hpp>

#include "lab/case_runner.hpp"
#include "lab/exploration_lock.hpp"
#include "runtime/part_name.hpp"
#include "support/catch.hpp"
#include "support/random_flow.hpp"

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

}  // namespace

TEST_CASE("random flows: after crashes a run comes to what the rules of the language say",
          "[lab]") {
  const lab::ExplorationLock lock;
  std::int64_t crashes = 0;
  for (std::uint64_t seed = 1; seed <= flows_wanted(); ++seed) {
    const auto random = std::make_shared<const RandomFlow>(seed);
    const Result<Flow> flow = parse_flow(random->flow.dump());
    REQUIRE(flow.has_value());
    lab::Chance chance(seed);
    lab::LabCase lab_case;
    for (std::uint64_t lives = 1 + chance.below(2); lives > 0; --lives) {
      lab::Life life;
      life.seed = chance.below(1000);
      life.crash = lab::Crash{static_cast<std::size_t>(chance.below(200)),
                              static_cast<lab::Loss>(chance.below(3)), chance.below(1000)};
      lab_case.lives.push_back(life);
    }
    CAPTURE(seed, random->flow.dump(), lab_case.text());
    const lab::CaseEnd end = lab::run_case(scenario_of(random, *flow), lab_case);
    crashes += end.crashes;
    for (const lab::Breach& breach : end.breaches) {
      CAPTURE(breach.invariant, breach.message);
      REQUIRE(end.breaches.empty());
    }
    const lab::Ending ending = lab::make_ending(end.view(), end.runs);
    const Outcome& outcome = ending.outcomes.at("r1");
    const Interpreter expected = random->interpret();
    const std::set<std::string> failing = expected.failing();
    CAPTURE(outcome);
    if (failing.empty()) {
      REQUIRE(outcome.state == RunState::succeeded);
      REQUIRE(without_child_errors(outcome.output) == without_child_errors(expected.output()));
    } else {
      REQUIRE(outcome.state == RunState::failed);
      REQUIRE(failing.count(part_name_from(outcome.error->step).step) == 1);
    }
  }
  CHECK(crashes > static_cast<std::int64_t>(flows_wanted() / 3));
}
