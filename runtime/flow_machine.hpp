/// FlowMachine: one run's state, derived from its records alone; every rule about what may happen
/// next.
#pragma once

#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include "runtime/plan.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pawl {

// What the machine is told. Only records are durable; the others are about this process.

/// A record became durable.
struct Recorded {
  const Record& record;
};

/// All stored records were applied: from now on, say what to do.
struct Resumed {};

/// The wait before `attempt` is over.
struct BackoffOver {
  std::size_t step;
  int attempt;
};

/// This process has no step type for a step whose next attempt was to come.
struct StepTypeMissing {
  std::size_t step;
};

/// The `EndRun` that was asked for was not written, because another record about the run is being
/// written: once that one is told, ask again.
struct EndPostponed {};

using Event = std::variant<Recorded, Resumed, BackoffOver, StepTypeMissing, EndPostponed>;

// What the machine asks for.

/// Perform an attempt that is open, with the step's `parameters`.
struct StartAttempt {
  std::size_t step;
  int attempt;
  int failures;  ///< counted attempts that failed before
};

/// Wait, then tell `BackoffOver`. The wait ends at `due_ms` but never takes longer than
/// `longest_ms`.
struct AwaitBackoff {
  std::size_t step;
  int attempt;
  std::int64_t due_ms;
  std::int64_t longest_ms;
};

/// Write an `opened` record.
struct OpenAttempt {
  std::size_t step;
  int attempt;
};

/// Ask a running attempt to stop; its receipt still comes.
struct CancelAttempt {
  std::size_t step;
  int attempt;
};

/// Write the `ended` record.
struct EndRun {
  Outcome outcome;
};

using Command = std::variant<StartAttempt, AwaitBackoff, OpenAttempt, CancelAttempt, EndRun>;
using Commands = std::vector<Command>;

/// An attempt that was open in an earlier epoch: its effect may have happened, nobody knows.
struct OpenAttemptRef {
  std::size_t step;
  int attempt;
};

/// Invariants:
/// 1. The state depends on the plan, the input and the records applied, in their order; nothing
///    else is read.
/// 2. A step's attempts are numbered without gaps; at most one is open at a time.
/// 3. A step starts only when every step that it needs has a durable output.
/// 4. Each attempt is started at most once by one machine.
/// 5. After the `ended` record there is no command, and only receipts that end no attempt are
///    lawful: `late`, `diverged`, `succeeded`.
///
/// The phases of a step, and what moves it on:
///
///     pending      the last output that it needs    → open
///     open         output                           → succeeded
///                  failed, timed_out                → backoff, or after the last allowed: failed
///                  interrupted                      → backoff
///                  fatal                            → failed
///                  lost                             → open, or after too many in a row: blocked
///                  cancelled                        → stopped
///     backoff      BackoffOver                      → opening
///                  StepTypeMissing                  → unstartable
///     opening      opened                           → open
///     blocked      unblocked                        → backoff, due at once
///
///     backoff, opening, blocked and unstartable, when the run is cancelled       → stopped
///     open, by a receipt that leads to another attempt, when the run is to stop  → stopped
///
/// A backoff may also be followed by `opened` at once: in a replay, where nobody tells that it is
/// over. A cancel may overtake an `opened` that is being written: such an attempt is counted, and
/// its step stays stopped. A failed run starts nothing that opens after its failure.
///
/// Threads: one at a time.
class FlowMachine {
 public:
  FlowMachine(std::shared_ptr<const Plan> plan, RunId run, json input);

  /// Takes one event and says what to do now.
  ///
  /// Errors: Errc::corrupt for a record that cannot follow those before it; the machine is
  /// unchanged then.
  Result<Commands> apply(const Event& event);

  /// The attempts that were open when an epoch before `epoch` ended. They need `lost` receipts
  /// before `Resumed`.
  std::vector<OpenAttemptRef> attempts_open_before(std::int64_t epoch) const;

  RunState state() const;

  /// With states that have one: why the run failed, was cancelled, or is blocked.
  std::optional<RunError> error() const;

  /// With an ended run: its end.
  const std::optional<Outcome>& outcome() const { return outcome_; }

