#include "actors/engine_core.hpp"

#include <pawl/limits.hpp>

#include "actors/coordinator.hpp"
#include "actors/ends_waker.hpp"
#include "actors/forward_clock.hpp"
#include "actors/housekeeper.hpp"
#include "actors/store_actor.hpp"
#include "runtime/child_run.hpp"
#include "runtime/mutant.hpp"
#include "runtime/nearest_name.hpp"
#include "runtime/pause.hpp"
#include "runtime/start_facts.hpp"
#include "runtime/validate.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace pawl {

namespace {

/// Problems of a flow that only this program has: step types that it lacks.
std::vector<Problem> unknown_types(const Plan& plan, const Steps& steps,
                                   const std::string& place = "") {
  std::vector<Problem> problems;
  std::vector<std::string_view> known;
  for (const auto& [name, body] : steps.bodies()) known.push_back(name);
  const auto check = [&](const std::string& type, const std::string& pointer) {
    if (type.empty() || steps.bodies().count(type) > 0) return;
    problems.push_back(
        {pointer + "/run", "unknown_step_type",
         "this program has no step type \"" + type + "\"" + did_you_mean(type, known)});
  };
  for (const PlannedStep& step : plan.steps) {
    const std::string pointer = pointer_to(place + "/steps", step.name.str());
    const PlannedStep& work = work_of(step);
    check(step.type, pointer);
    if (work.undo) check(work.undo->type, pointer + "/undo");
    if (!work.child) continue;
    for (Problem& problem : unknown_types(*work.child, steps, pointer + "/child"))
      problems.push_back(std::move(problem));
  }
  return problems;
}

TurnQueue<DispatchPtr>::Limits turn_limits(const EngineOptions& options) {
  TurnQueue<DispatchPtr>::Limits limits;
  for (const auto& [type, limit] : options.at_once_max) limits[type].at_once_max = limit;
  for (const auto& [type, rate] : options.rates) {
    limits[type].begin_max = rate.count + (mutant("rate_off_by_one") ? 1 : 0);
    limits[type].span_us = rate.per_ms * 1000;
  }
  return limits;
}

std::string absolute_folder(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path path =
      std::filesystem::absolute(folder.empty() ? "." : folder, error);
  if (error) return folder;
  std::string normal = path.lexically_normal().string();
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

}  // namespace

EngineCore::EngineCore(caf::actor_system& system, std::unique_ptr<Store> store,
                       std::shared_ptr<const Steps> steps, EngineOptions options,
                       std::shared_ptr<CallbackThread> callbacks)
    : options_(std::move(options)),
      reporter_(std::make_shared<Reporter>(options_.on_event, options_.on_log)),
      counters_(std::make_shared<Counters>()),
      performers_(std::make_shared<StepPerformers>(system, std::move(steps))),
      gate_(std::make_shared<AnswerGate>()),
      starts_(std::make_shared<StartGate>(options_.starts_max)),
      callbacks_(std::move(callbacks)) {
  options_.folder = absolute_folder(options_.folder);
  const std::int64_t epoch = store->epoch();
  options_.seams.clock =
      std::make_shared<ForwardClock>(options_.seams.clock, store->opened_at_ms());
  const auto ends = std::make_shared<EndsBox>();
  store_ = system.spawn(store_actor,
                        StoreActorConfig{std::move(store), options_.seams, reporter_, counters_,
                                         LogWatch(options_.log_bytes_warn), ends});
  wake_for_ends(ends, store_, gate_);
  coordinator_ =
      system.spawn(coordinator, CoordinatorConfig{store_, epoch, options_.seams, reporter_,
                                                  counters_, performers_, gate_, ends,
                                                  options_.recover, options_.live_runs_max,
                                                  options_.attempts_max, turn_limits(options_)});
  // It does nothing until it is told to.
  housekeeper_ = system.spawn<caf::lazy_init>(
      housekeeper,
      HousekeeperConfig{store_, options_.retention, options_.seams.clock, counters_, reporter_});
  if (options_.retention.max_age_ms || options_.retention.max_runs)
    caf::anon_send(housekeeper_, std::make_shared<const KeepHouse>());
}

Error EngineCore::lost() {
  return make_error(Errc::engine_lost,
                    "a vital part of the engine died; close it and open it again");
}

std::shared_ptr<Run::State> EngineCore::make_state(const std::string& run) const {
  // In a piece of memory of its own: a ticket that outlives it holds no more than its end.
  return std::shared_ptr<Run::State>(new Run::State(run, callbacks_));
}

std::shared_ptr<Ticket<Result<void>>> EngineCore::started_ticket(
    const std::shared_ptr<Run::State>& state) const {
  return std::make_shared<Ticket<Result<void>>>(
      [state](const Result<void>& started) { state->started.set(started); }, Result<void>(lost()));
}

std::shared_ptr<Ticket<Outcome>> EngineCore::end_ticket(
    const std::shared_ptr<Run::State>& state) const {
  const Error error = lost();
  // Whoever waits holds the state, and so does whoever wants to be called.
  const std::weak_ptr<Run::State> weak = state;
  return std::make_shared<Ticket<Outcome>>(
      [weak](const Outcome& outcome) {
        if (const auto awaited = weak.lock()) awaited->end.set(outcome);
      },
      Outcome{RunState::running, nullptr, RunError{error.code, "", error.message}},
      [weak] { return !weak.expired(); });
}

Result<void> EngineCore::check_types(const Flow& flow, const std::string& run) const {
  std::vector<Problem> problems = unknown_types(*flow.plan(), steps());
  if (problems.empty()) return {};
  return Error{Errc::invalid_flow, "the flow has step types that this program lacks", run,
               std::move(problems)};
}

Result<Message<StartRequest>> EngineCore::make_request(
    const Flow& flow, const RunId& run, const json& input, const StartOptions& options,
    const std::shared_ptr<Run::State>& state) const {
  if (const Result<void> checked = check_labels(options.labels); !checked)
    return make_error(checked.error().code, checked.error().message, run.str());
  const int priority = options.priority.value_or(flow.plan()->priority.value_or(0));
  if (priority > Limits::priority_max || priority < -Limits::priority_max)
    return make_error(
        Errc::invalid_argument,
        "the priority is " + std::to_string(priority) + "; it must lie between -100 and 100",
        run.str());
  if (!input.is_object())
    return make_error(Errc::invalid_input,
                      std::string("a run's input is an object, not ") + input.type_name(),
                      run.str());
  json merged = flow.plan()->input_defaults;
  merged.update(input);
  if (Result<void> fits = check_child_ids(*flow.plan(), run.str()); !fits) return fits.error();
  if (Result<void> known = check_types(flow, run.str()); !known) return known.error();
  if (std::vector<Problem> problems = missing_input(*flow.plan(), merged); !problems.empty())
    return Error{Errc::invalid_input, "the input lacks what the flow needs", run.str(),
                 std::move(problems)};
  Result<std::string> text = canonical_json(merged, Limits::input_bytes_max);
  if (!text)
    return make_error(text.error().code == Errc::too_large ? Errc::too_large : Errc::invalid_input,
                      "the input: " + text.error().message, run.str());
  auto request = std::make_shared<StartRequest>(
      StartRequest{flow, nullptr, std::move(merged), nullptr, nullptr});
  // The plan owns its text, and the start shares it.
  request->start = std::make_shared<const Write>(StartRun{
      run.str(), flow.name(),
      std::shared_ptr<const std::string>(flow.plan(), &flow.plan()->canonical), flow.digest(),
      std::move(*text), options_.folder, start_body({options.labels, {}, {}, priority})});
  request->started = started_ticket(state);
  request->end = end_ticket(state);
  return Message<StartRequest>(std::move(request));
}

bool EngineCore::has_room_to_start() const {
  if (starts_->try_enter()) return true;
  // The actor that tells something is one of those that answer starts.
  if (options_.when_full == WhenFull::refuse || Reporter::is_telling()) return false;
  starts_->enter();
  return true;
}

Run EngineCore::submit(const Flow& flow, std::string_view run, const json& input,
                       const StartOptions& options) {
  Result<RunId> id =
      run.empty() ? generate_run_id(options_.seams.clock->now_ms(), options_.seams.random->next())
                  : RunId::parse(run);
  if (!id) return refused(run, id.error());
  const auto state = make_state(id->str());
  Result<Message<StartRequest>> request = make_request(flow, *id, input, options, state);
  if (!request) return refused(id->str(), request.error());
  if (!has_room_to_start())
    return refused(id->str(), make_error(Errc::busy,
                                         std::to_string(options_.starts_max) +
                                             " starts wait for the store; try again later",
                                         id->str()));
  state->started.on_set([starts = starts_](const Result<void>&) { starts->leave(); });
  caf::anon_send(coordinator_, std::move(*request));
  return Run(state);
}

Run EngineCore::refused(std::string_view run, const Error& error) const {
  const auto state = make_state(std::string(run));
  state->started.set(error);
  state->end.set({RunState::running, nullptr, RunError{error.code, "", error.message}});
  return Run(state);
}

Run EngineCore::watch(std::string_view run) {
  const auto state = make_state(std::string(run));
  caf::anon_send(coordinator_, Message<WatchRequest>(std::make_shared<WatchRequest>(WatchRequest{
                                   state->id, started_ticket(state), end_ticket(state)})));
  return Run(state);
}

PendingPtr<Result<RunState>> EngineCore::cancel(std::string_view run) {
  Record record;
  record.kind = RecordKind::cancel_requested;
  return note(run, std::move(record));
}

PendingPtr<Result<RunState>> EngineCore::unblock(std::string_view run) {
  Record record;
  record.kind = RecordKind::unblocked;
  return note(run, std::move(record));
}

PendingPtr<Result<RunState>> EngineCore::pause(std::string_view run) {
  return note(run, pause_record(true, PausedBy::person));
}

PendingPtr<Result<RunState>> EngineCore::unpause(std::string_view run) {
  return note(run, pause_record(false, PausedBy::person));
}

PendingPtr<Result<RunState>> EngineCore::signal(std::string_view run, Signal signal) {
  if (signal.id.empty())
    signal.id =
        generate_run_id(options_.seams.clock->now_ms(), options_.seams.random->next()).str();
  Result<Record> record = signal_record(signal);
  if (record) return note(run, std::move(*record));
  auto pending = std::make_shared<Pending<Result<RunState>>>();
  pending->set(record.error());
  return pending;
}

PendingPtr<Result<RunState>> EngineCore::resolve(std::string_view run,
                                                 const Resolution& resolution) {
  Result<Record> record = resolution_record(resolution);
  if (record) return note(run, std::move(*record));
  auto pending = std::make_shared<Pending<Result<RunState>>>();
  pending->set(record.error());
  return pending;
}

PendingPtr<Result<RunState>> EngineCore::note(std::string_view run, Record record) {
  auto pending = std::make_shared<Pending<Result<RunState>>>();
  caf::anon_send(
      coordinator_,
      Message<NoteRequest>(std::make_shared<NoteRequest>(NoteRequest{
          std::string(run), std::move(record), make_ticket(pending, Result<RunState>(lost()))})));
  return pending;
}

PendingPtr<Result<Pruned>> EngineCore::prune(const PruneOptions& options) {
  auto pending = std::make_shared<Pending<Result<Pruned>>>();
  if (const Result<void> checked = check(options); !checked) {
    pending->set(checked.error());
    return pending;
  }
  auto ticket = make_ticket(
      pending, Result<Pruned>(make_error(Errc::closed, "the engine was closed meanwhile")));
  caf::anon_send(housekeeper_, Message<PruneRequest>(std::make_shared<PruneRequest>(
                                   PruneRequest{options, std::move(ticket)})));
  return pending;
}

PendingPtr<std::vector<std::string>> EngineCore::close(bool at_once) {
  auto pending = std::make_shared<Pending<std::vector<std::string>>>();
  caf::anon_send(coordinator_, Message<CloseRequest>(std::make_shared<CloseRequest>(CloseRequest{
                                   at_once, make_ticket(pending, std::vector<std::string>{})})));
  return pending;
}

void EngineCore::stop() {
  gate_->close();
  caf::anon_send_exit(housekeeper_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(coordinator_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(store_, caf::exit_reason::user_shutdown);
  performers_->stop();
}

void EngineCore::send_look(std::function<void(StoreView&)> look) const {
  caf::anon_send(store_,
                 Look(std::make_shared<const std::function<void(StoreView&)>>(std::move(look))));
}

EngineStats EngineCore::stats() const {
  EngineStats stats = counters_->stats();
  stats.threads_hanging = static_cast<std::int64_t>(options_.seams.executor->hanging());
  return stats;
}

}  // namespace pawl
