#include "lab/world_steps.hpp"

#include <pawl/step_actor.hpp>

#include "lab/course.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <exception>
#include <utility>

namespace pawl::lab {

namespace {

StepResult nobody_hears() {
  return retry("the process is dead");
}

/// Stands before the engine's, and dies with the process.
class WatchedSink final : public ProgressSink {
 public:
  WatchedSink(const StepCall& call, StepWorld& world, bool is_function)
      : sink_(call.progress_sink), world_(world), is_function_(is_function) {
    who_.run = call.run;
    who_.step = call.step;
    who_.attempt = call.attempt;
  }

  void report(const json& value) override {
    const bool lives = !world_.dead() && world_.begin_report(who_, value);
    if (!lives && is_function_) throw ProcessDied{};
    if (!lives) return;
    sink_->report(value);
    if (is_function_) world_.end_report();
  }

 private:
  const std::shared_ptr<ProgressSink> sink_;
  StepWorld& world_;
  const bool is_function_;
  StepCall who_;
};

StepCall watched_call(const StepCall& call, StepWorld& world, bool is_function) {
  StepCall watched = call;
  watched.progress_sink = std::make_shared<WatchedSink>(call, world, is_function);
  return watched;
}

StepResult call_watched(const std::string& type, const StepBody::Function& body,
                        const StepCall& call, StepWorld& world) {
  if (world.dead()) return nobody_hears();
  if (world.fails_before(call)) return retry("the lab made this attempt fail before its body");
  const bool late = world.take_time();
  if (world.dead() || !world.begin_body(type, call, late)) return nobody_hears();
  StepResult result;
  try {
    result = body(watched_call(call, world, true));
  } catch (const ProcessDied&) {
    world.end_body(call, nobody_hears());
    return nobody_hears();
  } catch (const std::exception& thrown) {
    result = unclear(std::string("threw: ") + thrown.what());
  } catch (...) {
    result = unclear("threw something that is no std::exception");
  }
  world.end_body(call, result);
  if (world.dead()) return nobody_hears();
  world.take_time();
  if (result.kind == StepResult::Kind::done && world.loses_answer(call))
    return unclear("the lab lost this attempt's answer");
  return result;
}

struct WatcherState {
  StepActor watched;
  static inline const char* name = "watcher";
};

/// Stands before a user's actor and passes calls on.
StepActor::behavior_type watcher(StepActor::stateful_pointer<WatcherState> self, StepActor watched,
                                 StepWorld* world) {
  self->state.watched = watched;
  self->set_exit_handler([self](caf::exit_msg& exit) {
    self->send_exit(self->state.watched, exit.reason);
    self->quit(std::move(exit.reason));
  });
  self->monitor(watched);
  self->set_down_handler([self](caf::down_msg& down) { self->quit(std::move(down.reason)); });
  return {[self, world](const StepCallPtr& call) -> caf::result<StepResult> {
    auto promise = self->make_response_promise<StepResult>();
    if (world->dead() || world->fails_before(*call) || !world->begin_actor(*call)) {
      promise.deliver(nobody_hears());
      return promise;
    }
    const StepCallPtr watched_one =
        std::make_shared<const StepCall>(watched_call(*call, *world, false));
    self->request(self->state.watched, caf::infinite, watched_one)
        .then(
            [=](const StepResult& result) mutable {
              world->end_body(*call, result);
              const bool lost = result.kind == StepResult::Kind::done && world->loses_answer(*call);
              promise.deliver(lost ? unclear("the lab lost this attempt's answer") : result);
            },
            [=](const caf::error& error) mutable { promise.deliver(error); });
    return promise;
  }};
}

}  // namespace

Steps wrap_steps(const Steps& steps, StepWorld& world) {
  Steps wrapped;
  for (const auto& [type, body] : steps.bodies()) {
    const StepTypeInfo& info = steps.types().at(type);
    if (const auto* function = body.function()) {
      wrapped.add(
          type,
          [name = type, body = *function, &world](const StepCall& call) {
            return call_watched(name, body, call, world);
          },
          info);
      continue;
    }
    const auto factory = body.actor_factory();
    wrapped.add(type, step_actor([factory, &world](caf::actor_system& system) {
                  return system.spawn(watcher, (*factory)(system), &world);
                }),
                info);
  }
  return wrapped;
}

}  // namespace pawl::lab
