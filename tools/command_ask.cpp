// Commands that change a run from outside: through its store's owner, or as its owner for a moment.
#include <pawl/engine.hpp>
#include <pawl/ids.hpp>
#include <pawl/sqlite_store.hpp>

#include "tools/ask.hpp"
#include "tools/commands.hpp"
#include "tools/read_json.hpp"
#include "tools/read_run.hpp"
#include "tools/when.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

namespace pawl::tools {

namespace {

/// Cancels or pauses a run, and its children, as the store's owner.
///
/// Errors: Errc::in_use when there is another.
Result<RunState> stop_here(const Settings& settings, const std::string& run,
                           Result<RunState> (Engine::*stop)(std::string_view)) {
  EngineOptions options;
  options.recover = false;
  options.control_socket = false;
  options.lock_wait_ms = 0;
  Result<Engine> engine = Engine::open(settings.store, Steps{}, options);
  if (!engine) return engine.error();
  const Result<RunState> state = ((*engine).*stop)(run);
  if (!state || is_ended(*state)) return state;
  // Nothing of it runs here: it comes to rest at once.
  const Result<Run> found = engine->find(run);
  if (!found) return found.error();
  return found->wait().state;
}

/// Writes records about a run, and that the run is due, for the next engine.
Result<RunView> write_notes(Store& store, ReadRun run, const std::vector<Record>& records) {
  std::vector<Write> writes;
  for (const Record& record : records)
    writes.push_back(AppendRecord{run.stored.row.key, std::make_shared<Record>(record)});
  writes.push_back(ParkRun{run.stored.row.key, RunState::running, 0});
  std::vector<const Write*> batch;
  for (const Write& write : writes) batch.push_back(&write);
  const Result<std::vector<WriteReply>> replies =
      store.write(batch, std::max(now_ms(), store.opened_at_ms()));
  if (!replies) return replies.error();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const WriteReply& reply = (*replies)[i];
    if (reply.status == WriteStatus::refused) return reply.error;
    if (reply.status == WriteStatus::already_exists && reply.diverged)
      return make_error(Errc::invalid_argument,
                        "a signal with this id and another name or payload came before; it "
                        "stands, and this one does not count",
                        records[i].step);
    if (reply.status == WriteStatus::written) run.stored.records.push_back(*reply.stored);
  }
  return view(run);
}

Result<RunState> unblock_here(const Settings& settings, const std::string& id, Console& console) {
  const Result<std::unique_ptr<Store>> store = own_store(settings);
  if (!store) return store.error();
  Result<ReadRun> run = read_run(**store, id);
  if (!run) return run.error();
  const Result<RunView> before = view(*run);
  if (!before) return before.error();
  const Result<std::vector<Record>> unblocking =
      unblocking_records(run->flow, id, run->input, run->stored.records);
  if (!unblocking) return unblocking.error();
  if (unblocking->empty()) {
    if (!is_ended(before->state)) console.words("run " + id + " was not blocked");
    return before->state;
  }
  const Result<RunView> after = write_notes(**store, std::move(*run), *unblocking);
  if (!after) return after.error();
  console.words("run " + id + ": unblocked; go on with it by " + how_to_resume(settings));
  return after->state;
}

Result<RunState> unpause_here(const Settings& settings, const std::string& id, Console& console) {
  const Result<std::unique_ptr<Store>> store = own_store(settings);
  if (!store) return store.error();
  Result<ReadRun> run = read_run(**store, id);
  if (!run) return run.error();
  const Result<RunView> before = view(*run);
  if (!before) return before.error();
  const Result<std::vector<Record>> unpausing =
      unpausing_records(run->flow, id, run->input, run->stored.records);
  if (!unpausing) return unpausing.error();
  if (unpausing->empty()) return before->state;
  const Result<RunView> after = write_notes(**store, std::move(*run), *unpausing);
  if (!after) return after.error();
  console.words("run " + id + ": unpaused; go on with it by " + how_to_resume(settings));
  return after->state;
}

Result<RunState> signal_here(const Settings& settings, const std::string& id, const Signal& signal,
                             Console& console) {
  const Result<Record> record = signal_record(signal);
  if (!record) return record.error();
  const Result<std::unique_ptr<Store>> store = own_store(settings);
  if (!store) return store.error();
  Result<ReadRun> run = read_run(**store, id);
  if (!run) return run.error();
  if (const Result<void> awaited = check_awaited(*run->flow.plan(), signal.name); !awaited)
    return awaited.error();
  const Result<RunView> after = write_notes(**store, std::move(*run), {*record});
  if (!after) return after.error();
  console.words("run " + id + ": the signal is stored; go on with the run by " +
                how_to_resume(settings));
  return after->state;
}

Result<RunState> resolve_here(const Settings& settings, const std::string& id,
                              const Resolution& resolution, Console& console) {
  const Result<Record> record = resolution_record(resolution);
  if (!record) return record.error();
  const Result<std::unique_ptr<Store>> store = own_store(settings);
  if (!store) return store.error();
  Result<ReadRun> run = read_run(**store, id);
  if (!run) return run.error();
  if (const Result<void> fits =
          check_resolvable(run->flow, id, run->input, run->stored.records, resolution.step);
      !fits)
    return fits.error();
  const Result<RunView> after = write_notes(**store, std::move(*run), {*record});
  if (!after) return after.error();
  console.words("run " + id + ": the output of step " + resolution.step +
                " is stored; go on with the run by " + how_to_resume(settings));
  return after->state;
}

/// Tells what became of a run that was to be let go on.
///
/// Given: `held`, the state that it should have left, and in words why it has not.
ExitCode tell_let_go(Console& console, const std::string& run, const Result<RunState>& state,
                     RunState held, const std::string& why_held) {
  const ExitCode code = tell(console, run, state);
  if (!state) return code;
  if (is_ended(*state)) {
    console.words("run " + run + " had ended before");
    return ExitCode::failed;
  }
  if (*state != held) return code;
  console.words("run " + run + why_held);
  return ExitCode::unfinished;
}

}  // namespace

