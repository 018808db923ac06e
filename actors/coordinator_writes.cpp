// The coordinator's own writes: records of runs, gathered, and what follows from them.
#include <pawl/point.hpp>

#include "actors/coordinator.hpp"
#include "actors/durable_write.hpp"
#include "actors/take_all.hpp"
#include "actors/worker_policy.hpp"
#include "runtime/mutant.hpp"

#include <cstddef>
#include <utility>

namespace pawl {

namespace {

/// To write so many takes longer than to wake a thread for it, and there may be more to do here.
constexpr std::size_t batch_large = 32;

}  // namespace

void Coordinator::write_about(LiveRun& run, Record record,
                              std::shared_ptr<Ticket<Result<RunState>>> told) {
  ++run.writes;
  ++writes_;
  unwritten_.push_back({run.machine->run().str(), run.key,
                        std::make_shared<Record>(std::move(record)), std::move(told)});
  if (!gathers_) write_gathered();
}

/// Lets `act` gather what it wants to send, and sends that.
void Coordinator::gather(const std::function<void()>& act) {
  const bool is_outermost = !std::exchange(gathers_, true);
  act();
  if (!is_outermost) return;
  gathers_ = false;
  dispatch_gathered();
  write_parks();
  write_gathered();
  fetch_gathered();
}

/// Hints: the records say the same. If they are not written, the store has runs as due at once that
/// are not live: they are looked at too early, and that is all. They go before records, for a run
/// that has parked may have gone on since.
void Coordinator::write_parks() {
  if (unwritten_parks_.empty()) return;
  const std::size_t count = unwritten_parks_.size();
  const auto settled = [this, count] { writes_ -= count; };
  self_
      ->request(
          config_.store, caf::infinite,
          WriteGroupPtr(std::make_shared<const std::vector<Write>>(take_all(unwritten_parks_))))
      .then(
          [this, settled](const WriteGroupAnswer& answer) {
            settled();
            if (!*answer) search_all_soon();
            answer_close_if_done();
          },
          [settled](const caf::error&) { settled(); });
  leave_to_others();
}

/// Starts are written together with those that are in the mail behind them.
void Coordinator::write_starts() {
  if (unwritten_starts_.empty()) return;
  using Starts = std::vector<Message<StartRequest>>;
  const auto starts = std::make_shared<const Starts>(take_all(unwritten_starts_));
  auto writes = std::make_shared<std::vector<Write>>();
  writes->reserve(starts->size());
  for (const Message<StartRequest>& request : *starts) writes->push_back(*request->start);
  const StallWatch::Id sent = stalls_.sent(
      self_, [starts, reporter = config_.reporter](EventKind kind, const std::string& message) {
        for (const Message<StartRequest>& request : *starts)
          reporter->tell([&] {
            EngineEvent event = event_about(kind, std::get<StartRun>(*request->start).run);
            event.message = message;
            return event;
          });
      });
  self_->request(config_.store, caf::infinite, WriteGroupPtr(std::move(writes)))
      .then(
          [this, starts, sent](const WriteGroupAnswer& answer) {
            stalls_.answered(sent);
            writes_ -= starts->size();
            const Result<std::vector<WriteReply>>& replies = *answer;
            gather([&] {
              for (std::size_t i = 0; i < starts->size(); ++i)
                on_start_answered((*starts)[i], replies ? Result<WriteReply>((*replies)[i])
                                                        : Result<WriteReply>(replies.error()));
            });
          },
          [this, starts](const caf::error&) { writes_ -= starts->size(); });
  if (starts->size() >= batch_large) leave_to_others();
}

void Coordinator::write_gathered() {
  if (unwritten_.empty()) return;
  const Batch batch = std::make_shared<const std::vector<Unwritten>>(take_all(unwritten_));
  auto writes = std::make_shared<std::vector<Write>>();
  writes->reserve(batch->size());
  for (const Unwritten& one : *batch) writes->push_back(AppendRecord{one.key, one.record});
  const WriteNews news = [batch, reporter = config_.reporter](EventKind kind,
                                                              const std::string& message) {
    for (const Unwritten& one : *batch)
      reporter->tell([&] {
        EngineEvent event = event_about(kind, one.run);
        event.step = one.record->step;
        event.attempt = one.record->attempt;
        event.message = message;
        return event;
      });
  };
  const StallWatch::Id sent = stalls_.sent(self_, news);
  write_until_known<WriteGroupAnswer>(
      self_, config_.store, WriteGroupPtr(std::move(writes)), news,
      [this, batch, sent](const Result<std::vector<WriteReply>>& replies) {
        stalls_.answered(sent);
        on_batch_written(batch, replies);
      });
  if (batch->size() >= batch_large) leave_to_others();
}

void Coordinator::on_batch_written(const Batch& batch,
                                   const Result<std::vector<WriteReply>>& replies) {
  gather([&] {
    for (std::size_t i = 0; i < batch->size(); ++i)
      on_written((*batch)[i].run,
                 replies ? Result<WriteReply>((*replies)[i]) : Result<WriteReply>(replies.error()),
                 (*batch)[i].told);
  });
}

void Coordinator::on_written(const std::string& id, const Result<WriteReply>& result,
                             const std::shared_ptr<Ticket<Result<RunState>>>& told) {
  --writes_;
  if (!result) {
    if (told) told->answer(result.error());
    return lose(result.error());
  }
  release_orphans(id, result->stored.get());
  const auto found = live_.find(id);
  if (found == live_.end()) return answer_close_if_done();
  LiveRun& run = found->second;
  --run.writes;
  if (result->status == WriteStatus::refused) {
    if (told) told->answer(result->error);
    return give_up(id, result->error);
  }
  if (result->progress && !mutant("progress_lost_with_runner"))
    keep_progress(run, *result->progress);
  const Record& stored = *result->stored;
  if (stored.kind == RecordKind::ended) point("run.after_end", id);
  if (stored.kind == RecordKind::output) {
    ++config_.counters->steps_completed;
    config_.reporter->tell([&] {
      EngineEvent event = event_about(EventKind::step_completed, id);
      event.step = stored.step;
      event.attempt = stored.attempt;
      event.end = AttemptEnd::succeeded;
      event.output_digest = stored.output_digest;
      return event;
    });
  }
  // Taking it may end and drop the run; its state is told as it is now, with the record taken.
  const std::shared_ptr<FlowMachine> machine = run.machine;
  const std::optional<Error> stuck = run.stuck;
  tell(run, Recorded{stored});
  resume_if_quiet(id);
  if (!told) return;
  if (stored.kind == RecordKind::signal && result->diverged)
    return told->answer(make_error(Errc::invalid_argument,
                                   "a signal with this id and another name or payload came before; "
                                   "it stands, and this one does not count",
                                   stored.step));
  told->answer(stuck ? Result<RunState>(*stuck) : machine->state());
}

}  // namespace pawl
