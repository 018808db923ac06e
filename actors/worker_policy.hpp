/// WorkerPolicy: how the threads of an engine's actor system come by their work.
///
/// As with CAF's "sharing" there is one queue for all, and no thread polls. But the first actor
/// that a handler of pawl's own wakes, its thread keeps and runs next: a step's end passes through
/// four actors, and to wake another thread for each takes longer than all of their handlers.
/// Meanwhile the one that is kept hears nobody, whoever sends to it.
#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/policy/work_sharing.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <cstddef>
#include <utility>

namespace pawl {

/// The names of pawl's actors begin with this. Their handlers are short, or call `leave_to_others`.
/// Those of others may block without a word, so what they wake is left to all threads.
inline constexpr const char* own_actor_prefix = "pawl.";

/// To be called by a handler of pawl's that goes on for long, or blocks: what it has woken so far,
/// other threads run meanwhile. Threads: any; does nothing on those that are no worker's.
void leave_to_others();

class WorkerPolicy : public caf::policy::work_sharing {
 public:
  /// Lets the actor systems that `config` is for have `threads` threads that work by this policy.
  static void set_up(caf::actor_system_config& config, std::size_t threads);

  struct worker_data {
    explicit worker_data(caf::scheduler::abstract_coordinator* all) : queue(all) {}

    /// Leaves to all threads what this one has kept.
    void release();

    caf::scheduler::abstract_coordinator* queue;
    caf::resumable* kept = nullptr;  // with the reference that a queue would hold
    bool keeps = false;              // whether the actor that runs is pawl's
    std::size_t in_a_row = 0;        // kept ones, run while the queue may wait
  };

  /// While it lives, `leave_to_others` on this thread is about `data`.
  class OnThisThread {
   public:
    explicit OnThisThread(worker_data& data);
    ~OnThisThread();

    OnThisThread(const OnThisThread&) = delete;
    OnThisThread& operator=(const OnThisThread&) = delete;
  };

  /// Whether it is one of pawl's actors.
  static bool is_own(caf::resumable* job);

  template <class Worker>
  void internal_enqueue(Worker* self, caf::resumable* job) {
    worker_data& data = self->data();
    if (data.keeps && data.kept == nullptr)
      data.kept = job;
    else
      enqueue(self->parent(), job);
  }

  template <class Worker>
  caf::resumable* dequeue(Worker* self) {
    worker_data& data = self->data();
    if (data.in_a_row >= in_a_row_max) data.release();
    if (data.kept == nullptr) {
      data.in_a_row = 0;
      return caf::policy::work_sharing::dequeue(self);
    }
    ++data.in_a_row;
    return std::exchange(data.kept, nullptr);
  }

  template <class Worker>
  void before_resume(Worker* self, caf::resumable* job) {
    begin(self->data(), job);
  }

  template <class Worker>
  void before_shutdown(Worker* self) {
    self->data().release();
  }

 private:
  static constexpr std::size_t in_a_row_max = 64;

  static void begin(worker_data& data, caf::resumable* job);
};

}  // namespace pawl
