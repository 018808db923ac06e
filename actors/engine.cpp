#include <pawl/engine.hpp>
#include <pawl/limits.hpp>
#include <pawl/run_document.hpp>
#include <pawl/sqlite_store.hpp>

#include "actors/control_socket.hpp"
#include "actors/engine_core.hpp"
#include "actors/real_seams.hpp"
#include "actors/thread_pool.hpp"
#include "actors/worker_policy.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

namespace pawl {

namespace {

std::size_t thread_count(int asked) {
  if (asked > 0) return static_cast<std::size_t>(asked);
  return std::max<std::size_t>(4, std::thread::hardware_concurrency());
}

/// CAF's workers: two may sit in fsync, the store's and the log keeper's, while the others go on.
std::size_t worker_count() {
  return std::max<std::size_t>(4, std::thread::hardware_concurrency() + 2);
}

struct SystemConfig : caf::actor_system_config {
  SystemConfig() {
    WorkerPolicy::set_up(*this, worker_count());
    set("logger.file-verbosity", caf::atom("quiet"));
    set("logger.console-verbosity", caf::atom("quiet"));
  }
};

Error closed_error() {
  return make_error(Errc::closed, "the engine was closed");
}

Result<json> document_of(StoreView& store, const std::string& run) {
  Result<std::optional<StoredRun>> stored = store.load(run);
  if (!stored) return stored.error();
  if (!*stored) return make_error(Errc::unknown_run, "there is no such run in this store", run);
  Result<Flow> flow = parse_flow(*(*stored)->flow);
  if (!flow)
    return make_error(Errc::corrupt, "the run's flow is not readable: " + flow.error().message,
                      run);
  Result<json> input = parse_json((*stored)->input, Limits::input_bytes_max);
  if (!input)
    return make_error(Errc::corrupt, "the run's input is not readable: " + input.error().message,
                      run);
  Result<RunView> view = view_run(*flow, run, *input, (*stored)->records, (*stored)->progress);
  if (!view) return view.error();
  return std::move(view->document);
}

/// Asks the actors what another process asked.
PendingPtr<Result<RunState>> answer_of(EngineCore& core, const ControlQuestion& question) {
  switch (question.verb) {
    case ControlVerb::cancel: return core.cancel(question.run);
    case ControlVerb::unblock: return core.unblock(question.run);
    case ControlVerb::pause: return core.pause(question.run);
    case ControlVerb::unpause: return core.unpause(question.run);
    case ControlVerb::resolve: return core.resolve(question.run, question.resolution);
    case ControlVerb::fork:
    case ControlVerb::signal: break;
  }
  return core.signal(question.run, question.signal);
}

/// Hands the value to `callback` on the engine's thread for callbacks; without one, on the thread
/// that sets it.
template <class T>
void call_when_set(Pending<T>& pending, std::function<void(const T&)> callback,
                   std::weak_ptr<CallbackThread> thread) {
  pending.on_set([callback = std::move(callback), weak = std::move(thread)](const T& value) {
    if (const auto callbacks = weak.lock())
      callbacks->post([callback, value] { callback(value); });
    else
      callback(value);
  });
}

}  // namespace

// --- Run

const std::string& Run::id() const {
  return state_->id;
}

Result<void> Run::started() const {
  return state_->started.wait();
}

Outcome Run::wait() const {
  return state_->end.wait();
}

std::optional<Outcome> Run::wait_for(std::int64_t timeout_ms) const {
  return state_->end.wait_for(std::chrono::milliseconds(timeout_ms));
}

void Run::on_started(std::function<void(const Result<void>&)> callback) const {
  call_when_set(state_->started, std::move(callback), state_->callbacks);
}

void Run::on_end(std::function<void(const Outcome&)> callback) const {
  // The handle may be gone by then.
  call_when_set<Outcome>(
      state_->end,
      [callback = std::move(callback), keep = state_](const Outcome& end) { callback(end); },
      state_->callbacks);
}

// --- Engine

class Engine::Impl {
 public:
  Impl(std::unique_ptr<Store> store, Steps steps, EngineOptions options)
      : grace_ms_(options.close_grace_ms), callbacks_(std::make_shared<CallbackThread>()) {
    if (!options.seams.clock) options.seams.clock = make_system_clock();
    if (!options.seams.random) options.seams.random = make_system_random();
    if (!options.seams.executor) {
      pool_ = std::make_shared<ThreadPool>(thread_count(options.step_threads));
      options.seams.executor = pool_;
    }
    types_ = steps.types();
    core_ = std::make_shared<EngineCore>(system_, std::move(store),
                                         std::make_shared<const Steps>(std::move(steps)),
                                         std::move(options), callbacks_);
  }