  /// With an ended run: from its start to its end.
  std::int64_t duration_ms() const { return ended_at_ms_ - started_at_ms_; }

  StepState step_state(std::size_t step) const;

  /// The step's last error, if its last attempt failed.
  const std::optional<Error>& step_error(std::size_t step) const { return steps_[step].error; }

  /// A step's output; null before it succeeded.
  const std::shared_ptr<const json>& step_output(std::size_t step) const {
    return steps_[step].output;
  }

  /// The resolved parameters of a step that was started. Made anew by each call: many attempts may
  /// wait to be performed, and each may have a copy of the whole input.
  ///
  /// Errors: of `Template::resolve`; they are the attempt's fatal end.
  Result<json> parameters(std::size_t step) const;

  /// A step's number of attempts, the open one included.
  int attempts(std::size_t step) const { return steps_[step].attempt; }

  /// With `RunState::waiting`: when the first step goes on.
  std::int64_t due_ms() const;

  /// The run's end is known and waits to be written: nothing else may be written before it.
  bool ending() const { return end_asked_; }

  /// How many attempts were started and have not ended.
  std::size_t attempts_running() const { return running_; }

  const Plan& plan() const { return *plan_; }

  const RunId& run() const { return run_; }

  const json& input() const { return input_; }

 private:
  enum class Phase {
    pending,
    open,
    backoff,
    opening,
    succeeded,
    failed,
    blocked,
    unstartable,
    stopped
  };

  struct Step {
    Phase phase = Phase::pending;
    std::size_t missing = 0;  // needed steps without an output
    int attempt = 0;          // the open one, or the last one that ended
    int failures = 0;         // ended attempts that count towards max_attempts
    int lost_in_row = 0;      // lost attempts since the run last made progress
    std::size_t lost_at_progress = 0;
    std::int64_t opened_epoch = 0;
    std::int64_t due_ms = 0;
    bool started = false;  // the open attempt was handed out by this machine
    bool stopped_by_cancel = false;
    std::shared_ptr<const json> output;
    std::optional<Error> error;
  };

  Result<void> take(const Record& record);
  Result<void> take_output(const Record& record, std::size_t i);
  Result<void> take_receipt(const Record& record, std::size_t i);
  Result<void> take_opened(const Record& record, std::size_t i);
  Result<void> take_ended(const Record& record);
  void take_unblocked();
  void take_cancel_request();

  void move_to(Step& step, Phase phase);

  std::size_t count(Phase phase) const { return phase_counts_[static_cast<std::size_t>(phase)]; }

  void open(std::size_t i, int attempt, std::int64_t epoch);
  void close_attempt(Step& step);
  void stop(Step& step);
  void take_missing_type(std::size_t i);
  void fail_step(std::size_t i, Errc code, Error error);
  void count_failure(std::size_t i, const Record& record, Error error);
  void count_lost(std::size_t i, const Record& record);
  void wait_for_next(std::size_t i, std::int64_t due_ms);

  void issue_starts(Commands& commands);
  void issue_end(Commands& commands);
  StartAttempt start_command(std::size_t i);
  Outcome success() const;

  bool stopping() const { return cancelling_ || failure_.has_value(); }

  std::shared_ptr<const Plan> plan_;
  RunId run_;
  json input_;
  std::vector<Step> steps_;
  std::vector<const json*> outputs_;  // by step, for templates
  std::array<std::size_t, 9> phase_counts_{};
  std::size_t running_ = 0;         // attempts started and not ended
  std::vector<std::size_t> ready_;  // steps whose open attempt was not started yet
  std::vector<std::size_t>
      to_wait_;  // steps that entered backoff and whose wait was not asked for yet
  bool resumed_ = false;
  bool cancelling_ = false;
  bool cancel_asked_ = false;  // running attempts were asked to stop
  bool end_asked_ = false;
  std::optional<RunError> failure_;
  std::optional<Outcome> outcome_;
  std::int64_t started_at_ms_ = 0;
  std::int64_t ended_at_ms_ = 0;
};

}  // namespace pawl
