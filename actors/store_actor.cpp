#include "actors/store_actor.hpp"

#include "actors/actor_manners.hpp"
#include "runtime/mutant.hpp"
#include "store/batch_points.hpp"
#include "store/record_slot.hpp"

#include <caf/typed_actor_view.hpp>

namespace pawl {

namespace {

/// A batch this large commits without waiting for the rest of the mail, so that its memory stays
/// bounded.
constexpr std::size_t batch_max = 4096;

/// Seeded bug: whether the same output waits in the batch already, as if waiting were being
/// durable.
bool waits_already(const StoreActorState& state, const Write& write) {
  const auto* append = std::get_if<AppendRecord>(&write);
  if (append == nullptr) return false;
  for (const auto& [waiting, promise] : state.waiting) {
    const auto* other = std::get_if<AppendRecord>(waiting.get());
    if (other != nullptr && other->run == append->run &&
        other->record->step == append->record->step &&
        slot_of(*other->record) == slot_of(*append->record))
      return true;
  }
  return false;
}

/// Seeded bug: records are said to be written, whatever becomes of them. A promise is answered
/// once.
void answer_all_as_written(
    const std::vector<std::pair<WritePtr, StoreActorState::Promise>>& batch) {
  for (const auto& [write, waiting] : batch)
    if (const auto* append = std::get_if<AppendRecord>(write.get())) {
      StoreActorState::Promise promise = waiting;
      promise.deliver(std::make_shared<const Result<WriteReply>>(WriteReply{
          WriteStatus::written, append->run, append->record, false, RunState::running, {}}));
    }
}

}  // namespace

void StoreActorState::commit() {
  commit_asked = false;
  if (waiting.empty()) return;
  const auto batch = std::move(waiting);
  waiting.clear();
  std::vector<const Write*> writes;
  writes.reserve(batch.size());
  for (const auto& [write, promise] : batch) writes.push_back(write.get());

  if (mutant("answer_before_commit")) answer_all_as_written(batch);
  Result<std::vector<WriteReply>> replies = write(writes);
  config.counters->writes_waiting = 0;
  if (mutant("commit_error_answered_as_written") && !replies) answer_all_as_written(batch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Promise promise = batch[i].second;
    promise.deliver(std::make_shared<const Result<WriteReply>>(
        replies ? Result<WriteReply>(std::move((*replies)[i]))
                : Result<WriteReply>(replies.error())));
  }
  batch_point("store.after_reply", writes);
}

Result<std::vector<WriteReply>> StoreActorState::write(const std::vector<const Write*>& writes) {
  batch_point("store.before_begin", writes);
  const std::int64_t began_us = config.seams.clock->steady_us();
  Result<std::vector<WriteReply>> replies =
      config.store->write(writes, config.seams.clock->now_ms());
  config.counters->note_commit(static_cast<std::int64_t>(writes.size()),
                               config.seams.clock->steady_us() - began_us);
  config.counters->wal_bytes = config.store->wal_bytes();
  return replies;
}

StoreActor::behavior_type store_actor(StoreActor::stateful_pointer<StoreActorState> self,
                                      StoreActorConfig config) {
  self->state.config = std::move(config);
  set_manners(self, self->state.config.reporter, StoreActorState::name);
  // What was taken is written before the store goes.
  self->set_exit_handler([self](caf::exit_msg& exit) {
    self->state.commit();
    self->quit(std::move(exit.reason));
  });
  return {
      [self](const WritePtr& write) -> caf::result<WriteAnswer> {
        StoreActorState& state = self->state;
        auto promise = self->make_response_promise<WriteAnswer>();
        if (mutant("exists_before_commit") && waits_already(state, *write)) {
          const auto& append = std::get<AppendRecord>(*write);
          promise.deliver(
              std::make_shared<const Result<WriteReply>>(WriteReply{WriteStatus::already_exists,
                                                                    append.run,
                                                                    append.record,
                                                                    false,
                                                                    RunState::running,
                                                                    {}}));
          return promise;
        }
        state.waiting.emplace_back(write, promise);
        state.config.counters->writes_waiting = static_cast<std::int64_t>(state.waiting.size());
        if (state.waiting.size() >= batch_max) {
          state.commit();
        } else if (!state.commit_asked) {
          // The commit stands behind all mail that waits now: what arrived during the last fsync
          // joins this batch.
          state.commit_asked = true;
          after_waiting_mail(self, [self] { self->state.commit(); });
        }
        return promise;
      },
      [self](const WriteGroupPtr& group) -> WriteGroupAnswer {
        StoreActorState& state = self->state;
        state.commit();
        std::vector<const Write*> writes;
        for (const Write& write : *group) writes.push_back(&write);
        return std::make_shared<const Result<std::vector<WriteReply>>>(state.write(writes));
      },
      [self](const Message<RecoverRequest>& request) -> LoadAnswer {
        self->state.commit();
        return std::make_shared<const Result<std::optional<StoredRun>>>(
            self->state.config.store->load(request->run));
      },
      [self](const Message<DueQuery>& query) -> DueAnswer {
        self->state.commit();
        Store& store = *self->state.config.store;
        Result<std::vector<RunRow>> rows = store.due(query->now_ms, query->limit);
        if (!rows) return std::make_shared<const Result<DueRuns>>(rows.error());
        Result<std::optional<std::int64_t>> next = store.next_due_ms(query->now_ms);
        if (!next) return std::make_shared<const Result<DueRuns>>(next.error());
        return std::make_shared<const Result<DueRuns>>(DueRuns{std::move(*rows), *next});
      },
      [self](const Look& look) {
        self->state.commit();
        (*look)(*self->state.config.store);
      },
      [](const Later& work) { (*work)(); },
  };
}

}  // namespace pawl