ExitCode cancel_command(const Settings& settings, const std::string& run) {
  Console console(settings);
  const Result<RunState> state = ask(settings, {ControlVerb::cancel, run},
                                     [&] { return stop_here(settings, run, &Engine::cancel); });
  const ExitCode code = tell(console, run, state);
  if (!state || *state == RunState::cancelling || *state == RunState::cancelled) return code;
  console.words(is_ended(*state) ? "run " + run + " had ended before"
                                 : "run " + run +
                                       " undoes already what it did, and ends as failed; see pawl "
                                       "why " +
                                       run);
  return ExitCode::failed;
}

ExitCode pause_command(const Settings& settings, const std::string& run) {
  Console console(settings);
  const Result<RunState> state = ask(settings, {ControlVerb::pause, run},
                                     [&] { return stop_here(settings, run, &Engine::pause); });
  const ExitCode code = tell(console, run, state);
  if (!state || *state == RunState::paused) return code;
  console.words("run " + run + (is_ended(*state) ? " had ended before" : " is being cancelled"));
  return ExitCode::failed;
}

ExitCode unpause_command(const Settings& settings, const std::string& run) {
  Console console(settings);
  const Result<RunState> state = ask(settings, {ControlVerb::unpause, run},
                                     [&] { return unpause_here(settings, run, console); });
  return tell_let_go(console, run, state, RunState::paused,
                     " is paused with its parent; unpause that one");
}

ExitCode unblock_command(const Settings& settings, const std::string& run) {
  Console console(settings);
  const Result<RunState> state = ask(settings, {ControlVerb::unblock, run},
                                     [&] { return unblock_here(settings, run, console); });
  return tell_let_go(console, run, state, RunState::blocked,
                     " is still blocked; see pawl why " + run);
}

ExitCode signal_command(const Settings& settings, const std::string& run,
                        const SignalArguments& arguments) {
  Console console(settings);
  const Result<json> payload = read_json_argument("--payload", arguments.payload, nullptr);
  if (!payload) return console.error(payload.error());
  Signal signal{arguments.name, *payload, arguments.id};
  if (signal.id.empty()) signal.id = generate_run_id(now_ms(), std::random_device()()).str();
  const Result<RunState> state = ask(settings, {ControlVerb::signal, run, signal},
                                     [&] { return signal_here(settings, run, signal, console); });
  return tell(console, run, state);
}

ExitCode resolve_command(const Settings& settings, const std::string& run,
                         const ResolveArguments& arguments) {
  Console console(settings);
  const Result<json> output = read_json_argument("--output", arguments.output, nullptr);
  if (!output) return console.error(output.error());
  const Resolution resolution{arguments.step, *output};
  const Result<RunState> state = ask(settings, {ControlVerb::resolve, run, {}, resolution}, [&] {
    return resolve_here(settings, run, resolution, console);
  });
  return tell(console, run, state);
}

}  // namespace pawl::tools
