// Commands that change a run from outside: through its store's owner, or as its owner for a moment.
#include <pawl/control.hpp>
#include <pawl/engine.hpp>

#include "tools/commands.hpp"

#include <unistd.h>

namespace pawl::tools {

namespace {

constexpr int owner_timeout_ms = 10'000;

Result<RunState> ask_own_engine(Engine& engine, ControlVerb verb, const std::string& run) {
  if (verb == ControlVerb::unblock) return engine.unblock(run);
  const Result<RunState> state = engine.cancel(run);
  if (!state || is_ended(*state)) return state;
  // Nothing of it runs here: the cancel comes to its end at once.
  const Result<Run> found = engine.find(run);
  if (!found) return found.error();
  return found->wait().state;
}

Result<RunState> ask(const Settings& settings, ControlVerb verb, const std::string& run) {
  // A run cannot be in a store that is not there; asking must not make one.
  if (::access(settings.store.c_str(), F_OK) != 0)
    return make_error(Errc::io, "there is no such store", settings.store);
  EngineOptions options;
  options.recover = false;
  options.control_socket = false;
  options.lock_wait_ms = 0;
  Result<Engine> engine = Engine::open(settings.store, Steps{}, options);
  if (engine) return ask_own_engine(*engine, verb, run);
  if (engine.error().code != Errc::in_use) return engine.error();
  return ask_owner(settings.store, verb, run, owner_timeout_ms);
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
  const Result<RunState> state = ask(settings, ControlVerb::cancel, run);
  const ExitCode code = tell(console, run, state);
  if (!state || *state == RunState::cancelling || *state == RunState::cancelled) return code;
  console.words("run " + run + " had ended before");
  return ExitCode::failed;
}

ExitCode unblock_command(const Settings& settings, const std::string& run) {
  Console console(settings);
  return tell(console, run, ask(settings, ControlVerb::unblock, run));
}

}  // namespace pawl::tools
