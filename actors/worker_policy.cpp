#include "actors/worker_policy.hpp"

#include <caf/local_actor.hpp>
#include <caf/scheduler/coordinator.hpp>

#include <cstring>

namespace pawl {

namespace {

constexpr std::size_t messages_in_a_row_max = 16;

/// That of the worker whose thread this is, or of the guest that works on it.
thread_local WorkerPolicy::worker_data* data_of_this_thread = nullptr;

}  // namespace

void leave_to_others() {
  if (data_of_this_thread != nullptr) data_of_this_thread->release();
}

WorkerPolicy::OnThisThread::OnThisThread(worker_data& data) {
  data_of_this_thread = &data;
}

WorkerPolicy::OnThisThread::~OnThisThread() {
  data_of_this_thread = nullptr;
}

bool WorkerPolicy::is_own(caf::resumable* job) {
  const auto* const actor = dynamic_cast<caf::local_actor*>(job);
  return actor != nullptr &&
         std::strncmp(actor->name(), own_actor_prefix, std::strlen(own_actor_prefix)) == 0;
}

void WorkerPolicy::set_up(caf::actor_system_config& config, std::size_t threads) {
  config.load<caf::scheduler::coordinator<WorkerPolicy>>();
  config.set("scheduler.max-threads", threads);
  // After so many messages an actor lets others run: what it has woken waits for no more of them.
  config.set("scheduler.max-throughput", messages_in_a_row_max);
}

void WorkerPolicy::worker_data::release() {
  if (kept == nullptr) return;
  queue->enqueue(kept);  // may throw, for it allocates: then it is still kept
  kept = nullptr;
}

void WorkerPolicy::begin(worker_data& data, caf::resumable* job) {
  data_of_this_thread = &data;
  data.keeps = is_own(job);
}

}  // namespace pawl
