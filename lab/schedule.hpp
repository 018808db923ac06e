/// Schedule: who is next. One seed, one course of events.
#pragma once

#include <pawl/lab_case.hpp>

#include "lab/chance.hpp"
#include "lab/course.hpp"
#include "lab/world_executor.hpp"

#include <caf/fwd.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <cstddef>
#include <cstdint>
#include <map>

namespace pawl::lab {

/// Lets one actor handle one message, or one job run, or one timer go off, at a time. With seed 0
/// in the order of arrival, with any other as its chance will have it. Time passes only when nobody
/// has anything to do, when all who have are stalled, or when the weather is bad.
///
/// Lifetime: everything that it is made of outlives it.
class Schedule {
 public:
  Schedule(caf::scheduler::test_coordinator& scheduler, WorldExecutor& executor, const Life& life,
           Chance& chance, Course& course)
      : scheduler_(scheduler), executor_(executor), life_(life), chance_(chance), course_(course) {}

  /// False when there is nothing to do.
  bool step();

  /// What happens to the actor whose turn it is, from within its turn. Nothing in a job's turn.
  void kill_current();
  void stall_current();
  /// Its message comes once more.
  void repeat_current();

  std::size_t events() const { return events_; }

  /// Names all choices made so far.
  std::uint64_t trace() const { return trace_; }

 private:
  std::size_t pick_one(std::size_t actors, std::size_t jobs);
  bool is_stalled(const caf::resumable* job) const;
  void run_actor(std::size_t pick);
  void kill_runner(const caf::local_actor& runner);  // perhaps
  void kill(const caf::local_actor& runner);
  bool all_are_stalled() const;
  void trigger_timer();

  void note(std::uint64_t what) { trace_ = Chance(trace_ ^ what).next(); }

  caf::scheduler::test_coordinator& scheduler_;
  WorldExecutor& executor_;
  const Life& life_;
  Chance& chance_;
  Course& course_;
  std::map<caf::actor_id, std::size_t> stalled_until_;  // by number of events
  caf::local_actor* current_ = nullptr;                 // whose turn it is
  std::size_t events_ = 0;
  std::uint64_t trace_ = 0;
  int killed_ = 0;
};

}  // namespace pawl::lab
