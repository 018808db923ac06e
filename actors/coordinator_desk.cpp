// The coordinator's desk: what the engine asks for.
#include <pawl/point.hpp>
#include <pawl/resolution.hpp>
#include <pawl/signal.hpp>

#include "actors/actor_manners.hpp"
#include "actors/coordinator.hpp"
#include "actors/durable_write.hpp"
#include "runtime/mutant.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace pawl {

namespace {

/// So many starts do not wait for more of them.
constexpr std::size_t starts_together_max = 256;

/// What a wait for a run's end came to, for somebody who needs the end.
Result<RunState> end_of(const Outcome& outcome) {
  if (is_ended(outcome.state) || !outcome.error) return outcome.state;
  return make_error(outcome.error->code, outcome.error->message);
}

/// The answer to whoever sends a signal too late.
Result<RunState> run_ended(const Outcome& end) {
  return make_error(Errc::run_ended, "the run has ended as " + std::string(to_string(end.state)) +
                                         "; nothing about it changes any more");
}

/// What is written of something that is noted; nothing if it changes nothing.
///
/// Given: `certain`, whether the machine has heard of all that was noted before.
std::vector<Record> records_for(const Record& wanted, const FlowMachine& machine, bool certain) {
  if (wanted.kind == RecordKind::unblocked) return machine.unblocking();
  if (certain && machine.is_moot(wanted)) return {};
  if (wanted.kind != RecordKind::unpaused || !wanted.body.empty()) return {wanted};
  std::vector<Record> records = machine.unpausing();
  if (!certain) records.push_back(wanted);  // the pause may be among what is being written
  return records;
}

Error closed() {
  return make_error(Errc::closed, "the engine was closed");
}

}  // namespace

void Coordinator::on_start(const Message<StartRequest>& request) {
  const auto& start = std::get<StartRun>(*request->start);
  if (lost_ || closing_) {
    request->started->answer(lost_ ? *lost_ : closed());
    request->end->answer(unfinished(lost_ ? *lost_ : closed()));
    return;
  }
  if (mutant("start_told_before_write")) request->started->answer(Result<void>());
  point("start.before_write", start.run);
  ++writes_;
  unwritten_starts_.push_back(request);
  if (unwritten_starts_.size() == 1)
    after_waiting_mail(self_, [this] { write_starts(); });
  else if (unwritten_starts_.size() >= starts_together_max)
    write_starts();
}

void Coordinator::on_start_answered(const Message<StartRequest>& request,
                                    const Result<WriteReply>& result) {
  if (result && result->status != WriteStatus::refused) return on_start_written(request, *result);
  // Not repeated here: the caller may do so, under the same id, whatever became of this try.
  const Error error = result ? result->error : result.error();
  request->started->answer(error);
  request->end->answer(unfinished(error));
  if (is_for_good(error.code)) lose(error);
  answer_close_if_done();
}

void Coordinator::on_start_written(const Message<StartRequest>& request, const WriteReply& reply) {
  const auto& start = std::get<StartRun>(*request->start);
  point("start.after_write", start.run);
  waiters_.add(start.run, request->end);
  request->started->answer(Result<void>());
  if (reply.status == WriteStatus::already_exists) {
    // Live, ended, or unfinished in the store: what is stored decides.
    const auto live = live_.find(start.run);
    if (live == live_.end()) return fetch(start.run, std::nullopt);
    if (const std::optional<Error> stuck = live->second.stuck)
      waiters_.answer(start.run, unfinished(*stuck));
    return;
  }
  config_.reporter->tell([&] { return event_about(EventKind::run_started, start.run); });
  if (const auto arriving = arriving_.find(start.run); arriving != arriving_.end()) {
    arriving->second.was_started =
        true;  // it is being read back, perhaps since before it was there
    return;
  }
  if (!has_room() && config_.recover) {
    halted_.erase(start.run);
    search_all_ = true;  // it waits in the store
    return answer_close_if_done();
  }
  auto machine = std::make_shared<FlowMachine>(request->flow.plan(), RunId::trusted(start.run),
                                               request->input);
  Result<Commands> applied = machine->apply(Recorded{*reply.stored});
  for (std::size_t i = 0; applied && i < start.records.size(); ++i)
    applied = machine->apply(Recorded{*start.records[i]});
  if (!applied) return give_up(start.run, applied.error());
  adopt(start.run, reply.run, start.folder, std::move(machine));
}

void Coordinator::adopt(const std::string& id, RunKey key, const std::string& folder,
                        std::shared_ptr<FlowMachine> machine) {
  halted_.erase(id);
  LiveRun& run = live_[id];
  run.key = key;
  run.folder = folder;
  run.machine = std::move(machine);
  note_child_lives(run);
  resume_if_quiet(id);
}

void Coordinator::on_watch(const Message<WatchRequest>& request) {
  take(request, request->run);
}

void Coordinator::on_note(const Message<NoteRequest>& request) {
  take(request, request->run);
}

void Coordinator::take(const Request& request, const std::string& id) {
  if (lost_ || closing_) return answer(request, lost_ ? *lost_ : closed());
  const auto live = live_.find(id);
  if (live != live_.end()) return serve(request, live->second);
  fetch(id, request);
}

