#include "actors/step_runner.hpp"

#include <pawl/point.hpp>

#include "actors/actor_manners.hpp"
#include "actors/durable_write.hpp"
#include "actors/stall_watch.hpp"
#include "actors/step_progress.hpp"
#include "runtime/mutant.hpp"
#include "store/record_slot.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace pawl {

namespace {

using Self = StepRunnerSelf;
using Phase = StepRunnerState::Phase;
using TimePoint = Alarm::TimePoint;

void on_alarm(Self self);
void perform_attempt(Self self);

void set_deadline(Self self, TimePoint deadline) {
  self->state.deadline = deadline;
  if (deadline != TimePoint{}) self->state.alarm.set(self, deadline, [self] { on_alarm(self); });
}

/// Tells the coordinator what is durable now. The only place where a step completes.
void complete(Self self, const DispatchPtr& dispatch, const std::shared_ptr<const Record>& stored,
              std::shared_ptr<const Record> other,
              const std::shared_ptr<const Progress>& progress = nullptr) {
  if (stored->kind == RecordKind::output)
    self->send(self->state.config.coordinator,
               Message<StepCompleted>(std::make_shared<StepCompleted>(
                   StepCompleted{dispatch, stored, std::move(other)})));
  else
    self->send(self->state.config.coordinator,
               Message<AttemptFailed>(
                   std::make_shared<AttemptFailed>(AttemptFailed{dispatch, stored, progress})));
}

void become_idle(Self self) {
  self->state.phase = Phase::idle;
  self->state.current = nullptr;
  self->state.reporting = {};
  self->state.deadline = TimePoint{};
}

void on_written(Self self, const std::shared_ptr<const Record>& record,
                const Result<WriteReply>& result) {
  if (mutant("complete_before_write")) return;
  const DispatchPtr dispatch = self->state.current;
  become_idle(self);
  if (!result || result->status == WriteStatus::refused) {
    const Error why = result ? result->error : result.error();
    self->send(self->state.config.coordinator,
               Message<WriteRefused>(std::make_shared<WriteRefused>(WriteRefused{dispatch, why})));
    return;
  }
  const StepCall& call = dispatch->call;
  point("step.after_write", call.run, call.step, call.attempt);
  std::shared_ptr<const Record> other;
  if (result->diverged && record->kind == RecordKind::output)
    other = std::make_shared<Record>(receipt_beside_output(*result->stored, *record));
  complete(self, dispatch, result->stored, std::move(other), result->progress);
  point(result->stored->kind == RecordKind::output ? "step.after_completion" : "step.after_failure",
        call.run, call.step, call.attempt);
}

void write_both(Self self, const std::shared_ptr<Progress>& progress,
                const std::shared_ptr<Record>& record) {
  const StepRunnerConfig& config = self->state.config;
  const DispatchPtr dispatch = self->state.current;
  auto both = std::make_shared<std::vector<Write>>();
  // Not what is in flight itself: its answer fills that in.
  both->push_back(NoteProgress{dispatch->run, std::make_shared<Progress>(*progress)});
  both->push_back(AppendRecord{dispatch->run, record});
  write_until_known<WriteGroupAnswer>(
      self, config.store, WriteGroupPtr(both), config.reporter,
      event_of(EventKind::write_failed, *dispatch),
      [self, dispatch, progress, record](const Result<std::vector<WriteReply>>& result) {
        if (result && result->front().status == WriteStatus::written)
          tell_progress(self, *dispatch, *progress);
        on_written(
            self, record,
            result ? Result<WriteReply>(result->back()) : Result<WriteReply>(result.error()));
      });
}

/// The attempt has ended: its record is written, and again until the outcome is known; then it
/// completes.
void write_record(Self self, std::shared_ptr<Record> record) {
  StepRunnerState& state = self->state;
  const DispatchPtr dispatch = state.current;
  state.phase = Phase::writing;
  if (state.performer) self->demonitor(std::exchange(state.performer, caf::actor_addr()));
  set_deadline(self, self->clock().now() + store_stall);
  const StepCall& call = dispatch->call;
  point("step.before_write", call.run, call.step, call.attempt);
  const std::shared_ptr<Progress> progress = last_progress(self);
  if (mutant("complete_before_write")) {
    become_idle(self);
    complete(self, dispatch, record, nullptr);
  }
  if (progress) return write_both(self, progress, record);
  const WritePtr write = std::make_shared<const Write>(AppendRecord{dispatch->run, record});
  if (mutant("rerun_body_on_write_error")) {
    self->request(state.config.store, caf::infinite, write)
        .then([self, record](const WriteAnswer& answer) {
          if (!answer->has_value() && is_passing(answer->error().code))
            return perform_attempt(self);
          on_written(self, record, *answer);
        });
    return;
  }
  write_until_known<WriteAnswer>(
      self, state.config.store, write, state.config.reporter,
      event_of(EventKind::write_failed, *dispatch),
      [self, record](const Result<WriteReply>& result) { on_written(self, record, result); });
}

void on_answer(Self self, const Answer& answer) {
  StepRunnerState& state = self->state;
  if (state.phase == Phase::performing && answer.dispatch == state.current)
    return write_record(self, answer.record);
  EngineEvent event = event_of(EventKind::late_answer, *answer.dispatch);
  state.config.reporter->event(event);
  if (mutant("late_answer_completes")) complete(self, answer.dispatch, answer.record, nullptr);
  const auto receipt = std::make_shared<Record>(
      conclude_late(std::move(*answer.record), answer.dispatch->keeps_other_outputs));
  write_until_known<WriteAnswer>(
      self, state.config.store,
      WritePtr(std::make_shared<const Write>(AppendRecord{answer.dispatch->run, receipt})),
      state.config.reporter, event,
      [self, receipt, dispatch = answer.dispatch](const Result<WriteReply>& result) {
        if (!result || result->status == WriteStatus::refused || !dispatch->keeps_other_outputs)
          return;
        self->send(
            self->state.config.coordinator,
            Message<AnsweredLate>(std::make_shared<AnsweredLate>(AnsweredLate{dispatch, receipt})));
      });
}

void perform_by_function(Self self, const StepBody::Function* function) {
  const StepRunnerConfig& config = self->state.config;
  EngineSeams seams = config.seams;
  seams.executor = nullptr;  // a job must not own the threads that it runs on
  self->state.job = config.seams.executor->post_by_priority(
      [function, steps = config.performers->steps(), dispatch = self->state.current, seams,
       gate = config.gate, runner = caf::actor_cast<caf::weak_actor_ptr>(self)] {
        const auto record = std::make_shared<Record>(perform(*function, *dispatch, seams));
        gate->pass([&] {
          if (const auto alive = runner.lock())
            caf::anon_send(caf::actor_cast<StepRunnerActor>(alive),
                           Message<Answer>(std::make_shared<Answer>(Answer{dispatch, record})));
        });
      },
      self->state.current->priority);
}

/// The step's actor has answered, or will not.
void on_result(Self self, const DispatchPtr& dispatch, StepResult result) {
  const StepCall& call = dispatch->call;
  point("step.after_body", call.run, call.step, call.attempt);
  Record record = conclude(facts_of(*dispatch, self->state.config.seams), std::move(result),
                           dispatch->cancellation->reason());
  on_answer(self, Answer{dispatch, std::make_shared<Record>(std::move(record))});
}

void perform_by_actor(Self self) {
  StepRunnerState& state = self->state;
  const DispatchPtr dispatch = state.current;
  if (const Result<void> begun = begin_body(*dispatch, state.config.seams); !begun)
    return write_record(self, std::make_shared<Record>(conclude_refused(
                                  facts_of(*dispatch, state.config.seams), begun.error())));
  const StepCall& call = dispatch->call;
  if (std::optional<Record> withdrawn = claim_or_conclude(*dispatch))
    return write_record(self, std::make_shared<Record>(std::move(*withdrawn)));
  point("step.before_body", call.run, call.step, call.attempt);
  const StepActor actor = state.config.performers->actor(dispatch->type);
  if (!actor)
    return on_result(self, dispatch, retry("the step's actor is gone: the engine closes"));
  // CAF tells nobody of the promises that an actor takes to its grave.
  state.performer = actor.address();
  self->monitor(actor);
  self->request(actor, caf::infinite, StepCallPtr(dispatch, &call))
      .then([self, dispatch](const StepResult& result) { on_result(self, dispatch, result); },
            [self, dispatch](const caf::error& error) {
              if (dispatch->performer_died) return;
              on_result(
                  self, dispatch,
                  unclear("the step's actor gave no result: " + self->system().render(error)));
            });
}

void on_down(Self self, const caf::down_msg& down) {
  StepRunnerState& state = self->state;
  if (down.source == state.config.coordinator.address()) {
    // Nobody is left to tell; the store, which is told last, has what was sent to it.
    if (state.current) state.current->cancellation->set(Cancellation::Reason::interrupted);
    return self->quit(caf::exit_reason::user_shutdown);
  }
  if (state.phase != Phase::performing || down.source != state.performer) return;
  state.current->performer_died = true;
  on_result(self, state.current,
            unclear("the step's actor died: " + self->system().render(down.reason)));
}

/// How long the attempt may go on, if it does not report.
struct TimeLeft {
  static constexpr std::int64_t for_ever = std::numeric_limits<std::int64_t>::max();

