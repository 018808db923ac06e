// The coordinator and its step runner: turns, and how attempts end.
#include <pawl/point.hpp>

#include "actors/coordinator.hpp"
#include "actors/durable_write.hpp"
#include "actors/step_runner.hpp"
#include "actors/take_all.hpp"
#include "actors/worker_policy.hpp"
#include "runtime/attempt.hpp"
#include "runtime/mutant.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

namespace pawl {

namespace {

/// So many attempts are gathered before they go to the step runner.
constexpr std::size_t dispatches_max = 256;

}  // namespace

/// From now on the attempt waits for its turn. Without a key that can be used it waits too, and
/// ends with its turn.
void Coordinator::take_turn(LiveRun& run, const DispatchPtr& dispatch) {
  dispatch->priority = mutant("priority_ignored") ? 0 : run.machine->start_facts().priority;
  Turn turn{dispatch->type, {}, dispatch->priority};
  if (Result<std::optional<std::string>> key = run.machine->turn_key(dispatch->step); key)
    turn.key = std::move(*key);
  else
    dispatch->refused = key.error();
  if (turn.key && mutant("key_of_each_run")) *turn.key += dispatch->call.run;
  run.running[dispatch->step] = dispatch;
  dispatch->machine = run.machine;
  if (busy_.size() >= config_.attempts_max || !queue_.may_pass(turn)) {
    queue_.push(dispatch, turn);
    return start_queued();
  }
  begin_turn(dispatch);
  send_or_gather();
}

void Coordinator::start_queued() {
  while (busy_.size() < config_.attempts_max) {
    const std::int64_t now_us = config_.seams.clock->steady_us();
    const std::optional<DispatchPtr> turn = queue_.take(now_us);
    if (!turn) {
      if (const std::optional<std::int64_t> next_us = queue_.next_us()) {
        turn_at_ = self_->clock().now() + std::chrono::microseconds(*next_us - now_us);
        set_alarm(*turn_at_);
      }
      break;
    }
    begin_turn(*turn);
  }
  send_or_gather();
}

/// It is the attempt's turn.
void Coordinator::begin_turn(const DispatchPtr& dispatch) {
  resolve_parameters(*dispatch);
  point("run.before_dispatch", dispatch->call.run, dispatch->call.step, dispatch->call.attempt);
  dispatch->busy_place = busy_.size();
  busy_.push_back(dispatch);
  undispatched_.push_back(dispatch);
  if (mutant("dispatched_twice")) undispatched_.push_back(dispatch);
}

void Coordinator::send_or_gather() {
  // Thousands may begin at once: the first of them need not wait for the last.
  if (!gathers_) dispatch_gathered();
  if (undispatched_.size() >= dispatches_max) {
    dispatch_gathered();
    leave_to_others();
  }
  config_.counters->attempts_running = static_cast<std::int64_t>(busy_.size() + queue_.size());
}

void Coordinator::dispatch_gathered() {
  if (undispatched_.empty()) return;
  if (!runner_)
    runner_ = self_->spawn<caf::monitored>(
        step_runner,
        StepRunnerConfig{config_.store, caf::actor_cast<CoordinatorActor>(self_), config_.seams,
                         config_.reporter, config_.performers, config_.gate, config_.ends});
  self_->send(
      runner_,
      DispatchesPtr(std::make_shared<const std::vector<DispatchPtr>>(take_all(undispatched_))));
}

/// Not before the attempt's turn: thousands may wait, each with a copy of a large input.
void Coordinator::resolve_parameters(Dispatch& dispatch) {
  const std::shared_ptr<FlowMachine> machine = std::exchange(dispatch.machine, nullptr);
  if (dispatch.refused) return;
  Result<json> with = machine->parameters(dispatch.step);
  if (with)
    dispatch.call.with = mutant("other_inputs_on_retry") && dispatch.call.attempt > 1
                             ? json::object()
                             : std::move(*with);
  else
    dispatch.refused = with.error();
}

/// Whether the step runner still owes the end of that dispatch. A message that comes a second time,
/// or after its sender's death was dealt with, is nobody's any more.
bool Coordinator::is_owed(const DispatchPtr& dispatch) const {
  const std::size_t place = dispatch->busy_place;
  return (place < busy_.size() && busy_[place] == dispatch) || mutant("repeated_message_believed");
}

void Coordinator::forget_busy(const Dispatch& dispatch) {
  const std::size_t place = dispatch.busy_place;
  if (place >= busy_.size() || busy_[place].get() != &dispatch) return;
  std::swap(busy_[place], busy_.back());
  busy_[place]->busy_place = place;
  busy_.pop_back();
}

/// The step runner has told the attempt's end. Gives the run, if it is still live.
Coordinator::LiveRun* Coordinator::take_back(const DispatchPtr& dispatch) {
  forget_busy(*dispatch);
  if (!mutant("second_turn_is_kept") || dispatch->call.attempt != 2) queue_.done(dispatch);
  start_queued();
  const auto found = live_.find(dispatch->call.run);
  if (found == live_.end()) return nullptr;
  const auto running = found->second.running.find(dispatch->step);
  if (running != found->second.running.end() && running->second == dispatch)
    found->second.running.erase(running);
  return &found->second;
}

void Coordinator::on_ends(const std::vector<StepEnd>& ends) {
  gather([&] {
    for (const StepEnd& end : ends) std::visit([this](const auto& one) { on_end(one); }, end);
  });
}

void Coordinator::on_end(const StepCompleted& completed) {
  const Dispatch& dispatch = *completed.dispatch;
  point("run.on_completion", dispatch.call.run, dispatch.call.step, dispatch.call.attempt);
  if (!is_owed(completed.dispatch)) return;
  LiveRun* run = take_back(completed.dispatch);
  const auto about = [&](EventKind kind, AttemptEnd end) {
    return [&dispatch, &completed, kind, end] {
      EngineEvent event = event_of(kind, dispatch);
      event.duration_ms = completed.record->duration_ms;
      event.end = end;
      event.output_digest = completed.record->output_digest;
      return event;
    };
  };
  if (completed.other)
    config_.reporter->tell(about(EventKind::output_diverged, AttemptEnd::diverged));
  ++config_.counters->steps_completed;
  config_.reporter->tell(about(EventKind::step_completed, AttemptEnd::succeeded));
  if (run != nullptr) run->progress.erase(dispatch.call.step);
  // While the step is open, so that nothing follows from its output before this is known.
  if (run != nullptr && completed.other && !run->stuck) {
    const Result<Commands> commands = run->machine->apply(Recorded{*completed.other});
    if (commands) carry_out(*run, *commands);
  }
  if (run != nullptr) tell(*run, Recorded{*completed.record});
  answer_close_if_done();
}

/// It ends no attempt, but may say what another one's output must not differ from.
void Coordinator::on_late(const Message<AnsweredLate>& late) {
  if (closing_ || lost_) return;
  const std::string& id = late->dispatch->call.run;
  const auto live = live_.find(id);
  if (live != live_.end()) return tell(live->second, Recorded{*late->record});
  if (const auto arriving = arriving_.find(id); arriving != arriving_.end())
    arriving->second.late.push_back(late);
  else
    fetch(id, std::nullopt);
}

void Coordinator::on_end(const AttemptFailed& failed) {
  const StepCall& call = failed.dispatch->call;
  point("run.on_failure", call.run, call.step, call.attempt);
  if (!is_owed(failed.dispatch)) return;
  LiveRun* run = take_back(failed.dispatch);
  config_.reporter->tell([&] {
    EngineEvent event = event_of(EventKind::attempt_ended, *failed.dispatch);
    event.duration_ms = failed.record->duration_ms;
    event.end = failed.record->end;
    if (!failed.record->body.empty()) event.message = error_from_body(failed.record->body).message;
    return event;
  });
  if (run != nullptr && failed.progress && !mutant("progress_not_kept"))
    keep_progress(*run, *failed.progress);
  if (run != nullptr) tell(*run, Recorded{*failed.record});
  answer_close_if_done();
}

void Coordinator::on_end(const WriteRefused& refused) {
  if (!is_owed(refused.dispatch)) return;
  take_back(refused.dispatch);
  if (is_for_good(refused.error.code)) return lose(refused.error);
  give_up(refused.dispatch->call.run, refused.error);
}

void Coordinator::on_down(const caf::down_msg& down) {
  const auto is_down = [&](const auto& actor) { return actor.address() == down.source; };
  if (is_down(config_.store) || is_down(recovery_)) {
    // Answers that it owed never come. What waits for them is dropped with this actor, and so are
    // the tickets of everybody who asks later: each tells that the engine is lost.
    lose(make_error(Errc::engine_lost,
                    "a vital actor died: " + self_->system().render(down.reason)));
    stop_own_actors();
    return self_->quit(caf::exit_reason::unhandled_exception);
  }
  if (!runner_ || !is_down(runner_)) return;
  runner_ = nullptr;
  std::vector<DispatchPtr> lost = busy_;
  std::sort(lost.begin(), lost.end(), by_number);
  gather([&] {
    for (const DispatchPtr& dispatch : lost) lose_attempt(dispatch);
  });
}

void Coordinator::on_end(const AttemptLost& lost) {
  if (is_owed(lost.dispatch)) lose_attempt(lost.dispatch);
}

/// A bug, or an exception such as out-of-memory, in the step runner: the attempt is lost, as in a
/// crash.
void Coordinator::lose_attempt(const DispatchPtr& dispatch) {
  forget_busy(*dispatch);
  dispatch->cancellation().set(Cancellation::Reason::interrupted);
  dispatch->claim();  // where its code has not begun, it will not
  dispatch->claim_end(config_.seams.clock->steady_us());
  const auto run = live_.find(dispatch->call.run);
  if (run != live_.end() && !mutant("dead_runner_ignored")) {
    run->second.running.erase(dispatch->step);
    orphans_.push_back(dispatch);
    write_about(run->second,
                conclude_unanswered(dispatch->call.step, dispatch->call.attempt, AttemptEnd::lost));
  } else {
    queue_.done(dispatch);
  }
  start_queued();
  answer_close_if_done();
}

/// A record of the run was stored, or with null refused: an attempt that the step runner lost is
/// under way until its receipt, or an output that came before, is known to be durable.
void Coordinator::release_orphans(const std::string& run, const Record* stored) {
  if (orphans_.empty()) return;
  const auto is_over = [&](const DispatchPtr& orphan) {
    const StepCall& call = orphan->call;
    return call.run == run && (stored == nullptr ||
                               (stored->step == call.step && (stored->kind == RecordKind::receipt ||
                                                              stored->kind == RecordKind::output)));
  };
  const auto over = std::stable_partition(orphans_.begin(), orphans_.end(), std::not_fn(is_over));
  std::for_each(over, orphans_.end(), [this](const DispatchPtr& orphan) { queue_.done(orphan); });
  if (over == orphans_.end()) return;
  orphans_.erase(over, orphans_.end());
  start_queued();
}

void Coordinator::on_exit() {
  answer_everybody(make_error(Errc::closed, "the engine was closed"));
  stop_own_actors();
}

void Coordinator::stop_own_actors() {
  if (runner_) self_->send_exit(runner_, caf::exit_reason::user_shutdown);
  self_->send_exit(recovery_, caf::exit_reason::user_shutdown);
}

}  // namespace pawl
