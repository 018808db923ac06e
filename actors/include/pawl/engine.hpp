/// Engine: runs flows in this process, on one store. Run: a handle on one of them.
#pragma once

#include <pawl/clock.hpp>
#include <pawl/doubts.hpp>
#include <pawl/error.hpp>
#include <pawl/executor.hpp>
#include <pawl/flow.hpp>
#include <pawl/fork.hpp>
#include <pawl/labels.hpp>
#include <pawl/observer.hpp>
#include <pawl/retention.hpp>
#include <pawl/run_state.hpp>
#include <pawl/steps.hpp>
#include <pawl/store.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl {

/// What a test may put in the place of the real world. Null: the real one.
struct EngineSeams {
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<RandomSource> random;
  std::shared_ptr<Executor> executor;
};

/// What a start does when `starts_max` of them wait for their answer.
enum class WhenFull { wait, refuse };

/// At most `count` attempts begin within any `per_ms` milliseconds.
struct Rate {
  std::size_t count = 1;
  std::int64_t per_ms = 1000;
};

struct EngineOptions {
  /// Step functions that run at once; they may block. 0: four, or one per core if that is more. A
  /// step that outlives its timeout keeps its thread; up to twice as many threads make up for such.
  int step_threads = 0;

  /// Whether to go on with every unfinished run in the store. Without it, only runs that are
  /// started or found through this engine go on.
  bool recover = true;

  /// Runs held in memory at once. More may be started: they wait in the store, where they are as
  /// safe.
  std::size_t live_runs_max = 10'000;

  /// Starts that may wait for their answer at once, so that whoever submits faster than the disk
  /// writes fills no memory. One more waits, in `submit` too, or is refused with Errc::busy; from
  /// an event listener or a log sink it is always refused.
  std::size_t starts_max = 100'000;
  WhenFull when_full = WhenFull::wait;

  /// Attempts under way at once, those that wait for a step thread or for the store included.
  std::size_t attempts_max = 4096;

  /// Attempts of a step type under way at once, over all runs, such as `{{"bank", 2}}`; each at
  /// least 1. Types that are not there have no limit of their own. Of those that wait the highest
  /// priority goes first, and of equal ones what came first. An attempt counts until its end is
  /// durable; one whose code outlives its timeout counts no more.
  std::map<std::string, std::size_t> at_once_max = {};

  /// How often attempts of a step type begin, over all runs, such as `{{"bank", {5, 1000}}}`: in
  /// any span [t, t + `per_ms`) the code of at most `count` attempts begins, by a clock that nobody
  /// sets. `count` at least 1, `per_ms` 1 to 31622400000. Kept in memory alone: an engine that is
  /// opened again knows nothing of what began before, so that within `per_ms` after it up to twice
  /// `count` may have begun.
  std::map<std::string, Rate> rates = {};

  /// How long the destructor lets running steps finish; see `close`.
  std::int64_t close_grace_ms = 5000;

  /// The folder that relative paths of this engine's new runs count from; empty: the working
  /// folder.
  std::string folder = {};

  /// Whether to listen on `STORE.sock` for what other processes want of this engine's runs (`pawl
  /// cancel`).
  bool control_socket = true;

  /// Which ended runs the engine keeps; all of them unless it is told. The others are removed now
  /// and then, a portion at a time, so that nobody waits for it.
  Retention retention = {};

  /// See SqliteStoreOptions.
  int lock_wait_ms = 300;
  bool take_over = false;
  int checkpoint_pages = 4000;

  /// How much the store's log may hold before event `log_grows` tells of it; 0: it is never told.
  /// Only a log that cannot be begun anew counts, mostly because somebody reads.
  std::int64_t log_bytes_warn = std::int64_t{256} << 20;

  EventListener on_event = {};
  LogSink on_log = {};
  EngineSeams seams = {};
};

/// What may be said of a run at its start.
struct StartOptions {
  Labels labels = {};  ///< for finding it again: `RunFilter::labels`

  /// -100 to 100, in place of the flow's. See docs/flows.md, "Taking turns".
  std::optional<int> priority = {};
};

/// Numbers about an engine, since it was opened.
struct EngineStats {
  std::map<RunState, std::int64_t> live_runs;   ///< runs in memory, by state
  std::map<RunState, std::int64_t> ended_runs;  ///< runs that ended, by state
  std::int64_t steps_completed = 0;
  std::int64_t attempts_running = 0;  ///< those that wait for a thread or the store included
  std::int64_t writes_waiting = 0;    ///< the store's queue
  std::int64_t commits = 0;           ///< that are durable
  std::int64_t writes = 0;            ///< in all commits
  std::int64_t batch_max = 0;         ///< writes in the largest commit
  std::int64_t commit_us_p50 = 0;     ///< of the last 1024 commits
  std::int64_t commit_us_p99 = 0;
  std::int64_t wal_bytes = 0;        ///< the size of the store's log file
  std::int64_t threads_hanging = 0;  ///< held by steps that did not return in time

