/// Steps as CAF actors: for steps that wait a lot and should not hold a thread. The one public
/// header with CAF in it.
#pragma once

#include <pawl/step.hpp>
#include <pawl/steps.hpp>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace pawl {

/// A call that an actor may keep until it answers.
using StepCallPtr = std::shared_ptr<const StepCall>;

}  // namespace pawl

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::StepCallPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::StepResult)

namespace pawl {

/// A step actor answers each call once, when it likes: at once, or through a response promise. It
/// gets calls of many runs, several at a time. It sees neither store nor coordinator, so it cannot
/// complete a step before its output is durable.
///
/// Errors: an answer that is a caf::error, an exception, or the actor's death before it has
///         answered is an attempt that failed. A promise that a living actor drops is an attempt
///         that times out, if it has a timeout.
using StepActor = caf::typed_actor<caf::replies_to<StepCallPtr>::with<StepResult>>;

/// Makes the actor behind a step type: when the engine opens, and again after it died.
class StepActorFactory {
 public:
  using Function = std::function<StepActor(caf::actor_system&)>;

  explicit StepActorFactory(Function function) : function_(std::move(function)) {}

  StepActor operator()(caf::actor_system& system) const { return function_(system); }

 private:
  Function function_;
};

/// A step body whose calls go to the actor that `factory` spawns.
///
/// Given: `factory` spawns an ordinary actor: no `detached`, no blocking one, so that the lab can
/// schedule it. (Under UBSan give a function actor an argument: without one CAF 0.17.6 binds a null
/// reference.)
inline StepBody step_actor(StepActorFactory::Function factory) {
  return StepBody(std::make_shared<const StepActorFactory>(std::move(factory)));
}

}  // namespace pawl
