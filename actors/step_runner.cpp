#include "actors/step_runner.hpp"

#include <pawl/point.hpp>

#include "actors/actor_manners.hpp"
#include "actors/step_ends.hpp"
#include "actors/step_progress.hpp"
#include "runtime/mutant.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace pawl {

namespace {

using Attempt = StepRunnerState::Attempt;
using TimePoint = StepRunnerState::TimePoint;

void on_alarm(StepRunnerSelf self);

void set_deadline(StepRunnerSelf self, Attempt& attempt, TimePoint at) {
  StepRunnerState& state = self->state;
  if (attempt.deadline) state.deadlines.erase(*attempt.deadline);
  attempt.deadline = state.deadlines.emplace(at, attempt.dispatch.get());
  state.alarm.set(self, state.deadlines.begin()->first, [self] { on_alarm(self); });
}

void perform_by_function(StepRunnerSelf self, const Attempt& attempt,
                         const StepBody::Function* function) {
  StepRunnerState& state = self->state;
  state.unposted_of.push_back(attempt.dispatch);
  state.unposted.push_back({[function, performing = state.performing, dispatch = attempt.dispatch] {
                              perform_and_leave(*performing, *function, dispatch);
                            },
                            attempt.dispatch->priority});
}

/// The step's actor has answered, or will not.
void on_answer(StepRunnerSelf self, const DispatchPtr& dispatch, StepResult result) {
  const StepCall& call = dispatch->call;
  point("step.after_body", call.run, call.step, call.attempt);
  Record record = conclude(facts_of(*dispatch, self->state.config.seams), std::move(result),
                           dispatch->cancellation().reason());
  on_result(self, dispatch, std::make_shared<Record>(std::move(record)));
}

/// An attempt ends here that nobody else can end.
void end_here(StepRunnerSelf self, Attempt& attempt, Record record) {
  if (attempt.dispatch->claim_end(self->state.config.seams.clock->steady_us()))
    end_attempt(self, attempt, std::make_shared<Record>(std::move(record)));
}

void perform_by_actor(StepRunnerSelf self, Attempt& attempt) {
  StepRunnerState& state = self->state;
  const DispatchPtr dispatch = attempt.dispatch;
  if (const Result<void> begun = begin_body(*dispatch, state.config.seams); !begun)
    return end_here(self, attempt,
                    conclude_refused(facts_of(*dispatch, state.config.seams), begun.error()));
  const StepCall& call = dispatch->call;
  if (std::optional<Record> withdrawn = claim_or_conclude(*dispatch))
    return end_here(self, attempt, std::move(*withdrawn));
  point("step.before_body", call.run, call.step, call.attempt);
  const StepActor actor = state.config.performers->actor(dispatch->type);
  if (!actor)
    return on_answer(self, dispatch, retry("the step's actor is gone: the engine closes"));
  // CAF tells nobody of the promises that an actor takes to its grave.
  attempt.performer = actor.address();
  if (++state.performers[attempt.performer] == 1) self->monitor(actor);
  const auto end = [self, dispatch](StepResult result) {
    guarded(self, dispatch, [&] { on_answer(self, dispatch, std::move(result)); });
    flush(self);
  };
  self->request(actor, caf::infinite, StepCallPtr(dispatch, &call))
      .then([end](const StepResult& result) { end(result); },
            [self, dispatch, end](const caf::error& error) {
              if (dispatch->performer_died) return;
              end(unclear("the step's actor gave no result: " + self->system().render(error)));
            });
}

/// A step's actor died: so do the attempts that it performs.
void on_performer_down(StepRunnerSelf self, const caf::down_msg& down) {
  StepRunnerState& state = self->state;
  if (state.performers.erase(down.source) == 0) return;
  std::vector<DispatchPtr> left;
  for (const auto& [key, attempt] : state.attempts)
    if (attempt.performer == down.source) left.push_back(attempt.dispatch);
  std::sort(left.begin(), left.end(), by_number);
  for (const DispatchPtr& dispatch : left)
    guarded(self, dispatch, [&] {
      dispatch->performer_died = true;
      on_answer(self, dispatch,
                unclear("the step's actor died: " + self->system().render(down.reason)));
    });
  flush(self);
}

void on_down(StepRunnerSelf self, const caf::down_msg& down) {
  StepRunnerState& state = self->state;
  if (down.source != state.config.coordinator.address()) return on_performer_down(self, down);
  // Nobody is left to tell; the store, which is told last, has what was sent to it.
  for (const auto& [key, attempt] : state.attempts)
    attempt.dispatch->cancellation().set(Cancellation::Reason::interrupted);
  self->quit(caf::exit_reason::user_shutdown);
}

/// How long the attempt may go on, if it does not report.
struct TimeLeft {
  static constexpr std::int64_t for_ever = std::numeric_limits<std::int64_t>::max();

