#include "lab/body_log.hpp"

#include <pawl/point.hpp>
#include <pawl/step_actor.hpp>

#include "lab/case_runner.hpp"
#include "lab/exploration_lock.hpp"
#include "lab/own_scenarios.hpp"
#include "support/catch.hpp"

#include <caf/typed_event_based_actor.hpp>

using namespace pawl;

namespace {

using Told = std::shared_ptr<std::vector<std::string>>;

/// Steps that tell all that they are called with, before and after points of their own.
lab::Outside telling(const Told& told) {
  return {[told] {
            auto memory = std::make_shared<int>(0);  // lost with the process
            return Steps{
                {"s", [told, memory](const StepCall& call) {
                   const auto tell = [&](const std::string& where) {
                     told->push_back(where + " " + call.key + " " + std::to_string(call.attempt) +
                                     " " + call.with.dump() + " " + std::to_string(++*memory) +
                                     (call.cancelled() ? " cancelled" : ""));
                   };
                   tell("begin");
                   point("mine");
                   tell("middle");
                   point("mine again");
                   tell("end");
                   return call.attempt == 1 && call.step == "b" ? retry("once more")
                                                                : done({{"from", call.step}});
                 }}};
          },
          nullptr};
}

lab::Scenario scenario_with(const Told& told) {
  return {parse_flow(R"({"flow": "f", "steps": {
            "a": {"run": "s"},
            "b": {"run": "s", "with": {"a": "{{steps.a.output.from}}"}, "retry": {"initial_ms": 5}},
            "c": {"run": "s"}}})")
              .value(),
          {{"r1"}, {"r2"}},
          [told] { return telling(told); }};
}

}  // namespace

TEST_CASE("body_log: what is repeated does to the world what the life had done, at every position",
          "[lab]") {
  const lab::ExplorationLock lock;
  const Told told = std::make_shared<std::vector<std::string>>();
  const lab::Scenario scenario = scenario_with(told);
  lab::Options options;
  options.cancels = true;
  std::size_t in_a_body = 0;
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u}) {
    lab::Life life = seed == 1 ? lab::Life{} : lab::random_case(scenario, seed, options).lives[0];
    life.crash.reset();
    const lab::Outside world = scenario.outside();
    const lab::LifeEnd whole = lab::live_in(scenario, world, {}, life, false);
    REQUIRE(whole.bodies->repeatable);
    for (std::size_t position = 0; position <= whole.course.entries().size(); ++position) {
      CAPTURE(seed, position);
      told->clear();
      life.crash = lab::Crash{position, lab::Loss::kill, 0};
      lab::live_in(scenario, world, {}, life, false);
      const std::vector<std::string> lived = std::exchange(*told, {});
      lab::repeat_bodies(*whole.bodies, world.steps(), position);
      REQUIRE(*told == lived);
      if (!lived.empty() && lived.back().substr(0, 3) != "end") ++in_a_body;
    }
  }
  CHECK(in_a_body > 40);
}

TEST_CASE("body_log: a life that called an actor says that it cannot be repeated", "[lab]") {
  const lab::ExplorationLock lock;
  const auto steps = [] {
    return Steps{{"s", step_actor([](caf::actor_system& system) {
                    // With an argument: CAF 0.17.6 refers to a null where there is none.
                    return system.spawn(
                        [](StepActor::pointer, int) -> StepActor::behavior_type {
                          return {[](const StepCallPtr&) { return done(1); }};
                        },
                        0);
                  })}};
  };
  const lab::Scenario scenario{
      parse_flow(R"({"flow": "f", "steps": {"a": {"run": "s"}}})").value(), {{"r1"}}, [steps] {
        return lab::Outside{steps, nullptr};
      }};
  const lab::LifeEnd whole = lab::live_in(scenario, scenario.outside(), {}, {}, false);
  CHECK(whole.clean);
  CHECK_FALSE(whole.bodies->repeatable);
}