  json to_json_value() const;
};

/// A handle on a run. Cheap to copy; outlives its engine, but then only says what it knew.
///
/// Threads: any.
class Run {
 public:
  const std::string& id() const;

  /// Waits until the start is durable, or refused. At once for runs from `start` and `find`.
  ///
  /// Errors: of `Engine::start`.
  Result<void> started() const;

  /// Calls `callback` once with what `started` would return. Threads as with `on_end`.
  void on_started(std::function<void(const Result<void>&)> callback) const;

  /// Waits until the run has ended, or cannot go on without a person (blocked or paused).
  ///
  /// Returns: the end; or with a state that is no end, why the wait is over: `error.code` is what
  ///          blocks or pauses the run, or closed, engine_lost or fenced, or unknown_run if it was
  ///          pruned meanwhile.
  Outcome wait() const;

  /// The same, but no longer than `timeout_ms`; nothing if the deadline passes. The run goes on.
  std::optional<Outcome> wait_for(std::int64_t timeout_ms) const;

  /// Calls `callback` once with what `wait` would return.
  ///
  /// Threads: the engine's own for callbacks, one after the other: it may not block for long, nor
  ///          close the engine. Once the engine is closed, the thread that knows the answer: the
  ///          caller's, if it is known already.
  void on_end(std::function<void(const Outcome&)> callback) const;

  class State;  // of the library

