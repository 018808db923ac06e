#include <pawl/step_audit.hpp>

#include "lab/case_runner.hpp"
#include "lab/exploration_lock.hpp"
#include "runtime/part_name.hpp"
#include "runtime/plan.hpp"

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace pawl::lab {

namespace {

class Audit {
 public:
  Audit(const Flow& flow, const json& input, const std::function<ObservedWorld()>& make,
        int grace_ms)
      : scenario_{flow, {{"run-1", input}}, {}}, make_(make), grace_ms_(grace_ms) {}

  std::vector<StepFinding> run() {
    const Undisturbed undisturbed = live_undisturbed();
    if (!undisturbed.succeeded) {
      find("", "does_not_succeed", "the flow does not succeed even when nothing goes wrong");
      return std::move(findings_);
    }
    // The steps, and what else was called: elements of maps.
    std::set<std::string> parts;
    for (const auto& [step, place] : scenario_.flow.plan()->index) parts.insert(step);
    for (const auto& [part, input] : inputs_) parts.insert(part);
    for (const std::string& step : parts) {
      repeat(step, undisturbed);
      cancel(step);
    }
    return std::move(findings_);
  }

 private:
  struct Undisturbed {
    json world;
    std::map<std::string, std::size_t>
        after_body;  // by step: the position at which its body has run
    std::map<std::string, Digest> outputs;
    bool succeeded = false;
  };

  void find(const std::string& step, const char* what, std::string message) {
    findings_.push_back({step, what, std::move(message)});
  }

  Outside outside_of(const ObservedWorld& world) const { return Outside{world.steps, {}}; }

  Undisturbed live_undisturbed() {
    const ObservedWorld world = make_();
    Outside outside = outside_of(world);
    outside.steps = [this, steps = world.steps] { return noting_inputs(steps()); };
    const LifeEnd end = live_in(scenario_, outside, Outlook{}, Life{}, false);
    Undisturbed found;
    found.world = world.observe();
    const auto& entries = end.course.entries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].kind != Entry::Kind::mark) continue;
      const HistoryEvent& event = end.course.history()[entries[i].event];
      if (event.what == Happened::body_ended) {
        found.after_body.emplace(event.step, i + 1);
        found.outputs[event.step] = event.digest;
      }
      if (event.what == Happened::end_told) found.succeeded = event.text == "succeeded";
    }
    return found;
  }

  /// Takes note of what each step is called with.
  Steps noting_inputs(const Steps& steps) {
    Steps noting;
    for (const auto& [type, body] : steps.bodies()) {
      if (const auto* function = body.function())
        noting.add(type, [this, body = *function](const StepCall& call) {
          inputs_[call.step] = call.with;
          return body(call);
        });
      else
        noting.add(type, body);
    }
    return noting;
  }

  void repeat(const std::string& step, const Undisturbed& undisturbed) {
    const auto position = undisturbed.after_body.find(step);
    if (position == undisturbed.after_body.end()) return;
    const PlannedStep* const planned = definition_of(*scenario_.flow.plan(), part_name_from(step));
    if (planned != nullptr && planned->at_most_once) return;  // it is not repeated
    const ObservedWorld world = make_();
    Life life;
    life.crash = Crash{position->second, Loss::kill, 0};
    const LifeEnd first = live_in(scenario_, outside_of(world), Outlook{}, life, false);
    const LifeEnd second =
        live_in(scenario_, outside_of(world), outlook_after(Outlook{}, first, life), Life{}, false);
    const json after = world.observe();
    if (after != undisturbed.world)
      find(step, "not_repeatable",
           "it ran, the process died, it ran again under the same key, and left " + after.dump() +
               " instead of " + undisturbed.world.dump() + "; hand call.key to what it changes");
    for (const HistoryEvent& event : second.course.history())
      if (event.what == Happened::body_ended && event.step == step && event.text == "done" &&
          event.digest != undisturbed.outputs.at(step)) {
        find(step, "differs", "its second attempt gave another output than its first");
        break;
      }
  }

  void cancel(const std::string& step) {
    const ObservedWorld world = make_();
    const Steps steps = world.steps();
    const PlannedStep* const planned = definition_of(*scenario_.flow.plan(), part_name_from(step));
    if (planned == nullptr || planned->kind != StepKind::task) return;
    const auto body = steps.bodies().find(planned->type);
    if (body == steps.bodies().end() || body->second.function() == nullptr) return;

    struct Shared {
      std::mutex mutex;
      std::condition_variable changed;
      bool returned = false;
    };

    const auto shared = std::make_shared<Shared>();
    StepCall call;
    call.run = "run-1";
    call.step = step;
    call.key = "run-1/" + step;
    call.with = inputs_.count(step) > 0 ? inputs_.at(step) : json::object();
    call.folder = "/lab";
    const auto cancellation = std::make_shared<Cancellation>();
    cancellation->set(Cancellation::Reason::cancelled);
    call.cancellation = cancellation;
    std::thread([shared, function = *body->second.function(), call, world] {
      try {
        function(call);
      } catch (...) {  // it stopped: that is all that is asked
      }
      const std::lock_guard<std::mutex> lock(shared->mutex);
      shared->returned = true;
      shared->changed.notify_all();
    }).detach();
    std::unique_lock<std::mutex> lock(shared->mutex);
    if (!shared->changed.wait_for(lock, std::chrono::milliseconds(grace_ms_),
                                  [&] { return shared->returned; }))
      find(step, "ignores_cancellation",
           "it went on for more than " + std::to_string(grace_ms_) +
               " ms although call.cancelled() was true");
  }

  Scenario scenario_;
  const std::function<ObservedWorld()>& make_;
  int grace_ms_;
  std::map<std::string, json> inputs_;
  std::vector<StepFinding> findings_;
};

}  // namespace

std::vector<StepFinding> audit_steps(const Flow& flow, const json& input,
                                     const std::function<ObservedWorld()>& make, int grace_ms) {
  const ExplorationLock lock;
  return Audit(flow, input, make, grace_ms).run();
}

}  // namespace pawl::lab
