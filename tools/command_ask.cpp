// Commands that change a run from outside: through its store's owner, or as its owner for a moment.
#include <pawl/control.hpp>
#include <pawl/engine.hpp>
#include <pawl/ids.hpp>
#include <pawl/sqlite_store.hpp>

#include "tools/commands.hpp"
#include "tools/read_run.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pawl::tools {

namespace {

constexpr int owner_timeout_ms = 10'000;

/// How long an owner may be about to listen, or about to go.
constexpr std::chrono::seconds between_owners{1};
constexpr std::chrono::milliseconds look_again{20};

/// Cancels as the store's owner.
///
/// Errors: Errc::in_use when there is another.
Result<RunState> cancel_here(const Settings& settings, const std::string& run) {
  EngineOptions options;
  options.recover = false;
  options.control_socket = false;
  options.lock_wait_ms = 0;
  Result<Engine> engine = Engine::open(settings.store, Steps{}, options);
  if (!engine) return engine.error();
  const Result<RunState> state = engine->cancel(run);
  if (!state || is_ended(*state)) return state;
  // Nothing of it runs here: the cancel comes to its end at once.
  const Result<Run> found = engine->find(run);
  if (!found) return found.error();
  return found->wait().state;
}

bool has_blocked_step(const RunView& run) {
  const json& steps = run.document["steps"];
  return std::any_of(steps.begin(), steps.end(),
                     [](const json& step) { return step["state"] == "blocked"; });
}

/// Unblocks as the store's owner. An engine would go on with the run; this only writes that it may.
///
/// Errors: Errc::in_use when there is another owner.
Result<RunState> unblock_here(const Settings& settings, const std::string& id, Console& console) {
  SqliteStoreOptions options{settings.store};
  options.lock_wait_ms = 0;
  const Result<std::unique_ptr<Store>> store = open_sqlite_store(options);
  if (!store) return store.error();
  Result<ReadRun> run = read_run(**store, id);
  if (!run) return run.error();
  const Result<RunView> before = view(*run);
  if (!before) return before.error();
  if (!has_blocked_step(*before)) {
    if (!is_ended(before->state)) console.words("run " + id + " was not blocked");
    return before->state;
  }
  const auto record = std::make_shared<Record>();
  record->kind = RecordKind::unblocked;
  const Write unblocked = AppendRecord{run->stored.row.key, record};
  const Write due = ParkRun{run->stored.row.key, RunState::running, 0};
  const std::int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count();
  const Result<std::vector<WriteReply>> replies =
      (*store)->write({&unblocked, &due}, std::max(now_ms, (*store)->opened_at_ms()));
  if (!replies) return replies.error();
  if (replies->front().status == WriteStatus::refused) return replies->front().error;
  run->stored.records.push_back(*replies->front().stored);
  const Result<RunView> after = view(*run);
  if (!after) return after.error();
  console.words("run " + id + ": unblocked; go on with it by " + how_to_resume(settings));
  return after->state;
}

Result<RunState> ask(const Settings& settings, ControlVerb verb, const std::string& run,
                     const std::function<Result<RunState>()>& here) {
  if (const Result<RunId> id = RunId::parse(run); !id) return id.error();
  // A run cannot be in a store that is not there; asking must not make one.
  if (::access(settings.store.c_str(), F_OK) != 0)
    return make_error(Errc::io, "there is no such store", settings.store);
  const auto deadline = std::chrono::steady_clock::now() + between_owners;
  for (;;) {
    Result<RunState> state = here();
    if (state || state.error().code != Errc::in_use) return state;
    state = ask_owner(settings.store, verb, run, owner_timeout_ms);
    if (state) return state;
    // An owner that just opens the store, or closes it, has no ear.
    const bool deaf = state.error().code == Errc::io || state.error().code == Errc::closed;
    if (!deaf || std::chrono::steady_clock::now() >= deadline) return state;
    std::this_thread::sleep_for(look_again);
  }
}

ExitCode tell(Console& console, const std::string& run, const Result<RunState>& state) {
  if (!state) return console.error(state.error());
  if (console.json_wanted())
    console.document(json{{"run", run}, {"state", to_string(*state)}});
  else
    console.data(run + ": " + std::string(to_string(*state)));
  return ExitCode::succeeded;
}

}  // namespace

ExitCode cancel_command(const Settings& settings, const std::string& run) {
  Console console(settings);
  const Result<RunState> state =
      ask(settings, ControlVerb::cancel, run, [&] { return cancel_here(settings, run); });
  const ExitCode code = tell(console, run, state);
  if (!state || *state == RunState::cancelling || *state == RunState::cancelled) return code;
  console.words("run " + run + " had ended before");
  return ExitCode::failed;
}

ExitCode unblock_command(const Settings& settings, const std::string& run) {
  Console console(settings);
  const Result<RunState> state = ask(settings, ControlVerb::unblock, run,
                                     [&] { return unblock_here(settings, run, console); });
  const ExitCode code = tell(console, run, state);
  if (!state) return code;
  if (is_ended(*state)) {
    console.words("run " + run + " had ended before");
    return ExitCode::failed;
  }
  if (*state == RunState::blocked) {
    console.words("run " + run + " is still blocked; see pawl why " + run);
    return ExitCode::unfinished;
  }
  return code;
}

}  // namespace pawl::tools
