// run and resume: the commands that own a store and perform steps.
#include <pawl/engine.hpp>
#include <pawl/ids.hpp>
#include <pawl/limits.hpp>
#include <pawl/sqlite_store.hpp>

#include "tools/builtin_steps.hpp"
#include "tools/commands.hpp"
#include "tools/interrupt.hpp"
#include "tools/progress.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <iterator>
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
  return [logger](const LogLine& line) {
    switch (line.level) {
      case LogLevel::debug: logger->debug(line.text); break;
      case LogLevel::info: logger->info(line.text); break;
      case LogLevel::warning: logger->warn(line.text); break;
      case LogLevel::error: logger->error(line.text); break;
    }
  };
}

/// The engine of a command, with everything that stands around it.
struct Workshop {
  Console console;
  Progress progress;
  std::shared_ptr<WaitingRoom> waiting = std::make_shared<WaitingRoom>();
  std::shared_ptr<Spawner> spawner;
  std::optional<Engine> engine;

  Workshop(const Settings& settings, bool many_runs)
      : console(settings), progress(console, settings, many_runs) {}

  /// Opens the store. The order matters: the spawner forks before there are threads.
  Result<void> open(const Settings& settings, bool recover) {
    hold_interrupts();
    Result<std::string> path = canonical_store_path(settings.store);
    if (!path) return path.error();
    Result<std::unique_ptr<Spawner>> started = Spawner::start(*path + ".programs.lock");
    if (!started) return started.error();
    spawner = std::move(*started);
    on_interrupt([room = waiting] { room->interrupt(); });
    EngineOptions options;
    options.recover = recover;
    options.on_log = log_to_stderr(settings);
    // With -v the log tells the same and more.
    if (settings.verbosity == 0)
      options.on_event = [this](const EngineEvent& event) { progress.on_event(event); };
    Result<Engine> opened =
        Engine::open(settings.store, builtin_steps(spawner), std::move(options));
    if (!opened) return opened.error();
    engine.emplace(std::move(*opened));
    return {};
  }

  /// Waits for the runs; false if somebody interrupted. The engine is stopped then.
  bool wait_for(const std::vector<Run>& runs) {
    for (const Run& run : runs) {
      waiting->expect();
      run.on_end([room = waiting](const Outcome&) { room->arrive(); });
    }
    if (waiting->wait()) return true;
    console.words("interrupted; telling running steps to stop (Ctrl-C again: at once)");
    for (const std::string& step : engine->close(interrupt_grace_ms))
      console.words("did not stop: " + step);
    return false;
  }
};

Result<std::string> read_all(std::istream& stream, const std::string& name) {
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) return make_error(Errc::io, "cannot be read", name);
  return text;
}

Result<json> read_input(const std::string& argument) {
  if (argument.empty()) return json::object();
  std::string text = argument;
  if (argument.front() == '@') {
    const std::string name = argument.substr(1);
    std::ifstream file;
    if (name != "-") file.open(name, std::ios::binary);
    if (name != "-" && !file)
      return make_error(Errc::invalid_input, "the input's file cannot be read", name);
    Result<std::string> read = name == "-" ? read_all(std::cin, "stdin") : read_all(file, name);
    if (!read) return read.error();
    text = std::move(*read);
  }
  Result<json> input = parse_json(text, Limits::input_bytes_max);
  if (input) return input;
  Error error = input.error();
  error.message = "--input: " + error.message;
  return error;
}

/// Shows a run as it is stored: the same bytes each time.
ExitCode show_end(Workshop& shop, const std::string& run) {
  const Result<json> document = shop.engine->describe(run);
  if (!document) return shop.console.error(document.error());
  const RunState state =
      run_state_from((*document)["state"].get<std::string>()).value_or(RunState::running);
  if (shop.console.json_wanted())
    shop.console.document(*document);
  else if (state == RunState::succeeded)
    shop.console.data((*document)["output"].dump(2));
  return exit_code_of(state);
}