  ~Impl() { close(grace_ms_); }

  /// Serves other processes' questions about this engine's runs.
  void listen(const std::string& store_path) {
    const auto serve = [core = core_](const ControlQuestion& question) {
      const std::string& run = question.run;
      if (question.verb == ControlVerb::fork) return core->fork(run, question.fork, 3000);
      const auto answer = answer_of(*core, question);
      const auto state = answer->wait_for(std::chrono::seconds(5));
      return state ? *state
                   : Result<RunState>(
                         make_error(Errc::busy, "the store does not answer; ask again", run));
    };
    const auto prune = [core = core_](const PruneOptions& options) {
      const auto pruned = core->prune(options)->wait_for(std::chrono::seconds(5));
      return pruned
                 ? *pruned
                 : Result<Pruned>(make_error(Errc::busy, "the store does not answer; ask again"));
    };
    auto opened = ControlSocket::open(store_path, serve, 2000, prune);
    if (opened)
      control_ = std::move(*opened);
    else
      core_->reporter()->log(LogLevel::warning,
                             "other processes cannot reach this engine: " + opened.error().text());
  }

  std::vector<std::string> close(std::int64_t grace_ms) {
    if (closed_.exchange(true)) return {};
    control_.reset();
    const auto stopped = core_->close(false)->wait_for(
        std::chrono::milliseconds(std::max<std::int64_t>(grace_ms, 0)));
    std::vector<std::string> still_running;
    if (!stopped) still_running = core_->close(true)->wait();
    core_->stop();
    system_.await_all_actors_done();
    if (pool_) pool_->close();
    callbacks_->close();
    return still_running;
  }

  bool is_closed() const { return closed_; }

  EngineCore& core() { return *core_; }

  const StepTypes& types() const { return types_; }

 private:
  std::int64_t grace_ms_;
  StepTypes types_;
  SystemConfig config_;
  caf::actor_system system_{config_};
  std::shared_ptr<ThreadPool> pool_;  // null when a test brought its own executor
  std::shared_ptr<CallbackThread> callbacks_;
  std::shared_ptr<EngineCore> core_;
  std::unique_ptr<ControlSocket> control_;
  std::atomic<bool> closed_{false};
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

namespace {

/// The limits of step types.
Result<void> check_turns(const Steps& steps, const EngineOptions& options) {
  const auto refused = [](const char* option, const std::string& type, const std::string& why) {
    return make_error(Errc::invalid_argument,
                      std::string(option) + " of the step type \"" + type + "\"" + why);
  };
  const auto is_known = [&](const std::string& type) { return steps.types().count(type) > 0; };
  const char* const not_given = ": no such step type was given";
  for (const auto& [type, limit] : options.at_once_max) {
    if (!is_known(type)) return refused("at_once_max", type, not_given);
    if (limit == 0) return refused("at_once_max", type, " is 0: none would ever run");
  }
  for (const auto& [type, rate] : options.rates) {
    if (!is_known(type)) return refused("rates", type, not_given);
    if (rate.count == 0) return refused("rates", type, ": its count is 0: none would ever run");
    if (rate.per_ms < 1 || rate.per_ms > Limits::delay_ms_max)
      return refused("rates", type,
                     ": per_ms is " + std::to_string(rate.per_ms) + "; it must lie between 1 and " +
                         std::to_string(Limits::delay_ms_max));
  }
  return {};
}

}  // namespace

Result<Engine> Engine::open(const std::string& path, Steps steps, EngineOptions options) {
  SqliteStoreOptions store_options{path};
  store_options.lock_wait_ms = options.lock_wait_ms;
  store_options.take_over = options.take_over;
  store_options.checkpoint_pages = options.checkpoint_pages;
  Result<std::unique_ptr<Store>> store = open_sqlite_store(store_options);
  if (!store) return store.error();
  const bool listens = options.control_socket;
  Result<Engine> engine = open(std::move(*store), std::move(steps), std::move(options));
  if (engine && listens) engine->impl_->listen(canonical_store_path(path).value());
  return engine;
}

Result<Engine> Engine::open(std::unique_ptr<Store> store, Steps steps, EngineOptions options) {
  if (!steps.repeated().empty())
    return make_error(Errc::invalid_argument,
                      "the step type \"" + steps.repeated().front() + "\" was given twice");
  if (options.starts_max == 0)
    return make_error(Errc::invalid_argument, "starts_max is 0: no run could ever be started");
  if (Result<void> checked = check_turns(steps, options); !checked) return checked.error();
  return Engine(std::make_unique<Impl>(std::move(store), std::move(steps), std::move(options)));
}

Result<Run> Engine::start(const Flow& flow, std::string_view run, json input,
                          const StartOptions& options) {
  Run started = submit(flow, run, std::move(input), options);
  if (Result<void> result = started.started(); !result) return result.error();
  return started;
}

Run Engine::submit(const Flow& flow, std::string_view run, json input,
                   const StartOptions& options) {
  if (impl_->is_closed()) return impl_->core().refused(run, closed_error());
  return impl_->core().submit(flow, run, input, options);
}

Result<Run> Engine::find(std::string_view run) {
  if (impl_->is_closed()) return closed_error();
  Run found = impl_->core().watch(run);
  if (Result<void> result = found.started(); !result) return result.error();
  return found;
}

Result<RunState> Engine::cancel(std::string_view run) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core().cancel(run)->wait();
}

Result<RunState> Engine::unblock(std::string_view run) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core().unblock(run)->wait();
}

