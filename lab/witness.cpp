#include "lab/witness.hpp"

#include <pawl/limits.hpp>

namespace pawl::lab {

namespace {

HistoryEvent event_of(Happened what, const StepCall& call) {
  HistoryEvent event;
  event.what = what;
  event.run = call.run;
  event.step = call.step;
  event.attempt = call.attempt;
  return event;
}

const char* word_of(const StepResult& result) {
  switch (result.kind) {
    case StepResult::Kind::done: return "done";
    case StepResult::Kind::retry: return result.unclear ? "unclear" : "retry";
    case StepResult::Kind::fail: return "fail";
  }
  return "unknown";
}

}  // namespace

std::optional<HistoryEvent> told_by(const EngineEvent& event) {
  HistoryEvent told;
  told.run = event.run;
  told.step = event.step;
  told.attempt = event.attempt;
  switch (event.kind) {
    case EventKind::step_completed:
      told.what = Happened::completed;
      told.digest = event.output_digest;
      return told;
    case EventKind::attempt_ended:
      told.what = Happened::attempt_ended;
      told.text = std::string(to_string(event.end));
      return told;
    case EventKind::progress_written:
      told.what = Happened::progress_written;
      told.digest = event.output_digest;
      return told;
    case EventKind::run_recovered: told.what = Happened::recovered; return told;
    case EventKind::run_ended:
      told.what = Happened::end_told;
      told.step.clear();
      told.text = std::string(to_string(event.state));
      return told;
    case EventKind::run_blocked:
      told.what = Happened::blocked;
      told.text = event.message;
      return told;
    case EventKind::write_failed:
      told.what = Happened::write_failed;
      told.text = event.message;
      return told;
    case EventKind::run_started:
    case EventKind::step_started:
    case EventKind::output_diverged:
    case EventKind::late_answer:
    case EventKind::store_stalled:
    case EventKind::log_grows:
    case EventKind::log_reset:
    case EventKind::threads_hang: break;
  }
  return std::nullopt;
}

HistoryEvent told_end(const std::string& run, const Outcome& outcome) {
  HistoryEvent told;
  told.what = Happened::end_told;
  told.run = run;
  told.text = std::string(to_string(outcome.state));
  if (outcome.succeeded()) told.digest = digest_of(outcome.output.dump());
  return told;
}

HistoryEvent seen(const std::string& run, const Record& record) {
  HistoryEvent event;
  event.what = Happened::read;
  event.run = run;
  event.step = record.step;
  event.digest = digest_of(record.body);
  return event;
}

HistoryEvent body_began(const StepCall& call) {
  HistoryEvent event = event_of(Happened::body_began, call);
  event.key = call.key;
  event.digest = digest_of(call.with.dump());
  event.text = digest_of(call.last_progress.dump()).hex();
  return event;
}

HistoryEvent progress_made(const StepCall& call, const json& value, std::int64_t now_ms) {
  HistoryEvent event = event_of(Happened::progress_made, call);
  if (const Result<std::string> text = canonical_json(value, Limits::progress_bytes_max); text)
    event.digest = digest_of(*text);
  event.number = now_ms;
  return event;
}

HistoryEvent body_ended(const StepCall& call, const StepResult& result) {
  HistoryEvent event = event_of(Happened::body_ended, call);
  event.text = word_of(result);
  if (result.kind == StepResult::Kind::done)
    if (const Result<std::string> text = canonical_json(result.output, Limits::output_bytes_max);
        text)
      event.digest = digest_of(*text);
  return event;
}

Digest trace_of(const Course& course, std::uint64_t choices) {
  std::string all = std::to_string(choices);
  for (const Entry& entry : course.entries()) {
    all += static_cast<char>(entry.kind);
    all += std::to_string(entry.inode) + ":" + std::to_string(entry.offset) + ":";
    all +=
        entry.kind == Entry::Kind::mark ? to_json_line(course.history()[entry.event]) : entry.bytes;
    all += '\n';
  }
  return digest_of(all);
}

}  // namespace pawl::lab