  std::int64_t us = for_ever;
  bool is_heartbeat = false;  // which of its two limits comes first
};

/// Both limits count from the moment at which the body began, which may wait for a thread until
/// now; each report lets the heartbeat's begin anew.
TimeLeft time_left(StepRunnerSelf self, const Dispatch& dispatch) {
  TimeLeft left;
  if (dispatch.timeout_ms == 0 && dispatch.heartbeat_ms == 0) return left;
  const std::int64_t now_us = self->state.config.seams.clock->steady_us();
  const std::int64_t began_us = dispatch.began_us.load(std::memory_order_acquire);
  const std::int64_t beat_us = mutant("heartbeat_not_restarted") ? 0 : dispatch.reports().last_us();
  const auto left_us = [&](std::int64_t limit_ms, std::int64_t since_us) {
    return limit_ms * 1000 - (began_us == 0 ? 0 : now_us - since_us);
  };
  if (dispatch.timeout_ms > 0) left.us = left_us(dispatch.timeout_ms, began_us);
  if (dispatch.heartbeat_ms == 0 || mutant("heartbeat_forgotten")) return left;
  const std::int64_t silent_us = left_us(dispatch.heartbeat_ms, std::max(began_us, beat_us));
  return silent_us < left.us ? TimeLeft{silent_us, true} : left;
}

void begin(StepRunnerSelf self, const DispatchPtr& dispatch) {
  StepRunnerState& state = self->state;
  state.config.reporter->tell([&] { return event_of(EventKind::step_started, *dispatch); });
  Attempt& attempt = state.attempts[dispatch.get()];
  attempt.dispatch = dispatch;
  if (dispatch->refused)
    return end_here(self, attempt,
                    conclude_refused(facts_of(*dispatch, state.config.seams), *dispatch->refused));
  hear_reports(self, dispatch);
  if (const TimeLeft left = time_left(self, *dispatch); left.us != TimeLeft::for_ever)
    set_deadline(self, attempt, self->clock().now() + std::chrono::microseconds(left.us));
  if (const auto* function = state.config.performers->function(dispatch->type))
    perform_by_function(self, attempt, function);
  else
    perform_by_actor(self, attempt);
}

void time_out(StepRunnerSelf self, Attempt& attempt, bool is_silent) {
  const StepRunnerConfig& config = self->state.config;
  const Dispatch& dispatch = *attempt.dispatch;
  if (!attempt.dispatch->claim_end(config.seams.clock->steady_us())) return;  // it has answered
  dispatch.cancellation().set(Cancellation::Reason::timed_out);
  if (config.performers->function(dispatch.type) != nullptr &&
      config.seams.executor->abandon(attempt.job) == Executor::Abandoned::exhausted) {
    EngineEvent event = event_of(EventKind::threads_hang, dispatch);
    event.message = std::to_string(config.seams.executor->hanging()) +
                    " steps did not return in time and hold their threads, this one last; others "
                    "may have to wait";
    config.reporter->event(event);
  }
  const AttemptFacts facts = facts_of(dispatch, config.seams);
  end_attempt(self, attempt,
              std::make_shared<Record>(is_silent ? conclude_silent(facts, dispatch.heartbeat_ms)
                                                 : conclude_timed_out(facts, dispatch.timeout_ms)));
}

/// The time of the attempt may be over.
void on_deadline(StepRunnerSelf self, Attempt& attempt, TimePoint now) {
  const TimeLeft left = time_left(self, *attempt.dispatch);
  if (left.us > 0) return set_deadline(self, attempt, now + std::chrono::microseconds(left.us));
  time_out(self, attempt, left.is_heartbeat);
}

void on_alarm(StepRunnerSelf self) {
  StepRunnerState& state = self->state;
  const TimePoint now = self->clock().now();
  while (!state.deadlines.empty() && state.deadlines.begin()->first <= now) {
    Attempt& attempt = state.attempts.at(state.deadlines.begin()->second);
    state.deadlines.erase(state.deadlines.begin());
    attempt.deadline.reset();
    guarded(self, DispatchPtr(attempt.dispatch), [&] { on_deadline(self, attempt, now); });
  }
  if (!state.deadlines.empty())
    state.alarm.set(self, state.deadlines.begin()->first, [self] { on_alarm(self); });
  flush(self);
}

/// What threads that may outlive the runner need of it.
std::shared_ptr<Performing> performing_for(StepRunnerSelf self) {
  const StepRunnerConfig& config = self->state.config;
  auto performing = std::make_shared<Performing>();
  performing->steps = config.performers->steps();
  performing->seams = config.seams;
  performing->seams.executor = nullptr;
  performing->box = config.ends;
  performing->tell = [gate = config.gate,
                      runner = caf::actor_cast<caf::weak_actor_ptr>(self)](ThreadNews news) {
    gate->pass([&] {
      if (const auto alive = runner.lock())
        caf::anon_send(caf::actor_cast<StepRunnerActor>(alive),
                       Message<ThreadNews>(std::make_shared<ThreadNews>(std::move(news))));
    });
  };
  config.ends->set_runner(caf::actor_cast<caf::weak_actor_ptr>(self));
  return performing;
}

}  // namespace

StepRunnerActor::behavior_type step_runner(StepRunnerSelf self, StepRunnerConfig config) {
  self->state.config = std::move(config);
  self->state.performing = performing_for(self);
  self->state.reports_desk = reports_desk_for(self);
  set_manners(self, self->state.config.reporter, StepRunnerState::name);
  self->monitor(self->state.config.coordinator);
  self->set_down_handler([self](caf::down_msg& down) { on_down(self, down); });
  return {
      [self](const DispatchesPtr& dispatches) {
        for (const DispatchPtr& dispatch : *dispatches)
          guarded(self, dispatch, [&] { begin(self, dispatch); });
        flush(self);
      },
      [self](const Message<EndsWritten>& written) { on_ends_written(self, written); },
      [self](const Message<ThreadNews>& news) {
        on_thread_news(self, *news);
        flush(self);
      },
      [self](const Message<Reported>& reported) {
        if (const DispatchPtr dispatch = reported->dispatch.lock())
          guarded(self, dispatch, [&] { on_reported(self, *reported); });
        flush(self);
      },
      [](const Later& work) { (*work)(); },
  };
}

}  // namespace pawl
