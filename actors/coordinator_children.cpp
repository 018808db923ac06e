// Children: runs that stand for a step of another run.
#include <pawl/limits.hpp>
#include <pawl/point.hpp>

#include "actors/actor_manners.hpp"
#include "actors/coordinator.hpp"
#include "actors/durable_write.hpp"
#include "runtime/child_run.hpp"
#include "runtime/mutant.hpp"
#include "runtime/pause.hpp"

#include <utility>

namespace pawl {

namespace {

Record opened_record(const std::string& step) {
  Record record;
  record.kind = RecordKind::opened;
  record.step = step;
  record.attempt = 1;
  return record;
}

/// The step that waits for a child whose run was never started.
Record refused_record(const std::string& step, const Error& error) {
  Record record;
  record.kind = RecordKind::receipt;
  record.end = AttemptEnd::fatal;
  record.step = step;
  record.attempt = 1;
  record.body = error_body(error.code, error.message);
  return record;
}

}  // namespace

// --- its start

void Coordinator::carry_out(LiveRun& run, const StartChild& start) {
  if (closing_) return;
  const std::string parent = run.machine->run().str();
  const std::string& step = run.machine->name(start.step);
  const std::shared_ptr<const Plan> flow = run.machine->definition(start.step).child;
  const std::optional<ParentStep>& above = run.machine->start_facts().parent;
  StartRun begin{
      start.run,    flow->flow, std::shared_ptr<const std::string>(flow, &flow->canonical),
      flow->digest, start.text, run.folder};
  begin.body = start_body({{},
                           ParentStep{parent, step, above ? above->depth + 1 : 1},
                           {},
                           flow->priority.value_or(run.machine->start_facts().priority)});
  begin.opens = AppendRecord{run.key, std::make_shared<Record>(opened_record(step))};
  point("child.before_start", start.run);
  ++run.writes;
  ++writes_;
  const WriteNews news =
      news_about(config_.reporter, event_about(EventKind::write_failed, start.run));
  const StallWatch::Id sent = stalls_.sent(self_, news);
  write_until_known<WriteAnswer>(
      self_, config_.store, WritePtr(std::make_shared<const Write>(std::move(begin))), news,
      [this, parent, start, flow, folder = run.folder, sent](const Result<WriteReply>& result) {
        stalls_.answered(sent);
        on_child_started(parent, start, flow, folder, result);
      });
}

void Coordinator::on_child_started(const std::string& parent, const StartChild& start,
                                   const std::shared_ptr<const Plan>& flow,
                                   const std::string& folder, const Result<WriteReply>& result) {
  --writes_;
  if (!result) return lose(result.error());
  const auto found = live_.find(parent);
  if (found != live_.end()) --found->second.writes;
  if (result->status == WriteStatus::refused) {
    if (found == live_.end()) return answer_close_if_done();
    const std::string& step = found->second.machine->name(start.step);
    return write_about(found->second, refused_record(step, result->error));
  }
  point("child.after_start", start.run);
  adopt_child(start, flow, folder, *result);
  // What the child does may have changed what is live.
  const auto above = live_.find(parent);
  if (above == live_.end()) return answer_close_if_done();
  if (result->opened) tell(above->second, Recorded{*result->opened});
  resume_if_quiet(parent);
}

void Coordinator::adopt_child(const StartChild& start, const std::shared_ptr<const Plan>& flow,
                              const std::string& folder, const WriteReply& reply) {
  const std::string& id = start.run;
  if (const auto arriving = arriving_.find(id); arriving != arriving_.end())
    arriving->second.was_started = true;
  if (live_.count(id) > 0 || arriving_.count(id) > 0) return;
  // The first try may have written it, although it failed.
  if (reply.status == WriteStatus::already_exists) return fetch(id, std::nullopt);
  config_.reporter->tell([&] { return event_about(EventKind::run_started, id); });
  if (!has_room() && config_.recover) {
    search_all_ = true;  // it waits in the store
    return;
  }
  auto machine = std::make_shared<FlowMachine>(flow, RunId::trusted(id), start.input);
  if (const Result<Commands> applied = machine->apply(Recorded{*reply.stored}); !applied)
    return give_up(id, applied.error());
  adopt(id, reply.run, folder, std::move(machine));
}

// --- its end

void Coordinator::carry_out(LiveRun&, const CancelChild& cancel) {
  if (closing_) return;
  Record record;
  record.kind = RecordKind::cancel_requested;
  note_child(cancel.run, std::move(record), "cancelled", [] {});
}

/// Its parent stays in memory until the child's record is durable: nothing else would bring it back
/// to ask again.
void Coordinator::carry_out(LiveRun& run, const HoldChild& hold) {
  const bool is_first = run.holds.insert_or_assign(hold.run, hold.paused).second;
  // While the engine closes nothing new is written: the run is not noted as paused, so that the
  // next engine finds it, and asks again.
  if (is_first && !closing_) hold_child(run.machine->run().str(), hold.run, hold.paused);
}

/// One record after the other, so that the last one stands last.
void Coordinator::hold_child(const std::string& parent, const std::string& child, bool paused) {
  note_child(child, pause_record(paused, PausedBy::parent), paused ? "paused" : "unpaused",
             [this, parent, child, paused] {
               after_waiting_mail(self_, [this, parent, child, paused] {
                 const auto live = live_.find(parent);
                 if (live == live_.end()) return;
                 const auto wanted = live->second.holds.find(child);
                 if (wanted == live->second.holds.end()) return;
                 if (wanted->second != paused) {
                   if (!closing_) hold_child(parent, child, wanted->second);
                   return;
                 }
                 live->second.holds.erase(wanted);
                 settle(parent);
               });
             });
}

/// Notes of a child what its parent wants. It is asked for again by the next engine, if this one
/// cannot.
void Coordinator::note_child(const std::string& child, Record record, const std::string& what,
                             const std::function<void()>& then) {
  const auto reporter = config_.reporter;
  auto told = std::make_shared<Ticket<Result<RunState>>>(
      [reporter, child, what, then](const Result<RunState>& answer) {
        if (!answer && answer.error().code == Errc::closed) return;
        if (!answer)
          reporter->log(LogLevel::error, "the child run " + child + " cannot be " + what + ": " +
                                             answer.error().text());
        then();
      },
      Result<RunState>(make_error(Errc::closed, "the engine was closed meanwhile")));
  take(Message<NoteRequest>(
           std::make_shared<NoteRequest>(NoteRequest{child, std::move(record), told})),
       child);
}

/// The parent is live before its child's end is written: so it hears of each record once.
void Coordinator::end_child(const ChildEnd& end) {
  const auto child = live_.find(end.child);
  if (child == live_.end() || child->second.stuck) return;
  const std::string parent = child->second.machine->start_facts().parent->run;
  const auto above = live_.find(parent);
  if (above == live_.end()) return fetch(parent, Request(end));
  if (above->second.stuck) return end_orphan(end, *above->second.stuck);
  write_child_end(child->second, above->second, end.ended);
}

void Coordinator::write_child_end(LiveRun& child, LiveRun& parent, const Record& ended) {
  const std::string id = child.machine->run().str();
  const ParentStep above = *child.machine->start_facts().parent;
  const Result<Outcome> outcome = outcome_of(ended);
  PAWL_ASSERT(outcome.has_value());
  auto group = std::make_shared<std::vector<Write>>();
  group->push_back(AppendRecord{child.key, std::make_shared<Record>(ended)});
  group->push_back(AppendRecord{
      parent.key, std::make_shared<Record>(conclude_child(id, above.step, *outcome,
                                                          child.machine->started_at_ms(),
                                                          config_.seams.clock->now_ms()))});
  ++child.writes;
  ++parent.writes;
  writes_ += 2;
  point("child.before_end", id);
  const WriteNews news = news_about(config_.reporter, event_about(EventKind::write_failed, id));
  const StallWatch::Id sent = stalls_.sent(self_, news);
  write_until_known<WriteGroupAnswer>(
      self_, config_.store, WriteGroupPtr(std::move(group)), news,
      [this, id, above, sent](const Result<std::vector<WriteReply>>& result) {
        stalls_.answered(sent);
        const auto of = [&](std::size_t i) {
          return result ? Result<WriteReply>((*result)[i]) : Result<WriteReply>(result.error());
        };
        // The parent first: it would be parked if its child were gone.
        on_written(above.run, of(1), nullptr);
        on_written(id, of(0), nullptr);
      });
}

/// A child's end that its parent cannot be told is not written: a later engine can tell it.
void Coordinator::end_orphan(const ChildEnd& end, const Error& error) {
  if (error.code == Errc::closed) return;
  give_up(end.child,
          make_error(error.code, "its parent cannot be told of its end: " + error.message));
}

/// Where no scan finds what is unfinished, a run that comes back brings its children along.
void Coordinator::fetch_children(const FlowMachine& machine) {
  for (std::size_t i = 0; machine.children_running() > 0 && i < machine.places(); ++i)
    if (const std::optional<std::string> child = machine.child_run(i))
      if (live_.count(*child) == 0) fetch(*child, std::nullopt);
}

// --- what is known of children

void Coordinator::note_child_lives(const LiveRun& run) {
  const std::optional<ParentStep>& parent = run.machine->start_facts().parent;
  if (!parent) return;
  ++live_children_[parent->run];
  for (const std::string& above : runs_above(*parent)) {
    const auto halted = halted_below_.find(above);
    if (halted == halted_below_.end()) continue;
    halted->second.erase(run.machine->run().str());
    if (halted->second.empty()) halted_below_.erase(halted);
  }
}

void Coordinator::note_child_gone(const LiveRun& run) {
  const std::optional<ParentStep>& parent = run.machine->start_facts().parent;
  if (!parent) return;
  const auto count = live_children_.find(parent->run);
  if (count == live_children_.end() || --count->second > 0) return;
  live_children_.erase(count);
  // Its parent may be parked now.
  after_waiting_mail(self_, [this, above = parent->run] { settle(above); });
}

/// Whoever waits for a run that waits for its child is told when that one cannot go on.
void Coordinator::tell_above(const std::string& id, const FlowMachine& machine,
                             const RunError& why) {
  const std::optional<ParentStep>& parent = machine.start_facts().parent;
  if (!parent) return;
  for (const std::string& above : runs_above(*parent)) {
    halted_below_[above].insert_or_assign(id, why);
    const auto live = live_.find(above);
    // One that has something else to do is not blocked.
    if (live != live_.end() && live->second.machine->state() != RunState::waiting &&
        live->second.machine->state() != RunState::cancelling &&
        live->second.machine->state() != RunState::failing)
      continue;
    waiters_.answer(above, *halted_below(above));
  }
}

std::optional<Outcome> Coordinator::halted_below(const std::string& id) const {
  const auto halted = halted_below_.find(id);
  if (halted == halted_below_.end()) return std::nullopt;
  const auto& [child, why] = *halted->second.begin();
  return Outcome{
      RunState::blocked, nullptr,
      RunError{why.code, "",
               "its child run " + child +
                   (why.code == Errc::paused || why.code == Errc::diverged ? " is paused"
                                                                           : " is blocked") +
                   (why.step.empty() ? "" : " for step " + why.step) + ": " + why.message}};
}

}  // namespace pawl
