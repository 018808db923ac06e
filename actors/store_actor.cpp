#include "actors/store_actor.hpp"

#include "actors/actor_manners.hpp"
#include "actors/log_keeper.hpp"
#include "actors/take_all.hpp"
#include "actors/worker_policy.hpp"
#include "runtime/mutant.hpp"
#include "store/batch_points.hpp"
#include "store/record_slot.hpp"

#include <caf/actor_cast.hpp>
#include <caf/message_priority.hpp>
#include <caf/send.hpp>
#include <caf/typed_actor_view.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace pawl {

namespace {

/// A batch this large commits without waiting for the rest of the mail, so that its memory stays
/// bounded.
constexpr std::size_t batch_max = 4096;

using StoreSelf = StoreActor::stateful_pointer<StoreActorState>;
using Ends = std::vector<EndsBox::End>;

/// Calls `look` with each write of the batch.
template <class Look>
void for_each_write(const std::vector<StoreActorState::Waiting>& batch, Look&& look) {
  for (const StoreActorState::Waiting& one : batch) {
    if (one.write) look(*one.write);
    if (one.group)
      for (const Write& write : *one.group) look(write);
  }
}

/// Seeded bug: a record is said to be written, whatever becomes of it.
WriteReply as_written(const Write& write) {
  const auto& append = std::get<AppendRecord>(write);
  return {WriteStatus::written, append.run, append.record, false, RunState::running, {}};
}

/// Seeded bug: whether all of these are outputs that wait in the batch already, as if waiting were
/// being durable.
bool wait_already(const StoreActorState& state, const std::vector<Write>& writes) {
  return std::all_of(writes.begin(), writes.end(), [&](const Write& write) {
    const auto* const append = std::get_if<AppendRecord>(&write);
    bool waits = false;
    for_each_write(state.waiting, [&](const Write& waiting) {
      const auto* const other = std::get_if<AppendRecord>(&waiting);
      waits = waits || (append != nullptr && other != nullptr && other->run == append->run &&
                        other->record->step == append->record->step &&
                        slot_of(*other->record) == slot_of(*append->record));
    });
    return waits;
  });
}

/// Seeded bug: records are said to be written, whatever becomes of them. A promise is answered
/// once.
void answer_all_as_written(const std::vector<StoreActorState::Waiting>& batch) {
  const auto is_append = [](const Write& write) {
    return std::holds_alternative<AppendRecord>(write);
  };
  for (const StoreActorState::Waiting& waiting : batch) {
    if (waiting.write && is_append(*waiting.write)) {
      StoreActorState::Promise promise = waiting.promise;
      promise.deliver(std::make_shared<const Result<WriteReply>>(as_written(*waiting.write)));
    } else if (waiting.group &&
               std::all_of(waiting.group->begin(), waiting.group->end(), is_append)) {
      std::vector<WriteReply> replies;
      for (const Write& write : *waiting.group) replies.push_back(as_written(write));
      StoreActorState::GroupPromise promise = waiting.group_promise;
      promise.deliver(std::make_shared<const Result<std::vector<WriteReply>>>(std::move(replies)));
    }
  }
}

/// What is to be written of ends. Given: `writes`, whose memory is used.
std::vector<Write> writes_of(const Ends& ends, std::vector<Write> writes = {}) {
  writes.clear();
  writes.reserve(ends.size());
  for (const EndsBox::End& end : ends) {
    const RunKey run = end.dispatch->run;
    // Not the report itself, which others read meanwhile: the store fills its copy in.
    if (end.progress)
      writes.push_back(NoteProgress{run, std::make_shared<Progress>(*end.progress)});
    writes.push_back(AppendRecord{run, end.record});
  }
  return writes;
}

/// Seeded bug: the same of ends.
std::vector<WriteReply> ends_as_written(const std::vector<Write>& of_ends) {
  std::vector<WriteReply> replies;
  for (const Write& write : of_ends)
    replies.push_back(std::holds_alternative<AppendRecord>(write) ? as_written(write)
                                                                  : WriteReply{});
  return replies;
}

std::vector<WriteReply> take_some(std::vector<WriteReply>::iterator& next, std::size_t count) {
  std::vector<WriteReply> some;
  some.reserve(count);
  for (; count > 0; --count) some.push_back(std::move(*next++));
  return some;
}

/// The commit stands behind all mail that waits now: what arrived during the last fsync joins this
/// batch.
void ask_for_commit(StoreSelf self) {
  if (std::exchange(self->state.commit_asked, true)) return;
  after_waiting_mail(self, [self] {
    if (self->state.commit_asked) self->state.commit();
  });
}

/// Takes what is to be written.
void take(StoreSelf self, StoreActorState::Waiting one) {
  StoreActorState& state = self->state;
  state.writes_waiting += one.write ? 1 : one.group->size();
  state.waiting.push_back(std::move(one));
  state.config.counters->writes_waiting = static_cast<std::int64_t>(state.writes_waiting);
  if (state.writes_waiting >= batch_max)
    state.commit();
  else
    ask_for_commit(self);
}

caf::result<WriteGroupAnswer> take_group(StoreSelf self, const WriteGroupPtr& group) {
  auto promise = self->make_response_promise<WriteGroupAnswer>();
  if (mutant("exists_before_commit") && wait_already(self->state, *group)) {
    std::vector<WriteReply> replies;
    for (const Write& write : *group) {
      replies.push_back(as_written(write));
      replies.back().status = WriteStatus::already_exists;
    }
    promise.deliver(std::make_shared<const Result<std::vector<WriteReply>>>(std::move(replies)));
    return promise;
  }
  take(self, {nullptr, {}, group, promise});
  return promise;
}

}  // namespace

