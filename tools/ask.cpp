#include "tools/ask.hpp"

#include <pawl/ids.hpp>
#include <pawl/sqlite_store.hpp>

#include <chrono>
#include <thread>
#include <unistd.h>

namespace pawl::tools {

namespace {

constexpr int owner_timeout_ms = 10'000;

/// How long an owner may be about to listen, or about to go.
constexpr std::chrono::seconds between_owners{1};
constexpr std::chrono::milliseconds look_again{20};

}  // namespace

Result<std::unique_ptr<Store>> own_store(const Settings& settings) {
  SqliteStoreOptions options{settings.store};
  options.lock_wait_ms = 0;
  return open_sqlite_store(options);
}

Result<RunState> ask(const Settings& settings, const ControlQuestion& question,
                     const std::function<Result<RunState>()>& here) {
  if (const Result<RunId> id = RunId::parse(question.run); !id) return id.error();
  // A run cannot be in a store that is not there; asking must not make one.
  if (::access(settings.store.c_str(), F_OK) != 0)
    return make_error(Errc::io, "there is no such store", settings.store);
  const auto deadline = std::chrono::steady_clock::now() + between_owners;
  for (;;) {
    Result<RunState> state = here();
    if (state || state.error().code != Errc::in_use) return state;
    state = ask_owner(settings.store, question, owner_timeout_ms);
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

}  // namespace pawl::tools
