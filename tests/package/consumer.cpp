// Uses every public header, and runs a flow.
#include <pawl/assert.hpp>
#include <pawl/clock.hpp>
#include <pawl/control.hpp>
#include <pawl/digest.hpp>
#include <pawl/engine.hpp>
#include <pawl/error.hpp>
#include <pawl/executor.hpp>
#include <pawl/flow.hpp>
#include <pawl/flow_builder.hpp>
#include <pawl/flow_members.hpp>
#include <pawl/flow_steps.hpp>
#include <pawl/ids.hpp>
#include <pawl/in_doubt.hpp>
#include <pawl/json.hpp>
#include <pawl/kill_points.hpp>
#include <pawl/limits.hpp>
#include <pawl/memory_store.hpp>
#include <pawl/observer.hpp>
#include <pawl/point.hpp>
#include <pawl/record.hpp>
#include <pawl/retry_policy.hpp>
#include <pawl/run_document.hpp>
#include <pawl/run_state.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/step.hpp>
#include <pawl/step_actor.hpp>
#include <pawl/step_type.hpp>
#include <pawl/steps.hpp>
#include <pawl/store.hpp>
#include <pawl/verify.hpp>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto flow =
      pawl::parse_flow(R"({"flow": "f", "steps": {"a": {"run": "twice", "with": "{{input}}"}}})");
  if (flow) return 3;  // "with" must be an object
  const auto good =
      pawl::parse_flow(R"({"flow": "f", "steps": {"a": {"run": "twice", "with": {"n": 21}}}})");
  if (!good) return 4;
  auto engine = pawl::Engine::open(argv[1], {{"twice", [](const pawl::StepCall& call) {
                                                return pawl::done(2 * call.with.at("n").get<int>());
                                              }}});
  if (!engine) {
    std::cerr << engine.error() << '\n';
    return 5;
  }
  const auto run = engine->start(*good, "r1");
  return run && run->wait().output == pawl::json{{"a", 42}} ? 0 : 6;
}
