/// StepPerformers: what performs each step type, functions as they are, actors as they live now.
#pragma once

#include <pawl/step_actor.hpp>

#include <caf/actor_system.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace pawl {

/// Threads: any.
class StepPerformers {
 public:
  /// Spawns the step actors. `system` must outlive this.
  StepPerformers(caf::actor_system& system, std::shared_ptr<const Steps> steps);

  bool has(const std::string& type) const { return steps_->bodies().count(type) > 0; }

  /// The function of a type, which lives as long as `steps()`; null for a type of an actor.
  const StepBody::Function* function(const std::string& type) const {
    return steps_->bodies().at(type).function();
  }

  const std::shared_ptr<const Steps>& steps() const { return steps_; }

  /// The actor of a type, made anew if the last one has died; none after `stop`.
  StepActor actor(const std::string& type);

  /// Ends the step actors.
  void stop();

 private:
  struct Performer {
    StepActor actor;
    std::shared_ptr<std::atomic<bool>> dead;  // set when the actor ends, whoever outlives whom
  };

  Performer spawn(const StepActorFactory& factory);

  caf::actor_system& system_;
  std::shared_ptr<const Steps> steps_;
  std::mutex mutex_;
  std::map<std::string, Performer> performers_;
};

}  // namespace pawl