bool StoreActorState::take_batch(Batch& batch) {
  commit_asked = false;
  Ends ends = config.ends->take();
  if (mutant("complete_before_write") && !ends.empty()) {  // what follows overtakes them
    tell_ends(ends, ends_as_written(writes_of(ends)));
    later(self, std::chrono::milliseconds(1), [this, late = std::exchange(ends, {})] {
      Batch batch_of_late;
      batch_of_late.of_ends = writes_of(late);
      for (const Write& write : batch_of_late.of_ends) batch_of_late.writes.push_back(&write);
      if (write(batch_of_late)) settle_here();
    });
  }
  if (waiting.empty() && ends.empty()) return false;
  batch.ends = std::move(ends);
  batch.of_ends = writes_of(batch.ends, std::exchange(spare_of_ends, {}));
  batch.others = take_all(waiting);
  batch.writes = std::exchange(spare_writes, {});
  batch.writes.reserve(batch.of_ends.size() + std::exchange(writes_waiting, 0));
  for (const Write& write : batch.of_ends) batch.writes.push_back(&write);
  for_each_write(batch.others, [&](const Write& write) { batch.writes.push_back(&write); });
  return true;
}

void StoreActorState::commit() {
  write_ahead();
  if (!ahead.empty() && !ahead.is_syncing()) settle_ahead();
}

void StoreActorState::write_ahead() {
  if (ahead.full()) {
    commit_asked = false;
    if (writes_waiting < batch_max) {
      has_to_wait = true;
      return;
    }
    settle_here();
  }
  Batch batch;
  if (!take_batch(batch)) return;
  if (mutant("answer_before_commit")) answer_all_as_written(batch.others);
  Result<std::vector<WriteReply>> replies = write(batch);
  if (!replies && !ahead.empty()) {
    settle_here();
    replies = write(batch);
  }
  config.counters->writes_waiting = static_cast<std::int64_t>(writes_waiting);
  if (!replies) {
    if (mutant("commit_error_answered_as_written")) {
      answer_all_as_written(batch.others);
      tell_ends(std::exchange(batch.ends, {}), ends_as_written(batch.of_ends));
    }
    tell_ends_and_answer(batch, replies.error());
    return batch_point("store.after_reply", batch.writes);
  }
  batch.replies = std::move(*replies);
  ahead.add(std::move(batch));
}

