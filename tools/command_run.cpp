// run and resume: the commands that own a store and perform steps.
#include <pawl/engine.hpp>
#include <pawl/ids.hpp>
#include <pawl/limits.hpp>
#include <pawl/sqlite_store.hpp>

#include "tools/builtin_steps.hpp"
#include "tools/commands.hpp"
#include "tools/interrupt.hpp"
#include "tools/progress.hpp"
#include "tools/read_json.hpp"
#include "tools/read_labels.hpp"
#include "tools/read_run.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <utility>
#include <vector>

namespace pawl::tools {

namespace {

/// How long an interrupted command waits for its steps: programs get 5 s to clean up before they
/// are killed.
constexpr std::int64_t interrupt_grace_ms = 8'000;

/// Where the command waits for its runs, or for Ctrl-C. Callbacks share it, for they may come late.
class WaitingRoom {
 public:
  void expect() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++expected_;
  }

  void arrive() {
    const std::lock_guard<std::mutex> lock(mutex_);
    --expected_;
    changed_.notify_all();
  }

  void interrupt() {
    const std::lock_guard<std::mutex> lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  }

  /// False when it was interrupted before all had arrived.
  bool wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return interrupted_ || expected_ == 0; });
    return expected_ == 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int expected_ = 0;
  bool interrupted_ = false;
};

LogSink log_to_stderr(const Settings& settings) {
  const auto logger =
      std::make_shared<spdlog::logger>("pawl", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger->set_level(settings.verbosity >= 2   ? spdlog::level::debug
                    : settings.verbosity == 1 ? spdlog::level::info
                                              : spdlog::level::err);
  // Every failed try is an event as well, of which people are told once.
  const bool told_by_event = settings.verbosity == 0 && !settings.quiet;
  return [logger, told_by_event](const LogLine& line) {
    if (told_by_event && line.text.rfind("write_failed ", 0) == 0) return;
    switch (line.level) {
      case LogLevel::debug: logger->debug(line.text); break;
      case LogLevel::info: logger->info(line.text); break;
      case LogLevel::warning: logger->warn(line.text); break;
      case LogLevel::error: logger->error(line.text); break;
    }
  };
}

/// The engine of a command, with everything that stands around it.
class Workshop {
 public:
  Console console;
  Progress progress;
  std::shared_ptr<WaitingRoom> waiting = std::make_shared<WaitingRoom>();
  std::shared_ptr<Spawner> spawner;
  std::optional<Engine> engine;
  bool interrupted = false;

  Workshop(const Settings& settings, bool many_runs)
      : console(settings), progress(console, settings, many_runs), settings_(settings) {}

  /// Opens the store; no run goes on by itself. The order matters: the spawner forks before there
  /// are threads.
  Result<void> open() {
    hold_interrupts();
    Result<std::string> path = canonical_store_path(settings_.store);
    if (!path) return path.error();
    Result<std::unique_ptr<Spawner>> started = Spawner::start(*path + ".programs.lock");
    if (!started) return started.error();
    spawner = std::move(*started);
    on_interrupt([room = waiting] { room->interrupt(); });
    EngineOptions options;
    options.recover = false;
    options.take_over = settings_.take_over;
    options.on_log = log_to_stderr(settings_);
    // With -v the log tells the same and more.
    if (settings_.verbosity == 0)
      options.on_event = [this](const EngineEvent& event) { progress.on_event(event); };
    Result<Engine> opened =
        Engine::open(settings_.store, builtin_steps(spawner), std::move(options));
    if (!opened) return opened.error();
    engine.emplace(std::move(*opened));
    return {};
  }

  /// Waits for the runs. If somebody interrupts, the engine is stopped.
  void wait_for(const std::vector<Run>& runs) {
    for (const Run& run : runs) {
      waiting->expect();
      run.on_end([room = waiting](const Outcome&) { room->arrive(); });
    }
    if (waiting->wait()) return;
    interrupted = true;
    console.words("interrupted; telling running steps to stop (Ctrl-C again: at once)");
    for (const std::string& step : engine->close(interrupt_grace_ms))
      console.words("did not stop: " + step);
  }

  /// The run as it is stored, which is what counts: it may have come to its end while it was
  /// interrupted.
  ///
  /// Errors: why the wait for the run is over, if it has not ended and no person can help it on.
  Result<json> describe(const Run& run) {
    if (interrupted) return read_document(run.id());
    const Outcome outcome = run.wait();
    if (is_ended(outcome.state)) return engine->describe(run.id());
    const RunError why = outcome.error.value_or(RunError{});
    const bool halted = outcome.state == RunState::blocked || outcome.state == RunState::paused;
    if (!halted || exit_code_of(why.code) == ExitCode::store)
      return make_error(why.code, why.message, run.id());
    Result<json> document = engine->describe(run.id());
    if (!document) return document;
    // That this program lacks a step type is not stored.
    (*document)["state"] = to_string(outcome.state);
    (*document)["error"] = to_json_value(why);
    return document;
  }

 private:
  Result<json> read_document(const std::string& run) {
    if (!reader_) {
      Result<std::unique_ptr<StoreView>> opened = open_sqlite_reader(settings_.store);
      if (!opened) return opened.error();
      reader_ = std::move(*opened);
    }
    const Result<ReadRun> read = read_run(*reader_, run);
    if (!read) return read.error();
    Result<RunView> seen = view(*read);
    if (!seen) return seen.error();
    return std::move(seen->document);
  }

  const Settings& settings_;
  std::unique_ptr<StoreView> reader_;  // once the engine is closed
};

RunState state_of(const json& document) {
  return run_state_from(document["state"].get<std::string>()).value_or(RunState::running);
}

/// The ids of all unfinished runs, the oldest first.
Result<std::vector<std::string>> unfinished_runs(Engine& engine) {
  std::vector<std::string> runs;
  RunFilter filter;
  filter.unfinished_only = true;
  for (;;) {
    const Result<std::vector<RunRow>> rows = engine.list(filter);
    if (!rows) return rows.error();
    if (rows->empty()) break;
    for (const RunRow& row : *rows) runs.push_back(row.run);
    filter.before = rows->back().key;
  }
  std::reverse(runs.begin(), runs.end());
  return runs;
}

}  // namespace