/// Serves a request about a live run.
void Coordinator::serve(const Request& request, LiveRun& run) {
  if (run.stuck) return answer(request, *run.stuck);
  if (const auto* watch = std::get_if<Message<WatchRequest>>(&request)) {
    (*watch)->found->answer(Result<void>());
    waiters_.add((*watch)->run, (*watch)->end);
    return;
  }
  if (const auto* end = std::get_if<ChildEnd>(&request)) return end_child(*end);
  const NoteRequest& wanted = *std::get<Message<NoteRequest>>(request);
  // What is being written may decide whether the run is blocked at all.
  if (wanted.record.kind == RecordKind::output && run.writes > 0)
    return later(self_, std::chrono::milliseconds(10),
                 [this, request, id = wanted.run] { take(request, id); });
  note(wanted, run);
}

void Coordinator::note(const NoteRequest& request, LiveRun& run) {
  const auto told = request.answer;
  const bool is_signal = request.record.kind == RecordKind::signal;
  if (is_signal)
    if (const Result<void> awaited =
            check_awaited(run.machine->plan(), signal_name(request.record));
        !awaited) {
      told->answer(awaited.error());
      return;
    }
  const bool is_resolution = request.record.kind == RecordKind::output;
  if (is_resolution)
    if (const Result<void> fits = run.machine->check_resolvable(request.record.step); !fits) {
      told->answer(fits.error());
      return;
    }
  // The end is being written, and comes first: the answer is that end.
  if (run.machine->ending())
    return waiters_.add(
        request.run,
        std::make_shared<Ticket<Outcome>>(
            [told, is_late = is_signal || is_resolution](const Outcome& end) {
              told->answer(is_late && is_ended(end.state) ? run_ended(end) : end_of(end));
            },
            unfinished(closed())));
  if (mutant("cancel_told_before_write") && request.record.kind == RecordKind::cancel_requested)
    told->answer(RunState::cancelling);
  if (mutant("signal_told_before_write") && is_signal) told->answer(RunState::running);
  std::vector<Record> records = records_for(request.record, *run.machine, run.writes == 0);
  if (records.empty()) return told->answer(run.machine->state());
  for (Record& record : records) {
    const bool is_last = &record == &records.back();
    write_about(run, std::move(record), is_last ? told : nullptr);
  }
}

void Coordinator::answer(const Request& request, const Error& error) {
  if (const auto* watch = std::get_if<Message<WatchRequest>>(&request)) {
    (*watch)->found->answer(error);
    (*watch)->end->answer(unfinished(error));
  } else if (const auto* end = std::get_if<ChildEnd>(&request)) {
    end_orphan(*end, error);
  } else {
    std::get<Message<NoteRequest>>(request)->answer->answer(error);
  }
}

void Coordinator::answer(const Request& request, const Outcome& ended) {
  if (const auto* watch = std::get_if<Message<WatchRequest>>(&request)) {
    (*watch)->found->answer(Result<void>());
    (*watch)->end->answer(ended);
  } else if (const auto* end = std::get_if<ChildEnd>(&request)) {
    end_orphan(*end, make_error(Errc::run_ended, "its parent has ended before"));
  } else {
    const NoteRequest& note = *std::get<Message<NoteRequest>>(request);
    const bool is_late =
        note.record.kind == RecordKind::signal || note.record.kind == RecordKind::output;
    note.answer->answer(is_late ? run_ended(ended) : Result<RunState>(ended.state));
  }
}

// --- the end

void Coordinator::on_close(const Message<CloseRequest>& request) {
  if (request->at_once) return request->closed->answer(still_running());
  closers_.push_back(request->closed);
  if (!closing_) {
    closing_ = true;
    timers_.clear();
    for (auto& [id, run] : live_) {
      run.timers.clear();
      for (auto& [step, dispatch] : run.running)
        dispatch->cancellation().set(Cancellation::Reason::interrupted);
    }
    // What waits for the step runner has not begun.
    for (const DispatchPtr& dispatch : queue_.drain()) {
      const auto found = live_.find(dispatch->call.run);
      if (found == live_.end()) continue;
      found->second.running.erase(dispatch->step);
      write_about(found->second, conclude_unanswered(dispatch->call.step, dispatch->call.attempt,
                                                     AttemptEnd::interrupted));
    }
  }
  answer_close_if_done();
}

void Coordinator::answer_close_if_done() {
  const bool done = lost_ || (busy_.empty() && queue_.empty() && arriving_.empty() && writes_ == 0);
  if (!closing_ || !done) return;
  for (const auto& closer : std::exchange(closers_, {})) closer->answer({});
}

std::vector<std::string> Coordinator::still_running() const {
  std::vector<std::string> names;
  for (const DispatchPtr& dispatch : busy_) names.push_back(dispatch->call.key);
  std::sort(names.begin(), names.end());
  return names;
}

void Coordinator::lose(const Error& error) {
  if (lost_) return;
  lost_ = error;
  config_.reporter->log(LogLevel::error, "the engine can write no more: " + error.text());
  for (auto& [id, run] : live_)
    for (auto& [step, dispatch] : run.running)
      dispatch->cancellation().set(Cancellation::Reason::interrupted);
  answer_everybody(error);
  for (auto& [id, run] : live_) count(run, std::nullopt);
  live_.clear();
  live_children_.clear();
  queue_.drain();
  timers_.clear();
  answer_close_if_done();
}

void Coordinator::answer_everybody(const Error& error) {
  for (const auto& [id, arriving] : std::exchange(arriving_, {}))
    for (const Request& request : arriving.requests) answer(request, error);
  waiters_.answer_all(unfinished(error));
}

}  // namespace pawl
