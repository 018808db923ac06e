/// The step runner: one attempt at a time: perform, write, and only then complete.
#pragma once

#include "actors/alarm.hpp"
#include "actors/answer_gate.hpp"
#include "actors/messages.hpp"
#include "actors/reporter.hpp"
#include "actors/step_performers.hpp"

#include <caf/actor_addr.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace pawl {

struct StepRunnerConfig {
  StoreActor store;
  CoordinatorActor coordinator;
  EngineSeams seams;
  std::shared_ptr<Reporter> reporter;
  std::shared_ptr<StepPerformers> performers;
  std::shared_ptr<AnswerGate> gate;
};

/// Invariants:
/// 1. The coordinator hears of a completion only after the store has answered written or
///    already_exists.
/// 2. After a write of unknown outcome the same bytes are written again; the body does not run
///    again.
/// 3. An answer that comes after its attempt has ended leaves a `late` receipt, of which the
///    coordinator hears only if the step wants to know of other outputs.
/// 4. It does not outlive its coordinator.
/// 5. Of an attempt's progress at most one write is not answered, and between the beginnings of two
///    lies `Limits::progress_interval_ms`. The last report is written with the attempt's end at the
///    latest, never after it.
struct StepRunnerState {
  enum class Phase { idle, performing, writing };

  StepRunnerConfig config;
  Phase phase = Phase::idle;
  DispatchPtr current;
  Executor::JobId job = 0;    // when a function performs
  caf::actor_addr performer;  // when an actor performs: that one, monitored

  /// What the current attempt reported, and what of it is being written.
  struct Reporting {
    std::shared_ptr<Progress> in_flight;  // null when the last write is answered
    Alarm::TimePoint next{};              // no write earlier
    bool waits = false;                   // for that time
  };

  Reporting reporting;

  Alarm alarm;                  // one for all attempts
  Alarm::TimePoint deadline{};  // of the phase; the epoch if it has none

  static inline const char* name = "step_runner";
};

StepRunnerActor::behavior_type step_runner(StepRunnerActor::stateful_pointer<StepRunnerState> self,
                                           StepRunnerConfig config);

}  // namespace pawl
