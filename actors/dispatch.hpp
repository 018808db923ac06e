/// Dispatch: one attempt on its way from the coordinator through the step runner to the user's
/// code.
#pragma once

#include <pawl/clock.hpp>
#include <pawl/engine.hpp>
#include <pawl/retry_policy.hpp>
#include <pawl/step.hpp>
#include <pawl/store.hpp>

#include "actors/progress_reports.hpp"
#include "runtime/attempt.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pawl {

class FlowMachine;

/// What an attempt's code and its engine tell each other while it runs. The code may keep it.
struct AttemptSignals {
  Cancellation cancellation;
  ProgressReports reports;  ///< connected by the step runner
};

/// What is known of an attempt before it runs, and the few marks it makes while it does.
struct Dispatch {
  std::uint64_t number = 0;  ///< this engine's, in the order in which they were made
  RunKey run = 0;
  std::size_t step = 0;  ///< in the run's plan
  std::string type;
  std::shared_ptr<AttemptSignals> signals = std::make_shared<AttemptSignals>();
  /// Its parameters are resolved when it is its turn.
  StepCall call{"", "", 1, "", nullptr, "", {signals, &signals->cancellation}, nullptr, nullptr};
  int priority = 0;
  int failures = 0;
  RetryPolicy retry;
  bool at_most_once = false;
  bool keeps_other_outputs = false;  ///< see OnDivergence: its run must hear of them
  Digest expected_input;             ///< of the attempts before; zero if none told
  std::int64_t timeout_ms = 0;
  std::int64_t heartbeat_ms = 0;
  std::optional<Error> refused;  ///< why the attempt cannot be performed: its parameters, or its
                                 ///< key, did not resolve

  // Set by the thread that performs, before `began_us`, and read by others once that is not 0.
  std::int64_t started_ms = 0;
  Digest input_digest;
  std::atomic<std::int64_t> began_us{0};

  /// Whether its code may be called now: true for the first who asks, of whoever performs it and
  /// whoever takes it back. A step runner with many others before it may hold it long before a
  /// thread is free.
  bool claim() { return !claimed_.exchange(true, std::memory_order_acq_rel); }

  /// Whether the attempt ends now: true for the first who asks, of whoever has its answer, sees its
  /// time over, or has lost it. What comes later is late.
  bool claim_end(std::int64_t now_us) {
    std::int64_t none = 0;
    return ended_us_.compare_exchange_strong(none, now_us == 0 ? 1 : now_us);
  }

  /// When it ended, on the clock's steady scale; 0 if it has not.
  std::int64_t ended_us() const { return ended_us_.load(); }

  Cancellation& cancellation() const { return signals->cancellation; }

  ProgressReports& reports() const { return signals->reports; }

  bool performer_died = false;  ///< the step runner's: no answer is taken any more

  // The coordinator's.
  std::shared_ptr<FlowMachine> machine;  ///< its run's, until its turn
  std::size_t busy_place = 0;            ///< among those that the step runner has

 private:
  std::atomic<bool> claimed_{false};
  std::atomic<std::int64_t> ended_us_{0};
};

using DispatchPtr = std::shared_ptr<Dispatch>;

/// Whether `a` was made before `b`: addresses would order them otherwise each time.
inline bool by_number(const DispatchPtr& a, const DispatchPtr& b) {
  return a->number < b->number;
}

/// Notes that the body is about to run.
///
/// Errors: what makes the parameters unfit to be stored; Errc::inputs_differ: they are not those of
///         the attempts before.
Result<void> begin_body(Dispatch& dispatch, const EngineSeams& seams);

/// Asks whether the attempt's code may be called now.
///
/// Returns: nothing if it may; else, for it was taken back, the record that it leaves.
std::optional<Record> claim_or_conclude(Dispatch& dispatch);

/// An event about the attempt.
EngineEvent event_of(EventKind kind, const Dispatch& dispatch);

/// The facts of an attempt that ends now.
AttemptFacts facts_of(const Dispatch& dispatch, const EngineSeams& seams);

/// Performs an attempt by a function, from its first mark to the record that it leaves. Never
/// throws.
Record perform(const StepBody::Function& body, Dispatch& dispatch, const EngineSeams& seams);

}  // namespace pawl