std::string how_to_resume(const Settings& settings) {
  return "pawl resume" + (settings.store == "pawl.db" ? "" : " --store " + settings.store);
}

}  // namespace

ExitCode run_command(const Settings& settings, const RunArguments& arguments) {
  Workshop shop(settings, false);
  const Steps steps = builtin_steps(nullptr);
  const Result<Flow> flow = load_flow(arguments.flow, &steps.types());
  if (!flow) {
    const bool unreadable = flow.error().code == Errc::io;
    shop.console.error(flow.error());
    return unreadable ? ExitCode::usage : exit_code_of(flow.error().code);
  }
  Result<json> input = read_input(arguments.input);
  if (!input) return shop.console.error(input.error());
  // What can be told without a store is told before one is made.
  if (!input->is_object())
    return shop.console.error(make_error(Errc::invalid_input, "--input must be a JSON object"));
  if (const Result<RunId> id = RunId::parse(arguments.run); !arguments.run.empty() && !id)
    return shop.console.error(id.error());
  if (Result<void> opened = shop.open(settings, false); !opened)
    return shop.console.error(opened.error());
  const Result<Run> run = shop.engine->start(*flow, arguments.run, std::move(*input));
  if (!run) return shop.console.error(run.error());
  if (!shop.wait_for({*run})) {
    if (shop.console.json_wanted())
      shop.console.document(
          json{{"run", run->id()},
               {"error", {{"code", "closed"}, {"step", ""}, {"message", "interrupted"}}}});
    shop.console.words("run " + run->id() +
                       ": unfinished; go on with it by the same command, or by " +
                       how_to_resume(settings));
    return ExitCode::unfinished;
  }
  const Outcome outcome = run->wait();
  if (!is_ended(outcome.state) && outcome.state != RunState::blocked) {
    const RunError why = outcome.error.value_or(RunError{});
    return shop.console.error(make_error(why.code, why.message, run->id()));
  }
  const ExitCode code = show_end(shop, run->id());
  // Without progress lines nobody has said it yet.
  if (outcome.error && (settings.quiet || settings.verbosity > 0))
    std::cerr << "pawl: run " << run->id() << ": " << outcome.state << ": "
              << outcome.error->message << '\n';
  return code;
}

ExitCode resume_command(const Settings& settings) {
  Workshop shop(settings, true);
  if (Result<void> opened = shop.open(settings, true); !opened)
    return shop.console.error(opened.error());
  std::vector<Run> runs;
  RunFilter filter;
  filter.unfinished_only = true;
  for (;;) {
    const Result<std::vector<RunRow>> rows = shop.engine->list(filter);
    if (!rows) return shop.console.error(rows.error());
    if (rows->empty()) break;
    for (const RunRow& row : *rows) {
      const Result<Run> run = shop.engine->find(row.run);
      if (run)
        runs.push_back(*run);
      else
        shop.console.error(run.error());
    }
    filter.before = rows->back().key;
  }
  if (runs.empty()) shop.console.words("nothing to resume");
  const bool done = shop.wait_for(runs);
  if (!done) return ExitCode::unfinished;
  ExitCode highest = ExitCode::succeeded;
  std::reverse(runs.begin(), runs.end());  // the oldest first
  for (const Run& run : runs) {
    const Outcome outcome = run.wait();
    if (!is_ended(outcome.state) && outcome.state != RunState::blocked && outcome.error) {
      highest = std::max(highest, shop.console.error(make_error(outcome.error->code,
                                                                outcome.error->message, run.id())));
      continue;
    }
    highest = std::max(highest, exit_code_of(outcome.state));
    if (shop.console.json_wanted()) {
      Result<json> document = shop.engine->describe(run.id());
      if (!document) {
        highest = std::max(highest, shop.console.error(document.error()));
        continue;
      }
      document->erase("steps");
      shop.console.document(*document);
    } else {
      shop.console.data(run.id() + ": " + std::string(to_string(outcome.state)));
    }
  }
  return highest;
}

}  // namespace pawl::tools