  explicit Run(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

/// Runs flows on one store, of which it is the only owner.
///
/// Threads:  every member from any thread; `close` once.
/// Lifetime: do not fork without exec while an engine lives, and do not close it from a step or a
///           callback.
/// Source:   docs/ARCHITECTURE.md
class Engine {
 public:
  /// Opens the store in the file `path`, or makes it, and goes on with what an earlier process
  /// left.
  ///
  /// Errors: those of `open_sqlite_store`; Errc::invalid_argument for a step type given twice, and
  ///         for options out of their bounds.
  static Result<Engine> open(const std::string& path, Steps steps, EngineOptions options = {});

  /// The same on any store.
  static Result<Engine> open(std::unique_ptr<Store> store, Steps steps, EngineOptions options = {});

  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// Closes with the grace of the options.
  ~Engine();

  /// Starts a run and waits until that is durable.
  ///
  /// Given:  `run`, its id, or empty for a generated one; `input`, merged over the flow's defaults.
  ///         The same id with the same flow and input is the same run, finished or not: nothing is
  ///         started twice. `options` are no part of that: those of the first start stand.
  /// Errors: Errc::invalid_argument (the id, a label, the priority), Errc::invalid_input,
  ///         Errc::too_large, Errc::run_differs, Errc::invalid_flow (a step type that this engine
  ///         has not).
  ///         With Errc::io, Errc::full and Errc::busy it is unknown whether the run was started:
  ///         start it again under the same id.
  Result<Run> start(const Flow& flow, std::string_view run = {}, json input = json::object(),
                    const StartOptions& options = {});

  /// The same without waiting: `Run::started` tells the rest.
  Run submit(const Flow& flow, std::string_view run = {}, json input = json::object(),
             const StartOptions& options = {});

  /// A handle on a run of this store, which goes on if it is unfinished.
  ///
  /// Errors: Errc::unknown_run, Errc::corrupt; while attempts of a run that cannot go on are under
  ///         way, why it cannot.
  Result<Run> find(std::string_view run);

  /// Asks a run to stop and waits until the request is durable. Its running steps are told, and
  /// then what they and those before them did is undone, where the flow says how, and it ends as
  /// cancelled.
  ///
  /// Returns: cancelling, or the run's end if it has ended already; failing, or blocked, for a run
  ///          that undoes what it did already: that goes on, and the run ends as failed.
  /// Errors:  Errc::unknown_run; those of the store.
  Result<RunState> cancel(std::string_view run);

  /// Lets everything go on that a run is blocked for: steps after a crash loop, in doubt or with
  /// other parameters run again; an undo that failed, or a step that asks, with all its attempts.
  ///
  /// Returns: the run's state afterwards.
  /// Errors:  Errc::unknown_run; those of the store.
  Result<RunState> unblock(std::string_view run);

  /// Pauses a run, and its children with it: nothing more of it begins before `unpause`. Waits
  /// until that is durable. Attempts that have begun, or were sent to a step that is an actor, come
  /// to their end, and their outputs count; what waits for its turn is taken back. Time goes on: a
  /// sleep or a deadline that is over meanwhile is over at once afterwards. Signals are kept. A
  /// cancel ends the pause.
  ///
  /// Returns: paused; or the run's state, if it was cancelled or has ended before.
  /// Errors:  Errc::unknown_run; those of the store.
  Result<RunState> pause(std::string_view run);

  /// Lets a paused run go on, whether somebody or outputs that differ paused it (see OnDivergence).
  /// What was paused with its parent goes on with it.
  ///
  /// Returns: the run's state afterwards.
  /// Errors:  Errc::unknown_run; those of the store.
  Result<RunState> unpause(std::string_view run);

  /// Sends a signal to a run, and waits until it is durable. A step that awaits its name takes it,
  /// now or when it comes to that; several signals of one name wait in line.
  ///
  /// Given:   `signal_id`, which names it among all signals of the run; empty for a generated one.
  ///          Sent twice under one id, it counts once: whoever got no answer sends it again.
  /// Returns: the run's state afterwards.
  /// Errors:  Errc::unknown_run, Errc::run_ended; Errc::invalid_argument (the id, a name that the
  ///          flow does not await, or an id that came before with something else);
  ///          Errc::invalid_json, Errc::too_large (the payload); those of the store.
  Result<RunState> signal(std::string_view run, std::string_view name, json payload = nullptr,
                          std::string_view signal_id = {});

  /// Gives the output of a step that its run is blocked for: what somebody says who has found out
  /// that its effect happened. (`unblock` runs it again.)
  ///
  /// Given:   `step`, as `RunError::step` names it.
  /// Returns: the run's state afterwards.
  /// Errors:  Errc::invalid_argument for a step that the run is not blocked for; Errc::unknown_run,
  ///          Errc::run_ended, Errc::too_large; those of the store.
  Result<RunState> resolve(std::string_view run, std::string_view step, json output);

  /// Starts a new run that shares what another one has done up to a step, and goes on from there by
  /// itself: the step, and all that depends on it, run again. Waits until all of that is durable.
  ///
  /// The fork has its own id, so its attempts have other idempotency keys: effects of steps that
  /// run again happen again. What is shared was done by the other run: no attempt of the fork
  /// stands for it, and a fork that fails does not undo it.
  ///
  /// Given:  `id`, the fork's, or empty for a generated one. The same fork (of the same run and
  ///         step, with the same outputs set and the same flow) under the same id is the same run.
  ///         The run may be under way, or have ended; nothing changes for it.
  /// Errors: Errc::unknown_run, Errc::corrupt; those of `fork_run`, and of `start`.
  Result<Run> fork(std::string_view run, std::string_view step, std::string_view id = {},
                   const ForkOptions& options = {});

  /// The effects of a run's steps that may have happened twice, or are undecided.
  ///
  /// Errors: Errc::unknown_run; those of the store.
  Result<std::vector<Doubt>> doubts(std::string_view run);

  /// The same of all runs, the newest first. Reads every run: for reports, not for every day's
  /// path.
  Result<std::vector<Doubt>> doubts();

  /// Runs of the store, the newest first.
  Result<std::vector<RunRow>> list(const RunFilter& filter = {});

  /// Removes ended runs with all of their records, for good: see retention.hpp. A transaction per
  /// portion, between which others write: while they do, it takes a seventh of the store's time.
  /// Once a run is removed its id is free: a start under it is a new run, whose steps have the keys
  /// of the old one's.
  ///
  /// Returns: how many were removed.
  /// Errors:  Errc::invalid_argument where nothing says what may go; those of the store: what was
  ///          removed before stays removed.
  Result<std::size_t> prune(const PruneOptions& options);

  /// The run's document: see run_document.hpp.
  ///
  /// Errors: Errc::unknown_run, Errc::corrupt.
  Result<json> describe(std::string_view run);

  EngineStats stats() const;

  /// The step types that this engine performs.
  const StepTypes& step_types() const;

  /// Stops: starts nothing more, tells running steps to stop, gives them `grace_ms`, and gives up
  /// the store.
  ///
  /// What did not stop in time goes on in its thread and its answer is dropped; the next engine
  /// finds its attempt lost. What stopped in time has left its receipt.
  ///
  /// Returns: the steps that did not stop, as `RUN/STEP`.
  std::vector<std::string> close(std::int64_t grace_ms);

 private:
  class Impl;

  explicit Engine(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl
