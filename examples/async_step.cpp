// A step as a CAF actor: a hundred runs wait for a slow answer at once, and no thread waits with
// them.
#include <pawl/engine.hpp>
#include <pawl/step_actor.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <vector>

// Asks a service that takes its time: here the answer is a delayed message to itself.
using Translator = pawl::StepActor::extend<caf::reacts_to<pawl::StepCallPtr, int>>;

Translator::behavior_type translator(Translator::pointer self) {
  using Promise = caf::typed_response_promise<pawl::StepResult>;
  const auto waiting = std::make_shared<std::map<std::string, Promise>>();  // by idempotency key
  return {
      [self, waiting](const pawl::StepCallPtr& call) -> caf::result<pawl::StepResult> {
        self->delayed_send(self, std::chrono::milliseconds(200), call, 0);
        return waiting->insert_or_assign(call->key, self->make_response_promise<pawl::StepResult>())
            .first->second;
      },
      [waiting](const pawl::StepCallPtr& call, int) {
        const auto found = waiting->find(call->key);
        if (found == waiting->end()) return;
        found->second.deliver(pawl::done("<" + call->with.at("text").get<std::string>() + ">"));
        waiting->erase(found);
      },
  };
}

int main() {
  const auto flow = pawl::parse_flow(R"({
    "flow": "translate",
    "steps": {"ask": {"run": "translate", "with": {"text": "{{input.text}}"}, "timeout_ms": 5000}}
  })");
  const auto spawn = [](caf::actor_system& system) -> pawl::StepActor {
    return system.spawn(translator);
  };
  auto engine =
      pawl::Engine::open("translate.db", {{"translate", pawl::step_actor(spawn)}}).value();
  std::vector<pawl::Run> runs;
  for (int i = 0; i < 100; ++i)
    runs.push_back(
        engine.submit(flow.value(), "text-" + std::to_string(i), {{"text", std::to_string(i)}}));
  for (const pawl::Run& run : runs)
    if (!run.wait().succeeded()) return 1;
  std::cout << runs.size() << " runs, the last says " << runs.back().wait().output << '\n';
}
