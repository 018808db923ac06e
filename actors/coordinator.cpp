#include "actors/coordinator.hpp"

#include <pawl/limits.hpp>
#include <pawl/point.hpp>

#include "actors/actor_manners.hpp"
#include "actors/durable_write.hpp"
#include "actors/recovery.hpp"
#include "runtime/attempt.hpp"
#include "runtime/mutant.hpp"

#include <caf/actor_cast.hpp>

#include <iterator>
#include <limits>
#include <utility>

namespace pawl {

namespace {

/// A run that waits for longer than this is noted as waiting, and read back when its time comes.
constexpr std::int64_t park_ms = 1000;

Record run_record(RecordKind kind) {
  Record record;
  record.kind = kind;
  return record;
}

}  // namespace

CoordinatorActor::behavior_type coordinator(CoordinatorSelf self, CoordinatorConfig config) {
  set_manners(self, config.reporter, Coordinator::name);
  Coordinator& state = self->state;
  self->set_down_handler([&state](caf::down_msg& down) { state.on_down(down); });
  self->set_exit_handler([self](caf::exit_msg& exit) {
    self->state.on_exit();
    self->quit(std::move(exit.reason));
  });
  state.begin(std::move(config));
  return {
      [&state](const Message<StartRequest>& request) { state.on_start(request); },
      [&state](const Message<WatchRequest>& request) { state.on_watch(request); },
      [&state](const Message<NoteRequest>& request) { state.on_note(request); },
      [&state](const Message<CloseRequest>& request) { state.on_close(request); },
      [&state](const StepEndsPtr& ends) { state.on_ends(*ends); },
      [&state](const Message<AnsweredLate>& late) { state.on_late(late); },
      [&state](const RecoveredPtr& runs) { state.on_recovered(*runs); },
      [&state](const Message<Found>& found) { state.on_found(*found); },
      [](const Later& work) { (*work)(); },
  };
}

void Coordinator::begin(CoordinatorConfig config) {
  config_ = std::move(config);
  queue_ = TurnQueue<DispatchPtr>(config_.turn_limits, [](const DispatchPtr& dispatch) {
    return dispatch->began_us.load(std::memory_order_acquire);
  });
  self_->monitor(config_.store);
  recovery_ = self_->spawn<caf::monitored>(
      recovery, RecoveryConfig{config_.store, caf::actor_cast<CoordinatorActor>(self_),
                               config_.epoch, config_.reporter});
  search_all_ = true;
  // Behind whatever is asked first.
  after_waiting_mail(self_, [this] { scan_if_room(); });
}

// --- what a machine is told and asks for

void Coordinator::tell(LiveRun& run, const Event& event) {
  const std::string id = run.machine->run().str();
  if (run.stuck) return drop_if_idle(id);
  Result<Commands> commands = run.machine->apply(event);
  if (!commands) return give_up(id, commands.error());
  gather([&] {
    carry_out(run, *commands);
    settle(id);
  });
}

/// What was asked about a run that came back, such as a cancel, is durable before anything of it
/// starts.
void Coordinator::resume_if_quiet(const std::string& id) {
  const auto found = live_.find(id);
  if (found == live_.end() || found->second.resumed || found->second.writes > 0 ||
      found->second.stuck)
    return;
  found->second.resumed = true;
  if (!config_.recover) fetch_children(*found->second.machine);
  tell(found->second, Resumed{});
}

void Coordinator::carry_out(LiveRun& run, const Commands& commands) {
  for (const Command& command : commands)
    std::visit([&](const auto& what) { carry_out(run, what); }, command);
}

void Coordinator::carry_out(LiveRun& run, const StartAttempt& start) {
  const PlannedStep& step = run.machine->definition(start.step);
  const std::string& step_name = run.machine->name(start.step);
  // Not performed, and not left open either: the receipt makes the machine wait, and the wait meets
  // the missing type.
  if (closing_ || !config_.performers->has(step.type)) {
    Record receipt = conclude_unanswered(step_name, start.attempt, AttemptEnd::interrupted);
    return write_about(run, std::move(receipt));
  }
  auto dispatch = std::make_shared<Dispatch>();
  dispatch->number = ++last_dispatch_;
  dispatch->run = run.key;
  dispatch->step = start.step;
  dispatch->type = step.type;
  dispatch->failures = start.failures;
  dispatch->retry = step.retry;
  dispatch->at_most_once = step.at_most_once;
  dispatch->keeps_other_outputs = step.on_divergence != OnDivergence::keep;
  dispatch->expected_input = start.input_digest;
  dispatch->timeout_ms = step.timeout_ms;
  dispatch->heartbeat_ms = step.heartbeat_ms;
  StepCall& call = dispatch->call;
  call.run = run.machine->run().str();
  call.step = step_name;
  call.attempt = start.attempt;
  call.key = idempotency_key(run.machine->run(), step_name);
  if (mutant("key_with_attempt")) call.key += "#" + std::to_string(start.attempt);
  call.folder = run.folder;
  if (const auto last = run.progress.find(step_name); last != run.progress.end())
    call.last_progress = last->second;
  take_turn(run, dispatch);
}

void Coordinator::carry_out(LiveRun& run, const OpenAttempt& open) {
  if (closing_) return;
  Record record = run_record(RecordKind::opened);
  record.step = run.machine->name(open.step);
  record.attempt = open.attempt;
  write_about(run, std::move(record));
}

void Coordinator::carry_out(LiveRun& run, const WriteRecord& write) {
  // As with an end: see below.
  if (write.record.kind == RecordKind::undoing && run.writes > 0) return postpone_end(run);
  if (!closing_) write_about(run, write.record);
}

void Coordinator::carry_out(LiveRun& run, const CancelAttempt& cancel) {
  const auto found = run.running.find(cancel.step);
  if (found == run.running.end()) return;
  const DispatchPtr dispatch = found->second;
  dispatch->cancellation().set(Cancellation::Reason::cancelled);
  if (!queue_.remove(dispatch)) return;  // the step runner has it, and will tell
  run.running.erase(found);
  write_about(
      run, conclude_unanswered(dispatch->call.step, dispatch->call.attempt, AttemptEnd::cancelled));
}

void Coordinator::carry_out(LiveRun& run, const WithdrawAttempt& withdraw) {
  const auto found = run.running.find(withdraw.step);
  if (found != run.running.end()) {
    const DispatchPtr dispatch = found->second;
    if (!queue_.remove(dispatch)) {
      dispatch->claim();  // the step runner has it, and tells that it never began, or how it ended
      return;
    }
    run.running.erase(found);
  } else if (withdraw.started) {
    return;  // its receipt is being written
  }
  write_about(run, conclude_unanswered(run.machine->name(withdraw.step), withdraw.attempt,
                                       AttemptEnd::interrupted));
}

void Coordinator::postpone_end(LiveRun& run) {
  const Result<Commands> none = run.machine->apply(EndPostponed{});
  PAWL_ASSERT(none.has_value() && none->empty());
}

void Coordinator::carry_out(LiveRun& run, const EndRun& end) {
  // A cancel that is being written may change the end, and nothing may follow it.
  if (run.writes > 0) return postpone_end(run);
  point("run.before_end", run.machine->run().str());
  if (mutant("end_told_before_write")) waiters_.answer(run.machine->run().str(), end.outcome);
  Record record = run_record(RecordKind::ended);
  record.value = std::make_shared<const json>(to_json_value(end.outcome));
  record.body = canonical_json(*record.value, std::string::npos).value();
  if (run.machine->start_facts().parent && !mutant("child_end_not_told"))
    return end_child({run.machine->run().str(), std::move(record)});
  write_about(run, std::move(record));
}

/// What is kept was durable before its attempt's end was, and nothing can take its place before the
/// next attempt is open.
void Coordinator::keep_progress(LiveRun& run, const Progress& progress) {
  json value = json::parse(progress.body, nullptr, false);
  if (!value.is_discarded()) run.progress[progress.step] = std::move(value);
}

void Coordinator::settle(const std::string& id) {
  const auto found = live_.find(id);
  if (found == live_.end()) return;
  LiveRun& run = found->second;
  if (run.machine->outcome()) return finish(id);
  if (!run.resumed) return;
  const RunState state = run.machine->state();
  count(run, state);
  if (run.writes > 0 || !run.holds.empty() || !run.running.empty()) return;
  if (state == RunState::blocked) {
    halt(run, 0);
  } else if (state == RunState::paused) {
    halt(run, std::numeric_limits<std::int64_t>::max());  // only a record ends that
  } else if (state == RunState::waiting && !closing_) {
    if (const std::optional<Outcome> halted = halted_below(id)) waiters_.answer(id, *halted);
    if (live_children_.count(id) > 0) return;  // they will want it soon
    const std::int64_t due_ms = run.machine->due_ms();
    const std::int64_t left_ms = due_ms - config_.seams.clock->now_ms();
    if (left_ms <= park_ms) return;
    park(run, RunState::waiting, due_ms);
    if (!config_.recover) return;  // nobody would read it back
    if (due_ms != std::numeric_limits<std::int64_t>::max()) search_before(due_ms);
    drop(id);
  }
  answer_close_if_done();
}

/// Nothing more happens to the run before somebody does something about it.
void Coordinator::halt(LiveRun& run, std::int64_t due_ms) {
  const std::shared_ptr<FlowMachine> machine = run.machine;
  const std::string id = machine->run().str();
  const RunState state = machine->state();
  const RunError why = *machine->error();
  EngineEvent event = event_about(EventKind::run_blocked, id);
  event.state = state;
  event.step = why.step;
  event.message = why.message;
  config_.reporter->event(event);
  park(run, state, due_ms);
  halted_.insert(id);
  waiters_.answer(id, Outcome{state, nullptr, why});
  // What is paused with its parent goes on with it, of which those above have been told.
  const bool is_below = state == RunState::paused && machine->unpausing().empty();
  if (!is_below) tell_above(id, *machine, why);
  drop(id);
}

void Coordinator::finish(const std::string& id) {
  LiveRun& run = live_.at(id);
  const Outcome outcome = *run.machine->outcome();
  ++config_.counters->ended_runs[static_cast<std::size_t>(outcome.state)];
  EngineEvent event = event_about(EventKind::run_ended, id);
  event.state = outcome.state;
  event.duration_ms = run.machine->duration_ms();
  if (outcome.error) {
    event.step = outcome.error->step;
    event.message = outcome.error->message;
  }
  config_.reporter->event(event);
  drop(id);
  waiters_.answer(id, outcome);
  answer_close_if_done();
}

void Coordinator::drop(const std::string& id) {
  if (const auto found = live_.find(id); found != live_.end()) {
    count(found->second, std::nullopt);
    for (const Timers::iterator& timer : found->second.timers) timers_.erase(timer);
    note_child_gone(found->second);
    live_.erase(found);
  }
  scan_if_room();
}

/// Something is wrong with the run, and this engine does no more for it by itself.
void Coordinator::give_up(const std::string& id, const Error& error) {
  EngineEvent event = event_about(EventKind::run_blocked, id);
  event.state = RunState::blocked;
  event.message = "the run cannot go on: " + error.text();
  config_.reporter->event(event);
  halted_.insert(id);
  if (const auto found = live_.find(id); found != live_.end()) {
    LiveRun& run = found->second;
    run.stuck = error;
    tell_above(id, *run.machine, RunError{error.code, "", error.message});
    // What has not begun will not. What has begun comes back, and is recorded.
    for (auto at = run.running.begin(); at != run.running.end();)
      at = queue_.remove(at->second) ? run.running.erase(at) : std::next(at);
  }
  waiters_.answer(id, Outcome{RunState::blocked, nullptr, RunError{error.code, "", error.message}});
  drop_if_idle(id);
  answer_close_if_done();
}

/// Drops a run that cannot go on, once nothing of it is under way: read back any earlier, it would
/// start attempts beside themselves.
void Coordinator::drop_if_idle(const std::string& id) {
  const auto found = live_.find(id);
  if (found == live_.end() || (found->second.running.empty() && found->second.writes == 0))
    drop(id);
}

void Coordinator::count(LiveRun& run, std::optional<RunState> state) {
  if (run.counted == state) return;
  auto& counts = config_.counters->live_runs;
  if (run.counted) --counts[static_cast<std::size_t>(*run.counted)];
  if (state) ++counts[static_cast<std::size_t>(*state)];
  run.counted = state;
}

}  // namespace pawl
