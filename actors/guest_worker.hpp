/// GuestWorker: lets a thread that is no worker's of the actor system run pawl's actors for a
/// moment.
#pragma once

#include "actors/worker_policy.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/message.hpp>

#include <functional>

namespace pawl {

/// A thread that wakes an actor and has nothing else to do may as well run it: to wake another
/// thread takes longer than the handlers of all that follows. As on a worker, the first of pawl's
/// actors that a handler wakes runs next; whatever else is woken, workers run.
///
/// Threads: one at a time; not a worker's.
/// Lifetime: longer than any actor's that ran on it, for those keep a pointer to it.
class GuestWorker final : public caf::execution_unit {
 public:
  explicit GuestWorker(caf::actor_system& system);

  /// Sends `message`, and runs whom that wakes, and those that are woken next.
  ///
  /// Given: `goes_on`, asked before each of them: if not, workers run the rest.
  void send_and_run(const caf::strong_actor_ptr& to, caf::message message,
                    const std::function<bool()>& goes_on);

  void exec_later(caf::resumable* job) override;

 private:
  void run(caf::resumable* job);

  WorkerPolicy::worker_data data_;
};

}  // namespace pawl
