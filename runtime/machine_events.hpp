/// What a FlowMachine is told, and what it asks for.
#pragma once

#include <pawl/json.hpp>
#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include <cstddef>
#include <cstdint>
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

/// A wait is over: that before `attempt`, or with attempt 0 that of a step that sleeps or awaits.
struct TimerOver {
  std::size_t step;
  int attempt;
};

/// This process has no step type for a step whose next attempt was to come.
struct StepTypeMissing {
  std::size_t step;
};

/// The `EndRun` or `undoing` that was asked for was not written, because another record about the
/// run is being written: once that one is told, ask again.
struct EndPostponed {};

using Event = std::variant<Recorded, Resumed, TimerOver, StepTypeMissing, EndPostponed>;

// What the machine asks for.

/// Perform an attempt that is open, with the step's `parameters`.
struct StartAttempt {
  std::size_t step;
  int attempt;
  int failures;         ///< counted attempts that failed before
  Digest input_digest;  ///< of the parameters that attempts before had; zero if none told
};

/// Wait, then tell `TimerOver` with the same step and attempt. The wait ends at `due_ms` but never
/// takes longer than `longest_ms`.
struct AwaitTimer {
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

/// Write a record that this machine made: of a step that no attempt performs, or `undoing`.
struct WriteRecord {
  Record record;
};

/// Ask a running attempt to stop; its receipt still comes.
struct CancelAttempt {
  std::size_t step;
  int attempt;
};

/// Take an attempt back that has not begun, and record it as interrupted; let one go on that has.
struct WithdrawAttempt {
  std::size_t step;
  int attempt;
  bool started;  ///< it was asked for by `StartAttempt`
};

/// Start a child's run, and with it open the attempt of the step that it stands for: both or
/// neither.
struct StartChild {
  std::size_t step;
  std::string run;
  json input;        ///< merged
  std::string text;  ///< the same as canonical JSON
};

/// Cancel a child's run; its end still comes.
struct CancelChild {
  std::size_t step;
  std::string run;
};

/// Pause a child's run with its parent, or let it go on with it.
struct HoldChild {
  std::string run;
  bool paused;
};

/// Write the `ended` record.
struct EndRun {
  Outcome outcome;
};

using Command = std::variant<StartAttempt, AwaitTimer, OpenAttempt, WriteRecord, CancelAttempt,
                             WithdrawAttempt, StartChild, CancelChild, HoldChild, EndRun>;
using Commands = std::vector<Command>;

}  // namespace pawl
