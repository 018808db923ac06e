#include "actors/recovery.hpp"

#include <pawl/limits.hpp>
#include <pawl/point.hpp>

#include "actors/actor_manners.hpp"
#include "actors/durable_write.hpp"
#include "actors/worker_policy.hpp"
#include "runtime/attempt.hpp"
#include "runtime/mutant.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace pawl {

namespace {

using Self = RecoveryActor::stateful_pointer<RecoveryState>;

/// Plans of other flows than these are made again when they are met again.
constexpr std::size_t plans_max = 64;

Error store_gone() {
  return make_error(Errc::engine_lost, "the store's actor is gone");
}

void hand_over(Self self, std::vector<Recovered> runs) {
  if (runs.empty()) return;
  self->send(self->state.config.coordinator,
             RecoveredPtr(std::make_shared<const std::vector<Recovered>>(std::move(runs))));
}

void hand_over(Self self, Recovered recovered) {
  std::vector<Recovered> one;
  one.push_back(std::move(recovered));
  hand_over(self, std::move(one));
}

Recovered given_up(const std::string& run, Error error) {
  Recovered recovered;
  recovered.run = run;
  recovered.error = std::move(error);
  return recovered;
}

void give_up(Self self, const std::string& run, Error error) {
  hand_over(self, given_up(run, std::move(error)));
}

Result<std::shared_ptr<const Plan>> plan_of(RecoveryState& state, const StoredRun& stored) {
  const auto known = state.plans.find(stored.flow_digest);
  if (known != state.plans.end()) return known->second;
  Result<Flow> flow = parse_flow(*stored.flow);
  if (!flow)
    return make_error(Errc::corrupt, "the run's flow is not readable: " + flow.error().message,
                      stored.row.run);
  if (flow->digest() != stored.flow_digest)
    return make_error(Errc::corrupt, "the run's flow is not what its digest says", stored.row.run);
  if (state.plans.size() >= plans_max) state.plans.clear();
  state.plans.emplace(stored.flow_digest, flow->plan());
  return flow->plan();
}

void on_receipts(Self self, Recovered recovered, const Result<std::vector<WriteReply>>& result) {
  if (!result) return give_up(self, recovered.run, result.error());
  point("recovery.after_lost", recovered.run);
  for (const WriteReply& reply : *result) {
    if (reply.status == WriteStatus::refused) return give_up(self, recovered.run, reply.error);
    if (Result<Commands> applied = recovered.machine->apply(Recorded{*reply.stored}); !applied)
      return give_up(self, recovered.run, applied.error());
  }
  hand_over(self, std::move(recovered));
}

/// Seeded bug: what is being written is taken for written.
void go_on_without_receipts(Self self, Recovered recovered, const WriteGroupPtr& group) {
  for (const Write& write : *group) {
    Record record = *std::get<AppendRecord>(write).record;
    record.epoch = self->state.config.epoch;
    static_cast<void>(recovered.machine->apply(Recorded{record}).has_value());
  }
  self->request(self->state.config.store, caf::infinite, group)
      .then([run = recovered.run](const WriteGroupAnswer&) { point("recovery.after_lost", run); });
  hand_over(self, std::move(recovered));
}

/// All attempts that were open in an earlier epoch get their receipts in one transaction. Gives the
/// run back if there are none: it can be handed over now.
std::optional<Recovered> write_lost_receipts(Self self, Recovered recovered) {
  const FlowMachine& machine = *recovered.machine;
  auto group = std::make_shared<std::vector<Write>>();
  for (const OpenAttemptRef& open : machine.attempts_open_before(self->state.config.epoch)) {
    const std::string& step = machine.name(open.step);
    point("recovery.before_lost", recovered.run, step, open.attempt);
    group->push_back(AppendRecord{recovered.key, std::make_shared<Record>(conclude_unanswered(
                                                     step, open.attempt, AttemptEnd::lost))});
  }
  if (group->empty() || mutant("lost_receipts_not_written")) return recovered;
  if (mutant("recovery_does_not_wait")) {
    go_on_without_receipts(self, std::move(recovered), group);
    return std::nullopt;
  }
  const WriteNews news =
      news_about(self->state.config.reporter, event_about(EventKind::write_failed, recovered.run));
  const StallWatch::Id sent = self->state.stalls.sent(self, news);
  write_until_known<WriteGroupAnswer>(
      self, self->state.config.store, WriteGroupPtr(group), news,
      [self, recovered, sent](const Result<std::vector<WriteReply>>& result) {
        self->state.stalls.answered(sent);
        on_receipts(self, recovered, result);
      });
  leave_to_others();  // others of its portion are rebuilt next
  return std::nullopt;
}

/// Gives the run if it can be handed over, or the error that keeps it from being.
std::optional<Recovered> on_loaded(Self self, const std::string& run,
                                   const Result<std::optional<StoredRun>>& loaded) {
  if (!loaded) return given_up(run, loaded.error());
  if (!*loaded)
    return given_up(run, make_error(Errc::unknown_run, "there is no such run in this store", run));
  const StoredRun& stored = **loaded;
  Result<std::shared_ptr<const Plan>> plan = plan_of(self->state, stored);
  if (!plan) return given_up(run, plan.error());
  Result<std::shared_ptr<FlowMachine>> machine = rebuild(stored, *plan);
  if (!machine) return given_up(run, machine.error());
  point("recovery.after_load", run);
  return write_lost_receipts(
      self, Recovered{run, std::nullopt, stored.row.key, stored.folder, std::move(*machine),
                      mutant("progress_forgotten_at_restart") ? std::vector<Progress>()
                                                              : stored.progress});
}

void load(Self self, const Message<RecoverRequest>& request, int tries) {
  self->request(self->state.config.store, caf::infinite, request)
      .then(
          [=](const LoadAnswer& answer) {
            leave_to_others();
            std::vector<Recovered> recovered;
            auto again = std::make_shared<RecoverRequest>();
            for (std::size_t i = 0; i < request->runs.size(); ++i) {
              const std::string& run = request->runs[i];
              const Result<std::optional<StoredRun>>& loaded = (*answer)[i];
              if (loaded || !is_passing(loaded.error().code)) {
                if (std::optional<Recovered> one = on_loaded(self, run, loaded))
                  recovered.push_back(std::move(*one));
                continue;
              }
              if (tries == 0)
                self->state.config.reporter->log(
                    LogLevel::error, "the run " + run +
                                         " cannot be read, which is tried again until it can: " +
                                         loaded.error().text());
              again->runs.push_back(run);
            }
            hand_over(self, std::move(recovered));
            if (!again->runs.empty())
              later(self, pause_after(tries),
                    [=] { load(self, Message<RecoverRequest>(again), tries + 1); });
          },
          [=](const caf::error&) {
            for (const std::string& run : request->runs) give_up(self, run, store_gone());
          });
}

void on_scanned(Self self, std::size_t limit, const Result<DueRuns>& due) {
  auto found = std::make_shared<Found>();
  if (due) {
    found->rows = due->rows;
    found->next_due_ms = due->next_due_ms;
    found->complete = due->rows.size() < limit;
  } else {
    found->error = due.error();
  }
  self->send(self->state.config.coordinator, Message<Found>(std::move(found)));
}

}  // namespace

