#include "actors/reporter.hpp"

#include "actors/worker_policy.hpp"

#include <string>
#include <utility>

namespace pawl {

namespace {

thread_local bool telling = false;

struct Telling {
  Telling() { telling = true; }

  ~Telling() { telling = false; }

  Telling(const Telling&) = delete;
  Telling& operator=(const Telling&) = delete;
};

LogLevel level_of(const EngineEvent& event) {
  switch (event.kind) {
    case EventKind::step_started:
    case EventKind::step_completed:
    case EventKind::progress_written: return LogLevel::debug;
    case EventKind::run_started:
    case EventKind::run_recovered:
    case EventKind::log_reset: return LogLevel::info;
    case EventKind::run_ended:
      return event.state == RunState::succeeded ? LogLevel::info : LogLevel::warning;
    case EventKind::attempt_ended:
    case EventKind::run_blocked:
    case EventKind::output_diverged:
    case EventKind::late_answer:
    case EventKind::store_stalled:
    case EventKind::log_grows:
    case EventKind::threads_hang: return LogLevel::warning;
    case EventKind::write_failed: return LogLevel::error;
  }
  return LogLevel::info;
}

std::string words(const EngineEvent& event) {
  std::string text(to_string(event.kind));
  if (!event.run.empty()) text += " run=" + event.run;
  if (!event.step.empty()) text += " step=" + event.step;
  if (!event.type.empty()) text += " type=" + event.type;
  if (event.attempt > 0) text += " attempt=" + std::to_string(event.attempt);
  if (event.end != AttemptEnd::none) text += " end=" + std::string(to_string(event.end));
  if (event.kind == EventKind::run_ended) text += " state=" + std::string(to_string(event.state));
  if (event.duration_ms > 0) text += " duration_ms=" + std::to_string(event.duration_ms);
  if (!event.message.empty()) text += ": " + event.message;
  return text;
}

}  // namespace

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::run_started: return "run_started";
    case EventKind::run_recovered: return "run_recovered";
    case EventKind::run_ended: return "run_ended";
    case EventKind::run_blocked: return "run_blocked";
    case EventKind::step_started: return "step_started";
    case EventKind::attempt_ended: return "attempt_ended";
    case EventKind::step_completed: return "step_completed";
    case EventKind::output_diverged: return "output_diverged";
    case EventKind::progress_written: return "progress_written";
    case EventKind::late_answer: return "late_answer";
    case EventKind::write_failed: return "write_failed";
    case EventKind::store_stalled: return "store_stalled";
    case EventKind::log_grows: return "log_grows";
    case EventKind::log_reset: return "log_reset";
    case EventKind::threads_hang: return "threads_hang";
  }
  return "unknown";
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "unknown";
}

bool Reporter::is_telling() {
  return telling;
}

void Reporter::event(const EngineEvent& event) noexcept {
  // A listener is a guest: whatever it throws must not bring an actor down.
  try {
    if (on_event_) {
      leave_to_others();  // a guest may take its time, this one or the one before it
      const std::lock_guard<std::mutex> lock(mutex_);
      const Telling here;
      on_event_(event);
    }
    if (on_log_) log(level_of(event), words(event));
  } catch (...) {
  }
}

void Reporter::log(LogLevel level, const std::string& text) noexcept {
  if (!on_log_) return;
  try {
    leave_to_others();
    const std::lock_guard<std::mutex> lock(mutex_);
    const Telling here;
    on_log_({level, text});
  } catch (...) {
  }
}

EngineEvent event_about(EventKind kind, const std::string& run) {
  EngineEvent event;
  event.kind = kind;
  event.run = run;
  return event;
}

WriteNews news_about(std::shared_ptr<Reporter> reporter, EngineEvent about) {
  return [reporter = std::move(reporter), about = std::move(about)](EventKind kind,
                                                                    const std::string& message) {
    EngineEvent event = about;
    event.kind = kind;
    event.message = message;
    reporter->event(event);
  };
}

}  // namespace pawl