void StoreActorState::settle_ahead() {
  const bool has_more_to_do =
      !waiting.empty() || !config.ends->is_empty() || !self->mailbox().empty();
  const SyncPtr sync = has_more_to_do ? config.store->log_sync() : nullptr;
  if (!sync) return settle_here();
  if (!log_keeper) log_keeper = self->spawn(pawl::log_keeper, config.reporter);
  const std::uint64_t number = ahead.sync_begins();
  self->request(log_keeper, caf::infinite, sync)
      .then([this, number, sync](const SyncAnswer& answer) { on_synced(number, *sync, *answer); },
            [this, number](const caf::error&) {
              if (ahead.durable_by(number) > 0) settle_here();
            });
  leave_to_others();
}

void StoreActorState::on_synced(std::uint64_t number, const LogSync& sync, Result<void> waited) {
  const std::size_t durable = ahead.durable_by(number);
  if (durable == 0) return;
  const Result<void> settled = config.store->settle(sync, std::move(waited));
  const bool are_later_ones_left = settled && !mutant("later_batch_settled_too");
  answer_ahead(are_later_ones_left ? durable : ahead.size(), settled);
  if (!ahead.empty()) settle_ahead();
}

void StoreActorState::settle_here() {
  leave_to_others();
  answer_ahead(ahead.size(), config.store->settle());
}

void StoreActorState::answer_ahead(std::size_t count, const Result<void>& settled) {
  for (; count > 0; --count) {
    Batch batch = ahead.take_oldest();
    if (settled) {
      config.counters->note_commit(static_cast<std::int64_t>(batch.writes.size()),
                                   config.seams.clock->steady_us() - batch.began_us);
      batch_point("store.after_commit", batch.writes);
      tell_ends_and_answer(batch, std::move(batch.replies));
    } else {
      tell_ends_and_answer(batch, settled.error());
    }
    batch_point("store.after_reply", batch.writes);
    keep_memory_of(batch);
  }
  if (std::exchange(has_to_wait, false)) ask_for_commit(self);
}

/// A batch of some hundred records needs so much of it that malloc would tidy up each time that it
/// goes, and comes.
void StoreActorState::keep_memory_of(Batch& batch) {
  batch.of_ends.clear();
  batch.writes.clear();
  spare_of_ends = std::move(batch.of_ends);
  spare_writes = std::move(batch.writes);
}

void StoreActorState::commit_and_settle() {
  if (ahead.full()) settle_here();
  write_ahead();
  if (!ahead.empty()) settle_here();
}

void StoreActorState::tell_ends(Ends ends, Result<std::vector<WriteReply>> replies) {
  // If it died, nobody waits: its attempts are lost to it, and what was written is found.
  if (const caf::strong_actor_ptr runner = config.ends->runner())
    self->send<caf::message_priority::high>(caf::actor_cast<StepRunnerActor>(runner),
                                            Message<EndsWritten>(std::make_shared<EndsWritten>(
                                                EndsWritten{std::move(ends), std::move(replies)})));
}

/// The ends first: new attempts follow from them.
void StoreActorState::tell_ends_and_answer(Batch& batch, Result<std::vector<WriteReply>> replies) {
  const std::vector<Waiting>& others = batch.others;
  if (others.empty()) return tell_ends(std::move(batch.ends), std::move(replies));
  if (batch.ends.empty() && others.size() == 1 && others.front().group) {  // nothing to take apart
    GroupPromise promise = others.front().group_promise;
    promise.deliver(std::make_shared<const Result<std::vector<WriteReply>>>(std::move(replies)));
    return;
  }
  auto next = replies ? replies->begin() : std::vector<WriteReply>::iterator();
  const auto next_ones = [&](std::size_t count) {
    return replies ? Result<std::vector<WriteReply>>(take_some(next, count))
                   : Result<std::vector<WriteReply>>(replies.error());
  };
  if (!batch.ends.empty()) tell_ends(std::move(batch.ends), next_ones(batch.of_ends.size()));
  for (const Waiting& one : others) {
    if (one.write) {
      Promise promise = one.promise;
      promise.deliver(std::make_shared<const Result<WriteReply>>(
          replies ? Result<WriteReply>(std::move(*next++)) : Result<WriteReply>(replies.error())));
    } else {
      GroupPromise promise = one.group_promise;
      promise.deliver(
          std::make_shared<const Result<std::vector<WriteReply>>>(next_ones(one.group->size())));
    }
  }
}

