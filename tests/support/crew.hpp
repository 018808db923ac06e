// Actors that do what they are sent, on real threads.
#pragma once

#include "actors/worker_policy.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace pawl {

/// What an actor of a crew is sent: something to do, in its handler.
using Work = std::shared_ptr<const std::function<void(caf::event_based_actor&)>>;

}  // namespace pawl

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Work)

namespace pawl {

/// One of pawl's own, by its name.
struct Own {
  static inline const char* name = "pawl.test";
};

struct Foreign {
  static inline const char* name = "test";
};

inline Work work(std::function<void(caf::event_based_actor&)> what) {
  return std::make_shared<const std::function<void(caf::event_based_actor&)>>(std::move(what));
}

/// Given: anything, for CAF 0.17.6 binds a reference to null for an actor without arguments.
template <class State>
caf::behavior worker(caf::stateful_actor<State>* self, int) {
  return {[self](const Work& work) { (*work)(*self); }};
}

class Crew {
 public:
  explicit Crew(std::size_t threads) : config_(threads), system_(config_) {}

  caf::actor_system& system() { return system_; }

  /// It is in nobody's queue until it is sent something.
  template <class State>
  caf::actor spawn() {
    return system_.spawn<caf::lazy_init>(worker<State>, 0);
  }

 private:
  struct Config : caf::actor_system_config {
    explicit Config(std::size_t threads) { WorkerPolicy::set_up(*this, threads); }
  };

  Config config_;
  caf::actor_system system_;
};

}  // namespace pawl