Result<RunState> Engine::pause(std::string_view run) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core().pause(run)->wait();
}

Result<RunState> Engine::unpause(std::string_view run) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core().unpause(run)->wait();
}

Result<RunState> Engine::signal(std::string_view run, std::string_view name, json payload,
                                std::string_view signal_id) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core()
      .signal(run, {std::string(name), std::move(payload), std::string(signal_id)})
      ->wait();
}

Result<RunState> Engine::resolve(std::string_view run, std::string_view step, json output) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core().resolve(run, {std::string(step), std::move(output)})->wait();
}

Result<Run> Engine::fork(std::string_view run, std::string_view step, std::string_view id,
                         const ForkOptions& options) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core().fork(run, step, id, options);
}

Result<std::vector<Doubt>> Engine::doubts(std::string_view run) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core()
      .look<std::vector<Doubt>>(
          [id = std::string(run)](StoreView& store) -> Result<std::vector<Doubt>> {
            Result<std::optional<StoredRun>> stored = store.load(id);
            if (!stored) return stored.error();
            if (!*stored)
              return make_error(Errc::unknown_run, "there is no such run in this store", id);
            return doubts_of(id, (*stored)->records);
          })
      ->wait();
}

Result<std::vector<Doubt>> Engine::doubts() {
  std::vector<Doubt> all;
  RunFilter page;
  for (;;) {
    const Result<std::vector<RunRow>> rows = list(page);
    if (!rows) return rows.error();
    for (const RunRow& row : *rows) {
      Result<std::vector<Doubt>> of_run = doubts(row.run);
      if (!of_run && of_run.error().code == Errc::unknown_run) continue;  // pruned meanwhile
      if (!of_run) return of_run.error();
      for (Doubt& doubt : *of_run) all.push_back(std::move(doubt));
    }
    if (rows->size() < page.limit) return all;
    page.before = rows->back().key;
  }
}

Result<std::vector<RunRow>> Engine::list(const RunFilter& filter) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core()
      .look<std::vector<RunRow>>([filter](StoreView& store) { return store.list(filter); })
      ->wait();
}

Result<std::size_t> Engine::prune(const PruneOptions& options) {
  if (impl_->is_closed()) return closed_error();
  const Result<Pruned> pruned = impl_->core().prune(options)->wait();
  if (!pruned) return pruned.error();
  return pruned->runs;
}

Result<json> Engine::describe(std::string_view run) {
  if (impl_->is_closed()) return closed_error();
  return impl_->core()
      .look<json>([id = std::string(run)](StoreView& store) { return document_of(store, id); })
      ->wait();
}

EngineStats Engine::stats() const {
  return impl_->core().stats();
}

const StepTypes& Engine::step_types() const {
  return impl_->types();
}

std::vector<std::string> Engine::close(std::int64_t grace_ms) {
  return impl_->close(grace_ms);
}

}  // namespace pawl