Result<std::shared_ptr<FlowMachine>> rebuild(const StoredRun& stored,
                                             const std::shared_ptr<const Plan>& plan) {
  Result<json> input = parse_json(stored.input, Limits::input_bytes_max);
  if (!input)
    return make_error(Errc::corrupt, "the run's input is not readable: " + input.error().message,
                      stored.row.run);
  auto machine =
      std::make_shared<FlowMachine>(plan, RunId::trusted(stored.row.run), std::move(*input));
  for (const Record& record : stored.records)
    if (Result<Commands> applied = machine->apply(Recorded{record}); !applied) {
      Error error = applied.error();
      error.where = stored.row.run;
      return error;
    }
  return machine;
}

RecoveryActor::behavior_type recovery(RecoveryActor::stateful_pointer<RecoveryState> self,
                                      RecoveryConfig config) {
  self->state.config = std::move(config);
  set_manners(self, self->state.config.reporter, RecoveryState::name);
  self->monitor(self->state.config.coordinator);
  self->set_down_handler([self](caf::down_msg&) { self->quit(caf::exit_reason::user_shutdown); });
  return {
      [self](const Message<RecoverRequest>& request) { load(self, request, 0); },
      [self](const Message<ScanRequest>& request) {
        const std::size_t limit = request->due.limit;
        const Message<DueQuery> query = std::make_shared<DueQuery>(request->due);
        self->request(self->state.config.store, caf::infinite, query)
            .then([self, limit](const DueAnswer& due) { on_scanned(self, limit, *due); },
                  [self, limit](const caf::error&) {
                    on_scanned(self, limit, Result<DueRuns>(store_gone()));
                  });
      },
      [](const Later& work) { (*work)(); },
  };
}

}  // namespace pawl
