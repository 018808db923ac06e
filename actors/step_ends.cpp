#include "actors/step_ends.hpp"

#include <pawl/point.hpp>

#include "actors/actor_manners.hpp"
#include "actors/durable_write.hpp"
#include "actors/stall_watch.hpp"
#include "actors/step_progress.hpp"
#include "actors/take_all.hpp"
#include "runtime/mutant.hpp"
#include "store/record_slot.hpp"

#include <caf/message_priority.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace pawl {

namespace {

using End = EndsBox::End;

/// What the coordinator is told of what is durable now. The only place where a step completes.
StepEnd end_of(const DispatchPtr& dispatch, const std::shared_ptr<const Record>& stored,
               std::shared_ptr<const Record> other,
               const std::shared_ptr<const Progress>& progress = nullptr) {
  if (stored->kind == RecordKind::output) return StepCompleted{dispatch, stored, std::move(other)};
  return AttemptFailed{dispatch, stored, progress};
}

void forget(StepRunnerSelf self, const DispatchPtr& dispatch) {
  const auto found = self->state.attempts.find(dispatch.get());
  if (found == self->state.attempts.end()) return;
  stop_waiting(self, found->second);
  self->state.attempts.erase(found);
}

/// The store has answered about one attempt.
void on_written(StepRunnerSelf self, const End& ended, const WriteReply& reply) {
  StepRunnerState& state = self->state;
  forget(self, ended.dispatch);
  if (reply.status == WriteStatus::refused)
    return state.untold.push_back(WriteRefused{ended.dispatch, reply.error});
  const StepCall& call = ended.dispatch->call;
  point("step.after_write", call.run, call.step, call.attempt);
  std::shared_ptr<const Record> other;
  if (reply.diverged && ended.record->kind == RecordKind::output)
    other = std::make_shared<Record>(receipt_beside_output(*reply.stored, *ended.record));
  state.untold.push_back(end_of(ended.dispatch, reply.stored, std::move(other), reply.progress));
}

/// The store could not write them, or did so without being able to say so: the same bytes again.
void write_again(StepRunnerSelf self, const Message<EndsWritten>& failed) {
  StepRunnerState& state = self->state;
  if (mutant("failed_write_forgotten")) return;
  for (const End& end : failed->ends) {
    state.config.reporter->tell([&] {
      EngineEvent event = event_of(EventKind::write_failed, *end.dispatch);
      event.message = failed->replies.error().text();
      return event;
    });
    const auto* const body = state.config.performers->function(end.dispatch->type);
    if (mutant("rerun_body_on_write_error") && body != nullptr) (*body)(end.dispatch->call);
  }
  later(self, pause_after(state.tries++),
        [self, failed] { self->state.performing->box->put_again(failed->ends); });
}

/// The answer came after its attempt had ended.
void write_late(StepRunnerSelf self, const LateAnswer& answer) {
  const StepRunnerConfig& config = self->state.config;
  const EngineEvent event = event_of(EventKind::late_answer, *answer.dispatch);
  config.reporter->event(event);
  if (mutant("late_answer_completes"))
    self->state.untold.push_back(end_of(answer.dispatch, answer.record, nullptr));
  const auto receipt = std::make_shared<Record>(
      conclude_late(std::move(*answer.record), answer.dispatch->keeps_other_outputs));
  write_until_known<WriteAnswer>(
      self, config.store,
      WritePtr(std::make_shared<const Write>(AppendRecord{answer.dispatch->run, receipt})),
      news_about(config.reporter, event),
      [self, receipt, dispatch = answer.dispatch](const Result<WriteReply>& result) {
        if (!result || result->status == WriteStatus::refused || !dispatch->keeps_other_outputs)
          return;
        self->send(
            self->state.config.coordinator,
            Message<AnsweredLate>(std::make_shared<AnsweredLate>(AnsweredLate{dispatch, receipt})));
      });
}

/// Tells of ends that have waited for long, and looks again when others will have.
void watch_store(StepRunnerSelf self) {
  StepRunnerState& state = self->state;
  state.performing->is_watched = false;  // before looking: who ends from now on says so anew
  const std::int64_t now_us = state.config.seams.clock->steady_us();
  const std::int64_t stall_us = std::chrono::microseconds(store_stall).count();
  std::optional<std::int64_t> next_us;
  std::vector<DispatchPtr> stalled;
  for (auto& [key, attempt] : state.attempts) {
    const std::int64_t ended_us = attempt.dispatch->ended_us();
    if (ended_us == 0 || attempt.is_stalled) continue;
    const std::int64_t left_us = ended_us + stall_us - now_us;
    if (left_us > 0) {
      next_us = std::min(left_us, next_us.value_or(left_us));
    } else {
      attempt.is_stalled = true;
      stalled.push_back(attempt.dispatch);
    }
  }
  std::sort(stalled.begin(), stalled.end(), by_number);
  for (const DispatchPtr& dispatch : stalled)
    state.config.reporter->tell([&] { return event_of(EventKind::store_stalled, *dispatch); });
  if (!next_us) return;
  state.performing->is_watched = true;
  state.stall_alarm.set(self, self->clock().now() + std::chrono::microseconds(*next_us),
                        [self] { watch_store(self); });
}

void post_jobs(StepRunnerSelf self) {
  StepRunnerState& state = self->state;
  if (state.unposted.empty()) return;
  const std::vector<DispatchPtr> of = take_all(state.unposted_of);
  const std::vector<Executor::JobId> ids =
      state.config.seams.executor->post_all(take_all(state.unposted));
  for (std::size_t i = 0; i < of.size(); ++i)
    if (const auto found = state.attempts.find(of[i].get()); found != state.attempts.end())
      found->second.job = ids[i];
}

}  // namespace