  std::int64_t us = for_ever;
  bool is_heartbeat = false;  // which of its two limits comes first
};

/// Both limits count from the moment at which the body began, which may wait for a thread until
/// now; each report lets the heartbeat's begin anew.
TimeLeft time_left(Self self) {
  const StepRunnerState& state = self->state;
  const Dispatch& dispatch = *state.current;
  const std::int64_t now_us = state.config.seams.clock->steady_us();
  const std::int64_t began_us = dispatch.began_us.load(std::memory_order_acquire);
  const std::int64_t beat_us = mutant("heartbeat_not_restarted") ? 0 : dispatch.reports->last_us();
  const auto left_us = [&](std::int64_t limit_ms, std::int64_t since_us) {
    return limit_ms * 1000 - (began_us == 0 ? 0 : now_us - since_us);
  };
  TimeLeft left;
  if (dispatch.timeout_ms > 0) left.us = left_us(dispatch.timeout_ms, began_us);
  if (dispatch.heartbeat_ms == 0 || mutant("heartbeat_forgotten")) return left;
  const std::int64_t silent_us = left_us(dispatch.heartbeat_ms, std::max(began_us, beat_us));
  return silent_us < left.us ? TimeLeft{silent_us, true} : left;
}

void perform_attempt(Self self) {
  StepRunnerState& state = self->state;
  state.phase = Phase::performing;
  const Dispatch& dispatch = *state.current;
  if (dispatch.refused)
    return write_record(self, std::make_shared<Record>(conclude_refused(
                                  facts_of(dispatch, state.config.seams), *dispatch.refused)));
  hear_reports(self);
  const TimeLeft left = time_left(self);
  set_deadline(self, left.us == TimeLeft::for_ever
                         ? TimePoint{}
                         : self->clock().now() + std::chrono::microseconds(left.us));
  if (const auto* function = state.config.performers->function(dispatch.type))
    perform_by_function(self, function);
  else
    perform_by_actor(self);
}

void time_out(Self self, bool is_silent) {
  StepRunnerState& state = self->state;
  const Dispatch& dispatch = *state.current;
  dispatch.cancellation->set(Cancellation::Reason::timed_out);
  if (state.config.performers->function(dispatch.type) != nullptr &&
      state.config.seams.executor->abandon(state.job) == Executor::Abandoned::exhausted) {
    EngineEvent event = event_of(EventKind::threads_hang, dispatch);
    event.message = std::to_string(state.config.seams.executor->hanging()) +
                    " steps did not return in time and hold their threads, this one last; others "
                    "may have to wait";
    state.config.reporter->event(event);
  }
  const AttemptFacts facts = facts_of(dispatch, state.config.seams);
  write_record(
      self, std::make_shared<Record>(is_silent ? conclude_silent(facts, dispatch.heartbeat_ms)
                                               : conclude_timed_out(facts, dispatch.timeout_ms)));
}

void on_alarm(Self self) {
  StepRunnerState& state = self->state;
  if (state.deadline == TimePoint{}) return;
  const TimePoint now = self->clock().now();
  if (now < state.deadline) return set_deadline(self, state.deadline);
  if (state.phase == Phase::writing) {
    state.deadline = TimePoint{};
    state.config.reporter->event(event_of(EventKind::store_stalled, *state.current));
    return;
  }
  const TimeLeft left = time_left(self);
  if (left.us == TimeLeft::for_ever) return set_deadline(self, TimePoint{});
  if (left.us > 0) return set_deadline(self, now + std::chrono::microseconds(left.us));
  time_out(self, left.is_heartbeat);
}

}  // namespace

StepRunnerActor::behavior_type step_runner(StepRunnerActor::stateful_pointer<StepRunnerState> self,
                                           StepRunnerConfig config) {
  self->state.config = std::move(config);
  set_manners(self, self->state.config.reporter, StepRunnerState::name);
  self->monitor(self->state.config.coordinator);
  self->set_down_handler([self](caf::down_msg& down) { on_down(self, down); });
  return {
      [self](const DispatchPtr& dispatch) {
        self->state.current = dispatch;
        self->state.config.reporter->event(event_of(EventKind::step_started, *dispatch));
        perform_attempt(self);
      },
      [self](const Message<Answer>& answer) { on_answer(self, *answer); },
      [self](const Message<Reported>& reported) { on_reported(self, *reported); },
      [](const Later& work) { (*work)(); },
  };
}

}  // namespace pawl
