/// The states of a run and of its steps, and how a run ended.
#pragma once

#include <pawl/error.hpp>
#include <pawl/json.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace pawl {

/// The numbers are stored: never reuse one.
enum class RunState {
  running = 1,     ///< a step has an open attempt, or could have one now
  waiting = 2,     ///< for time or for a signal: every step that could go on does
  blocked = 3,     ///< a person is needed, or a step type that this program has not
  paused = 4,      ///< a person stopped it for a while; what runs comes to its end
  failing = 5,     ///< a step failed for good; running siblings finish, nothing new starts
  cancelling = 6,  ///< somebody cancelled it; running steps stop, nothing new starts
  succeeded = 7,
  failed = 8,
  cancelled = 9,
};

enum class StepState {
  pending,  ///< waits for other steps
  running,  ///< has an open attempt
  waiting,  ///< its next attempt comes later, it sleeps, or it awaits a signal
  blocked,  ///< see `RunState::blocked`
  succeeded,
  failed,
  cancelled,    ///< its attempt was stopped because the run was cancelled
  not_started,  ///< the run ended without it
  excluded,     ///< a branch decided against it, or against all that leads to it
};

/// Gives the enumerator's own spelling.
std::string_view to_string(RunState state);
std::string_view to_string(StepState state);
std::ostream& operator<<(std::ostream& out, RunState state);
std::ostream& operator<<(std::ostream& out, StepState state);

/// Whether a stored number is a state that this version knows.
bool is_run_state(int number);

/// Reads `to_string(RunState)` back.
std::optional<RunState> run_state_from(std::string_view word);

/// Succeeded, failed or cancelled: nothing will change any more.
bool is_ended(RunState state);

/// Why a run failed, was cancelled, or is blocked.
struct RunError {
  Errc code = Errc::internal;
  std::string step;  ///< the step that is to blame; empty if none is
  std::string message;
};

/// `{"code","step","message"}`.
json to_json_value(const RunError& error);

/// How a run ended, or how far a wait for it came.
struct Outcome {
  RunState state = RunState::running;
  json output;                    ///< with `succeeded`
  std::optional<RunError> error;  ///< absent with `succeeded`

  bool succeeded() const { return state == RunState::succeeded; }
};

/// The outcome as the body of an `ended` record, and back.
json to_json_value(const Outcome& outcome);
Result<Outcome> outcome_from(const json& value);

std::ostream& operator<<(std::ostream& out, const Outcome& outcome);

}  // namespace pawl