void stop_waiting(StepRunnerSelf self, StepRunnerState::Attempt& attempt) {
  StepRunnerState& state = self->state;
  if (attempt.deadline) state.deadlines.erase(*attempt.deadline);
  attempt.deadline.reset();
  const auto performer = state.performers.find(std::exchange(attempt.performer, caf::actor_addr()));
  if (performer == state.performers.end() || --performer->second > 0) return;
  self->demonitor(performer->first);
  state.performers.erase(performer);
}

void end_attempt(StepRunnerSelf self, StepRunnerState::Attempt& attempt,
                 std::shared_ptr<Record> record) {
  const DispatchPtr dispatch = attempt.dispatch;
  stop_waiting(self, attempt);
  leave_end(*self->state.performing, dispatch, std::move(record));
}

void on_result(StepRunnerSelf self, const DispatchPtr& dispatch, std::shared_ptr<Record> record) {
  const auto found = self->state.attempts.find(dispatch.get());
  if (found == self->state.attempts.end() ||
      !dispatch->claim_end(self->state.config.seams.clock->steady_us()))
    return write_late(self, {dispatch, std::move(record)});
  end_attempt(self, found->second, std::move(record));
}

void on_ends_written(StepRunnerSelf self, const Message<EndsWritten>& written) {
  StepRunnerState& state = self->state;
  const Result<std::vector<WriteReply>>& replies = written->replies;
  if (!replies && is_passing(replies.error().code)) return write_again(self, written);
  state.tries = 0;
  auto& durable = state.durable;
  durable.clear();
  std::size_t at = 0;
  for (const End& end : written->ends) {
    const std::size_t reported_at = at;
    if (end.progress) ++at;
    const std::size_t written_at = at++;
    // Of a step runner's that died, too: then the coordinator waits for it no more.
    guarded(self, end.dispatch, [&] {
      if (!replies) {
        forget(self, end.dispatch);
        return state.untold.push_back(WriteRefused{end.dispatch, replies.error()});
      }
      if (end.progress && (*replies)[reported_at].status == WriteStatus::written)
        tell_progress(self, *end.dispatch, *end.progress);
      const WriteReply& reply = (*replies)[written_at];
      on_written(self, end, reply);
      if (reply.status != WriteStatus::refused) durable.emplace_back(&end, &reply);
    });
  }
  flush(self);
  for (const auto& [end, reply] : durable)
    guarded(self, end->dispatch, [&, reply = reply, &call = end->dispatch->call] {
      point(reply->stored->kind == RecordKind::output ? "step.after_completion"
                                                      : "step.after_failure",
            call.run, call.step, call.attempt);
    });
}

void on_thread_news(StepRunnerSelf self, const ThreadNews& news) {
  if (const auto* const late = std::get_if<LateAnswer>(&news))
    guarded(self, late->dispatch, [&] { write_late(self, *late); });
  else if (const auto* const lost = std::get_if<LostAnswer>(&news))
    lose(self, lost->dispatch, lost->why);
  else
    watch_store(self);
}

void flush(StepRunnerSelf self) {
  StepRunnerState& state = self->state;
  post_jobs(self);
  if (state.untold.empty()) return;
  // Before thousands of starts, which may be in its mail: what has begun comes to its end first.
  self->send<caf::message_priority::high>(
      state.config.coordinator,
      StepEndsPtr(std::make_shared<const std::vector<StepEnd>>(take_all(state.untold))));
}

void lose(StepRunnerSelf self, const DispatchPtr& dispatch, const std::string& why) {
  StepRunnerState& state = self->state;
  state.config.reporter->log(LogLevel::error, "bug: the pawl.step_runner threw: " + why);
  forget(self, dispatch);
  // Not push_back: GCC 12 warns at -O3 of what the temporary variant does not hold.
  state.untold.emplace_back(AttemptLost{dispatch});
}

}  // namespace pawl
