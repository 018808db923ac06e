/// What an engine tells while it works: events for programs, log lines for people.
#pragma once

#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace pawl {

enum class EventKind {
  run_started,       ///< a new run is durable
  run_recovered,     ///< a run of an earlier process, or an evicted one, goes on
  run_ended,         ///< the run's end is durable: `state`, `duration_ms` since its start; with an
                     ///< error, the `step` that is to blame and a `message`
  run_blocked,       ///< the run cannot go on by itself: `state` (blocked or paused), `message`
  step_started,      ///< a step runner took an attempt on; it may wait for a step thread
  attempt_ended,     ///< an attempt's receipt is durable: `end`, `duration_ms`; it gave no output
  step_completed,    ///< the step's output is durable: `duration_ms`, `output_digest`
  progress_written,  ///< what an attempt reported of itself is durable: `output_digest` of it
  output_diverged,   ///< an attempt gave another output than the stored one, which stands
  late_answer,       ///< an answer came after its attempt had ended; it was not used
  write_failed,      ///< the store could not write; the same bytes are written again: `message`
  store_stalled,     ///< a write was not answered, or failed, for 5 s; the engine goes on waiting
  log_grows,  ///< the store's log is larger than `log_bytes_warn` and cannot be begun anew, mostly
              ///< because of a reader: `message`; told again at each doubling
  log_reset,  ///< that is over
  threads_hang,  ///< steps that do not return hold so many threads that others may have to
                 ///< wait: `message`
};

/// Gives the enumerator's own spelling.
std::string_view to_string(EventKind kind);

struct EngineEvent {
  EventKind kind = EventKind::run_started;
  std::string run;
  std::string step;              ///< empty where no step is concerned
  std::string type;              ///< with an attempt that code performs: the step type
  int attempt = 0;               ///< 0 where no attempt is concerned
  std::int64_t duration_ms = 0;  ///< of the attempt's body; with run_ended: of the run
  AttemptEnd end = AttemptEnd::none;
  RunState state = RunState::running;  ///< with run_ended and run_blocked
  Digest output_digest;                ///< with step_completed: of the stored output; with
                                       ///< progress_written: of the report
  std::string message;                 ///< for a person; may be empty
};

enum class LogLevel { debug, info, warning, error };

std::string_view to_string(LogLevel level);

struct LogLine {
  LogLevel level = LogLevel::info;
  std::string text;  ///< UTF-8, no line break at its end
};

/// Who wants to know. Both are called from the engine's own threads, by one at a time, and must be
/// quick: an actor waits meanwhile. What they throw is dropped.
using EventListener = std::function<void(const EngineEvent&)>;
using LogSink = std::function<void(const LogLine&)>;

}  // namespace pawl
