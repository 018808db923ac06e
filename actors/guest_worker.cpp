#include "actors/guest_worker.hpp"

#include <caf/message_id.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <utility>

namespace pawl {

namespace {

/// Two that wake each other without end do not keep the thread.
constexpr int in_a_row_max = 16;

}  // namespace

GuestWorker::GuestWorker(caf::actor_system& system)
    : caf::execution_unit(&system), data_(&system.scheduler()) {}

void GuestWorker::send_and_run(const caf::strong_actor_ptr& to, caf::message message,
                               const std::function<bool()>& goes_on) {
  const WorkerPolicy::OnThisThread here(data_);
  to->enqueue(nullptr, caf::make_message_id(), std::move(message), this);
  for (int i = 0; i < in_a_row_max && data_.kept != nullptr && goes_on(); ++i)
    run(std::exchange(data_.kept, nullptr));
  data_.release();
}

/// What CAF's workers do with a job.
void GuestWorker::run(caf::resumable* job) {
  switch (job->resume(this, data_.queue->max_throughput())) {
    case caf::resumable::done:
    case caf::resumable::awaiting_message: caf::intrusive_ptr_release(job); break;
    case caf::resumable::resume_later:
    case caf::resumable::shutdown_execution_unit: data_.queue->enqueue(job); break;
  }
}

void GuestWorker::exec_later(caf::resumable* job) {
  if (data_.kept == nullptr && WorkerPolicy::is_own(job))
    data_.kept = job;
  else
    data_.queue->enqueue(job);
}

}  // namespace pawl