ExitCode run_command(const Settings& settings, const RunArguments& arguments) {
  Workshop shop(settings, false);
  const Steps steps = builtin_steps(nullptr);
  const Result<Flow> flow = load_flow(arguments.flow, &steps.types());
  if (!flow) return shop.console.flow_error(flow.error());
  Result<json> input = read_json_argument("--input", arguments.input);
  if (!input) return shop.console.error(input.error());
  // What can be told without a store is told before one is made.
  if (!input->is_object())
    return shop.console.error(make_error(Errc::invalid_input, "--input must be a JSON object"));
  if (const Result<RunId> id = RunId::parse(arguments.run); !arguments.run.empty() && !id)
    return shop.console.error(id.error());
  const Result<Labels> labels = read_labels(arguments.labels);
  if (!labels) return shop.console.error(labels.error());
  if (Result<void> opened = shop.open(); !opened) return shop.console.error(opened.error());
  const Result<Run> run = shop.engine->start(*flow, arguments.run, std::move(*input),
                                             StartOptions{*labels, arguments.priority});
  if (!run) return shop.console.error(run.error());
  shop.wait_for({*run});
  const Result<json> document = shop.describe(*run);
  if (!document) return shop.console.error(document.error());
  const RunState state = state_of(*document);
  if (shop.console.json_wanted())
    shop.console.document(*document);
  else if (state == RunState::succeeded)
    shop.console.data((*document)["output"].dump(2));
  const json& error = (*document)["error"];
  // Without progress lines nobody has said it yet.
  if (!error.is_null() && (settings.quiet || settings.verbosity > 0))
    std::cerr << "pawl: run " << run->id() << ": " << state << ": "
              << error["message"].get<std::string>() << '\n';
  if (shop.interrupted && !is_ended(state))
    shop.console.words("run " + run->id() +
                       ": unfinished; go on with it by the same command, or by " +
                       how_to_resume(settings));
  return exit_code_of(state);
}

ExitCode resume_command(const Settings& settings) {
  Workshop shop(settings, true);
  if (Result<void> opened = shop.open(); !opened) return shop.console.error(opened.error());
  // All are known before the first goes on, and may end.
  const Result<std::vector<std::string>> unfinished = unfinished_runs(*shop.engine);
  if (!unfinished) return shop.console.error(unfinished.error());
  if (unfinished->empty()) shop.console.words("nothing to resume");
  ExitCode highest = ExitCode::succeeded;
  std::vector<Run> runs;
  for (const std::string& id : *unfinished) {
    const Result<Run> run = shop.engine->find(id);
    if (run)
      runs.push_back(*run);
    else
      highest = std::max(highest, shop.console.error(run.error()));
  }
  shop.wait_for(runs);
  for (const Run& run : runs) {
    Result<json> document = shop.describe(run);
    if (!document) {
      highest = std::max(highest, shop.console.error(document.error()));
      continue;
    }
    highest = std::max(highest, exit_code_of(state_of(*document)));
    document->erase("steps");
    if (shop.console.json_wanted())
      shop.console.document(*document);
    else
      shop.console.data(run.id() + ": " + (*document)["state"].get<std::string>());
  }
  return highest;
}

}  // namespace pawl::tools