void StoreActorState::commit_before_reading() {
  commit_and_settle();
  leave_to_others();
}

Result<std::vector<WriteReply>> StoreActorState::write(Batch& batch) {
  batch_point("store.before_begin", batch.writes);
  leave_to_others();
  batch.began_us = config.seams.clock->steady_us();
  Result<std::vector<WriteReply>> replies =
      config.store->write_ahead(batch.writes, config.seams.clock->now_ms());
  config.counters->wal_bytes = config.store->wal_bytes();
  look_at_log();
  return replies;
}

void StoreActorState::look_at_log() {
  const StoreLog log = config.store->log();
  const LogWatch::News news = config.log_watch.on_commit(log.bytes, log.held);
  if (news == LogWatch::News::none) return;
  EngineEvent event;
  switch (news) {
    case LogWatch::News::none: return;
    case LogWatch::News::grows:
      event.kind = EventKind::log_grows;
      event.message =
          "the store's log (-wal) has grown to " + std::to_string(log.bytes >> 20) + " MiB" +
          (log.failure.empty()
               ? ", because somebody reads the store in one long transaction, such as a backup, "
                 "`pawl verify` or an sqlite3 shell; once that ends the log is begun anew"
               : ", because it cannot be moved into the main file: " + log.failure);
      break;
    case LogWatch::News::over:
      event.kind = EventKind::log_reset;
      event.message = "the store's log is begun anew, and grows no more";
      break;
  }
  config.reporter->event(event);
}

StoreActor::behavior_type store_actor(StoreSelf self, StoreActorConfig config) {
  self->state.config = std::move(config);
  set_manners(self, self->state.config.reporter, StoreActorState::name);
  // What was taken is written before the store goes.
  self->set_exit_handler([self](caf::exit_msg& exit) {
    self->state.commit_and_settle();
    if (self->state.log_keeper)
      self->send_exit(self->state.log_keeper, caf::exit_reason::user_shutdown);
    self->quit(std::move(exit.reason));
  });
  return {
      [self](const WritePtr& write) -> caf::result<WriteAnswer> {
        auto promise = self->make_response_promise<WriteAnswer>();
        take(self, {write, promise, nullptr, {}});
        return promise;
      },
      [self](const WriteGroupPtr& group) { return take_group(self, group); },
      [self](const Message<EndsWait>&) { ask_for_commit(self); },
      [self](const Message<RecoverRequest>& request) -> LoadAnswer {
        self->state.commit_before_reading();
        auto loaded = std::make_shared<std::vector<Result<std::optional<StoredRun>>>>();
        loaded->reserve(request->runs.size());
        for (const std::string& run : request->runs)
          loaded->push_back(self->state.config.store->load(run));
        return LoadAnswer(std::move(loaded));
      },
      [self](const Message<DueQuery>& query) -> DueAnswer {
        self->state.commit_before_reading();
        Store& store = *self->state.config.store;
        Result<std::vector<RunRow>> rows = store.due(query->now_ms, query->limit, query->after);
        if (!rows) return std::make_shared<const Result<DueRuns>>(rows.error());
        Result<std::optional<std::int64_t>> next = store.next_due_ms(query->now_ms);
        if (!next) return std::make_shared<const Result<DueRuns>>(next.error());
        return std::make_shared<const Result<DueRuns>>(DueRuns{std::move(*rows), *next});
      },
      [self](const Look& look) {
        self->state.commit_before_reading();
        (*look)(*self->state.config.store);
      },
      [](const Later& work) { (*work)(); },
  };
}

}  // namespace pawl
