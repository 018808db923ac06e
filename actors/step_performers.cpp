#include "actors/step_performers.hpp"

#include "actors/worker_policy.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <utility>

namespace pawl {

StepPerformers::StepPerformers(caf::actor_system& system, std::shared_ptr<const Steps> steps)
    : system_(system), steps_(std::move(steps)) {
  for (const auto& [type, body] : steps_->bodies())
    if (body.function() == nullptr) performers_.emplace(type, spawn(*body.actor_factory()));
}

StepPerformers::Performer StepPerformers::spawn(const StepActorFactory& factory) {
  Performer performer{factory(system_), std::make_shared<std::atomic<bool>>(false)};
  const auto pointer = caf::actor_cast<caf::strong_actor_ptr>(performer.actor);
  pointer->get()->attach_functor([dead = performer.dead](const caf::error&) { *dead = true; });
  return performer;
}

StepActor StepPerformers::actor(const std::string& type) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = performers_.find(type);
  if (found == performers_.end()) return StepActor();
  if (*found->second.dead) {
    leave_to_others();  // the factory is the host's
    found->second = spawn(*steps_->bodies().at(type).actor_factory());
  }
  return found->second.actor;
}

void StepPerformers::stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [type, performer] : performers_)
    caf::anon_send_exit(performer.actor, caf::exit_reason::user_shutdown);
  performers_.clear();
}

}  // namespace pawl
