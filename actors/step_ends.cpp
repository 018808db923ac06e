#include "actors/step_ends.hpp"

#include <pawl/point.hpp>

#include "actors/actor_manners.hpp"
#include "actors/durable_write.hpp"
#include "actors/step_progress.hpp"
#include "actors/worker_policy.hpp"
#include "runtime/mutant.hpp"
#include "store/record_slot.hpp"

#include <caf/actor_cast.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace pawl {

namespace {

using Self = StepRunnerSelf;
using Ended = StepRunnerState::Ended;
using Batch = std::shared_ptr<const std::vector<Ended>>;
using BatchReplies = Result<std::vector<WriteReply>>;

/// What the coordinator is told of what is durable now. The only place where a step completes.
StepEnd end_of(const DispatchPtr& dispatch, const std::shared_ptr<const Record>& stored,
               std::shared_ptr<const Record> other,
               const std::shared_ptr<const Progress>& progress = nullptr) {
  if (stored->kind == RecordKind::output) return StepCompleted{dispatch, stored, std::move(other)};
  return AttemptFailed{dispatch, stored, progress};
}

/// The store has answered about one attempt.
void on_written(Self self, const Ended& ended, const WriteReply& reply) {
  StepRunnerState& state = self->state;
  state.attempts.erase(ended.dispatch.get());
  if (reply.status == WriteStatus::refused)
    return state.untold.push_back(WriteRefused{ended.dispatch, reply.error});
  const StepCall& call = ended.dispatch->call;
  point("step.after_write", call.run, call.step, call.attempt);
  std::shared_ptr<const Record> other;
  if (reply.diverged && ended.record->kind == RecordKind::output)
    other = std::make_shared<Record>(receipt_beside_output(*reply.stored, *ended.record));
  state.untold.push_back(end_of(ended.dispatch, reply.stored, std::move(other), reply.progress));
}

void write_ended(Self self);

void on_batch_written(Self self, const Batch& batch, const BatchReplies& replies) {
  StepRunnerState& state = self->state;
  state.is_writing = false;
  // First: the store is idle until it comes.
  take_answers(self);
  write_ended(self);
  if (!state.is_writing && state.config.turn->end())
    self->send(state.config.store, Message<NoEnds>(std::make_shared<NoEnds>()));
  leave_to_others();
  if (mutant("complete_before_write")) return flush(self);
  std::size_t at = 0;
  for (const Ended& ended : *batch) {
    const std::size_t reported_at = at;
    if (ended.progress) ++at;
    const std::size_t written_at = at++;
    guarded(self, ended.dispatch, [&] {
      if (!replies) {
        state.attempts.erase(ended.dispatch.get());
        return state.untold.push_back(WriteRefused{ended.dispatch, replies.error()});
      }
      if (ended.progress && (*replies)[reported_at].status == WriteStatus::written)
        tell_progress(self, *ended.dispatch, *ended.progress);
      on_written(self, ended, (*replies)[written_at]);
    });
  }
  flush(self);
  if (!replies) return;
  at = 0;
  for (const Ended& ended : *batch) {
    at += ended.progress ? 2 : 1;
    const WriteReply& reply = (*replies)[at - 1];
    if (reply.status == WriteStatus::refused) continue;
    const StepCall& call = ended.dispatch->call;
    guarded(self, ended.dispatch, [&] {
      point(
          reply.stored->kind == RecordKind::output ? "step.after_completion" : "step.after_failure",
          call.run, call.step, call.attempt);
    });
  }
}

/// Tells of each attempt of the batch.
WriteNews news_of(const Batch& batch, const std::shared_ptr<Reporter>& reporter) {
  return [batch, reporter](EventKind kind, const std::string& message) {
    for (const Ended& ended : *batch)
      reporter->tell([&] {
        EngineEvent event = event_of(kind, *ended.dispatch);
        event.message = message;
        return event;
      });
  };
}

Message<EndsGroup> writes_of(const std::vector<Ended>& batch) {
  auto group = std::make_shared<EndsGroup>();
  std::vector<Write>& writes = group->writes;
  writes.reserve(batch.size());
  for (const Ended& ended : batch) {
    const RunKey run = ended.dispatch->run;
    // Not the report itself, which somebody reads meanwhile: the store fills its copy in.
    if (ended.progress)
      writes.push_back(NoteProgress{run, std::make_shared<Progress>(*ended.progress)});
    writes.push_back(AppendRecord{run, ended.record});
  }
  return group;
}

void write_ended(Self self) {
  StepRunnerState& state = self->state;
  if (state.unwritten.empty() || state.is_writing) return;
  state.is_writing = true;
  const Batch batch =
      std::make_shared<const std::vector<Ended>>(std::exchange(state.unwritten, {}));
  const Message<EndsGroup> writes = writes_of(*batch);
  if (mutant("rerun_body_on_write_error")) {
    self->request(state.config.store, caf::infinite, writes)
        .then([self, batch](const WriteGroupAnswer& answer) {
          if (!answer->has_value() && is_passing(answer->error().code)) {
            self->state.is_writing = false;
            for (const Ended& ended : *batch) {
              self->state.attempts.erase(ended.dispatch.get());
              self->send(
                  caf::actor_cast<StepRunnerActor>(self),
                  std::make_shared<const std::vector<DispatchPtr>>(std::vector{ended.dispatch}));
            }
            return;
          }
          on_batch_written(self, batch, *answer);
        });
    return;
  }
  const WriteNews news = news_of(batch, state.config.reporter);
  const StallWatch::Id sent = state.stalls.sent(self, news);
  write_until_known<WriteGroupAnswer>(self, state.config.store, writes, news,
                                      [self, batch, sent](const BatchReplies& replies) {
                                        self->state.stalls.answered(sent);
                                        on_batch_written(self, batch, replies);
                                      });
}

/// The answer came after its attempt had ended.
void write_late(Self self, const AnswerBox::Answer& answer) {
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

void post_jobs(Self self) {
  StepRunnerState& state = self->state;
  if (state.unposted.empty()) return;
  const std::vector<DispatchPtr> of = std::exchange(state.unposted_of, {});
  const std::vector<Executor::JobId> ids =
      state.config.seams.executor->post_all(std::exchange(state.unposted, {}));
  for (std::size_t i = 0; i < of.size(); ++i)
    if (const auto found = state.attempts.find(of[i].get()); found != state.attempts.end())
      found->second.job = ids[i];
}

}  // namespace

void stop_waiting(Self self, StepRunnerState::Attempt& attempt) {
  StepRunnerState& state = self->state;
  if (attempt.deadline) state.deadlines.erase(*attempt.deadline);
  attempt.deadline.reset();
  const auto performer = state.performers.find(std::exchange(attempt.performer, caf::actor_addr()));
  if (performer == state.performers.end() || --performer->second > 0) return;
  self->demonitor(performer->first);
  state.performers.erase(performer);
}

void write_record(Self self, StepRunnerState::Attempt& attempt, std::shared_ptr<Record> record) {
  StepRunnerState& state = self->state;
  const DispatchPtr dispatch = attempt.dispatch;
  attempt.is_writing = true;
  stop_waiting(self, attempt);
  const StepCall& call = dispatch->call;
  point("step.before_write", call.run, call.step, call.attempt);
  std::shared_ptr<Progress> progress = last_progress(attempt);
  if (mutant("complete_before_write")) {
    state.attempts.erase(dispatch.get());
    state.untold.push_back(end_of(dispatch, record, nullptr));
  }
  state.unwritten.push_back({dispatch, std::move(record), std::move(progress)});
}

void on_answer(Self self, const AnswerBox::Answer& answer) {
  const auto found = self->state.attempts.find(answer.dispatch.get());
  if (found == self->state.attempts.end() || found->second.is_writing)
    return write_late(self, answer);
  write_record(self, found->second, answer.record);
}

void take_answers(Self self) {
  StepRunnerState& state = self->state;
  state.performing->box->take(state.answers);
  for (const AnswerBox::Answer& answer : state.answers)
    guarded(self, answer.dispatch, [&] { on_answer(self, answer); });
  state.answers.clear();
}

void flush(Self self) {
  StepRunnerState& state = self->state;
  post_jobs(self);
  if (mutant("complete_before_write"))
    later(self, std::chrono::milliseconds(1), [self] { write_ended(self); });
  else
    write_ended(self);
  if (state.untold.empty()) return;
  self->send(
      state.config.coordinator,
      StepEndsPtr(std::make_shared<const std::vector<StepEnd>>(std::exchange(state.untold, {}))));
}

void lose(Self self, const DispatchPtr& dispatch, const std::string& why) {
  StepRunnerState& state = self->state;
  state.config.reporter->log(LogLevel::error, "bug: the pawl.step_runner threw: " + why);
  if (const auto found = state.attempts.find(dispatch.get()); found != state.attempts.end()) {
    stop_waiting(self, found->second);
    state.attempts.erase(found);
  }
  state.untold.push_back(AttemptLost{dispatch});
}

}  // namespace pawl
