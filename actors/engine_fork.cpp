// Forks: a run is read, its fork is made by rules alone, and started like any run.
#include <pawl/stored_fixture.hpp>

#include "actors/engine_core.hpp"

#include <caf/send.hpp>

#include <chrono>
#include <utility>

namespace pawl {

namespace {

/// The answer, or Errc::busy if it takes longer than `wait_ms`.
template <class T>
Result<T> wait_for(const Pending<Result<T>>& pending, std::optional<std::int64_t> wait_ms) {
  if (!wait_ms) return pending.wait();
  const auto result = pending.wait_for(std::chrono::milliseconds(*wait_ms));
  if (result) return *result;
  return make_error(Errc::busy, "the store does not answer; ask again");
}

Result<ForkOptions> options_from(const ControlFork& fork) {
  ForkOptions options;
  for (const auto& [step, output] : fork.set.items()) options.set.emplace(step, output);
  if (!fork.flow.is_null()) {
    Result<Flow> flow = parse_flow(fork.flow.dump());
    if (!flow) return flow.error();
    options.flow = std::move(*flow);
  }
  for (const auto& [key, label] : fork.labels.items()) options.labels.emplace(key, label);
  return options;
}

}  // namespace

Result<Run> EngineCore::fork(std::string_view run, std::string_view step, std::string_view id,
                             const ForkOptions& options, std::optional<std::int64_t> wait_ms) {
  const auto reading = look<RunFixture>(
      [run_id = std::string(run)](StoreView& store) { return read_fixture(store, run_id); });
  const Result<RunFixture> source = wait_for(*reading, wait_ms);
  if (!source) return source.error();
  const std::string fork_id =
      id.empty()
          ? generate_run_id(options_.seams.clock->now_ms(), options_.seams.random->next()).str()
          : std::string(id);
  const Result<RunFork> fork = fork_run(*source, std::string(step), fork_id, options);
  if (!fork) return fork.error();
  if (Result<void> known = check_types(fork->flow, fork_id); !known) return known.error();
  const auto state = make_state(fork_id);
  auto request = std::make_shared<StartRequest>(
      StartRequest{fork->flow, std::make_shared<const Write>(fork_start(*fork, fork_id, false)),
                   fork->input, started_ticket(state), end_ticket(state)});
  caf::anon_send(coordinator_, Message<StartRequest>(std::move(request)));
  const Result<void> started = wait_for(state->started, wait_ms);
  if (!started) return started.error();
  return Run(state);
}

Result<RunState> EngineCore::fork(const std::string& run, const ControlFork& fork,
                                  std::int64_t wait_ms) {
  const Result<ForkOptions> options = options_from(fork);
  if (!options) return options.error();
  const Result<Run> forked = this->fork(run, fork.step, fork.id, *options, wait_ms);
  if (!forked) return forked.error();
  const auto reading = look<RunState>([id = forked->id()](StoreView& store) -> Result<RunState> {
    const Result<std::optional<StoredRun>> stored = store.load(id);
    if (!stored) return stored.error();
    return *stored ? (*stored)->row.state : RunState::running;
  });
  return wait_for(*reading, wait_ms);
}

}  // namespace pawl
