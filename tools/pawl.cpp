// The pawl command: arguments in, one command, an exit code out.
#include <pawl/kill_points.hpp>
#include <pawl/limits.hpp>

#include "tools/commands.hpp"
#include "tools/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace pawl::tools;

const char* const footer =
    "Exit codes: 0 succeeded; 1 the run failed or was cancelled; 2 bad usage, unknown run, invalid "
    "flow, or the same "
    "id with another flow or input; 3 the store refused or failed; 4 unfinished, can be resumed.";

struct Arguments {
  explicit Arguments(Settings& common) : settings(common) {}

  Settings& settings;
  RunArguments run;
  ListArguments list;
  PruneArguments prune;
  SignalArguments signal;
  ResolveArguments resolve;
  ForkArguments fork;
  RetryArguments retry;
  LabArguments lab;
  std::string flow;
  std::string id;
  std::string step;
  std::string format = "dot";
  std::string file;  // a copy of a store
  bool redact = false;
  bool accepts_loss = false;
};

using Command = std::function<ExitCode()>;

/// Adds a subcommand with the options that all have.
CLI::App* add(CLI::App& app, Arguments& arguments, Command& chosen, const std::string& name,
              const std::string& help, Command command, bool with_store = true) {
  CLI::App* const sub = app.add_subcommand(name, help);
  sub->add_flag("--json", arguments.settings.json, "Documents on stdout, one per line");
  if (with_store)
    sub->add_option("--store", arguments.settings.store, "The store's file (default: pawl.db)")
        ->envname("PAWL_STORE");
  sub->callback([&chosen, command] { chosen = command; });
  return sub;
}

void add_talk(CLI::App* sub, Settings& settings) {
  sub->add_flag("-q,--quiet", settings.quiet, "No words about progress");
  sub->add_flag("-v,--verbose", settings.verbosity, "The engine's log on stderr; -vv: all of it");
}

void add_take_over(CLI::App* sub, Settings& settings) {
  sub->add_flag("--take-over", settings.take_over,
                "Kill the engine that has the store, if it hangs and is on this machine");
}

void add_labels(CLI::App* sub, std::vector<std::string>& labels, const std::string& help) {
  sub->add_option("--label", labels, help)->allow_extra_args(false);
}

void add_commands(CLI::App& app, Arguments& a, Command& chosen) {
  CLI::App* run = add(app, a, chosen, "run", "Start a run, or go on with it, and wait for its end",
                      [&a] { return run_command(a.settings, a.run); });
  run->add_option("FLOW", a.run.flow, "The flow's file")->required();
  run->add_option("--id", a.run.run,
                  "The run's id; default: a generated one. The same id is the same run");
  run->add_option("--input", a.run.input, "The run's input: JSON, or @FILE, or @- for stdin");
  add_labels(run, a.run.labels, "Pins a label to the run, KEY=VALUE; may be given many times");
  run->add_option("--priority", a.run.priority,
                  "Whose attempts get their turn first: -100 to 100 (default: the flow's, or 0)")
      ->check(CLI::Range(-pawl::Limits::priority_max, pawl::Limits::priority_max));
  add_take_over(run, a.settings);
  add_talk(run, a.settings);

  CLI::App* resume = add(app, a, chosen, "resume", "Go on with every unfinished run, and wait",
                         [&a] { return resume_command(a.settings); });
  add_take_over(resume, a.settings);
  add_talk(resume, a.settings);

  CLI::App* list = add(app, a, chosen, "list", "The store's runs, the newest first",
                       [&a] { return list_command(a.settings, a.list); });
  list->add_option("--state", a.list.state, "Only runs in this state");
  list->add_option("--flow", a.list.flow, "Only runs of flows of this name");
  list->add_option("--since", a.list.since,
                   "Only runs that started then or later: a day (2026-11-24), a moment in UTC "
                   "(2026-11-24T18:30:00Z) or an age (90s, 30m, 2h, 7d)");
  list->add_option("--until", a.list.until, "Only runs that started before that: as --since");
  list->add_option("--input-text", a.list.input_text,
                   "Only runs whose input, as canonical JSON, contains this text");
  list->add_option("--id", a.list.id_prefix, "Only runs whose id begins like this");
  add_labels(list, a.list.labels, "Only runs with this label, KEY=VALUE; may be given many times");
  list->add_option("--limit", a.list.limit, "At most so many (default: 1000)")
      ->check(CLI::PositiveNumber);

  add(app, a, chosen, "show", "One run: its steps and their attempts",
      [&a] { return show_command(a.settings, a.id); })
      ->add_option("RUN", a.id, "The run's id")
      ->required();

  CLI::App* why =
      add(app, a, chosen, "why", "Why a run, or one step of it, waits, failed or has not begun",
          [&a] { return why_command(a.settings, a.id, a.step); });
  why->add_option("RUN", a.id, "The run's id")->required();
  why->add_option("STEP", a.step, "The step's name");

  add(app, a, chosen, "cancel", "Ask a run to stop",
      [&a] { return cancel_command(a.settings, a.id); })
      ->add_option("RUN", a.id, "The run's id")
      ->required();

  add(app, a, chosen, "unblock", "Let a run go on that is blocked",
      [&a] { return unblock_command(a.settings, a.id); })
      ->add_option("RUN", a.id, "The run's id")
      ->required();

  add(app, a, chosen, "pause", "Let nothing more of a run begin",
      [&a] { return pause_command(a.settings, a.id); })
      ->add_option("RUN", a.id, "The run's id")
      ->required();

  add(app, a, chosen, "unpause", "Let a run go on that is paused",
      [&a] { return unpause_command(a.settings, a.id); })
      ->add_option("RUN", a.id, "The run's id")
      ->required();

  CLI::App* signal = add(app, a, chosen, "signal", "Tell a run what a step of it awaits",
                         [&a] { return signal_command(a.settings, a.id, a.signal); });
  signal->add_option("RUN", a.id, "The run's id")->required();
  signal->add_option("NAME", a.signal.name, "The signal's name")->required();
  signal->add_option("--payload", a.signal.payload,
                     "The output of the step that takes it: JSON, or @FILE, or @- for stdin "
                     "(default: null)");
  signal->add_option("--id", a.signal.id,
                     "Names the signal: sent twice under one id, it counts once (default: a "
                     "generated one)");

  CLI::App* resolve =
      add(app, a, chosen, "resolve", "Give the output of a step that a run is blocked for",
          [&a] { return resolve_command(a.settings, a.id, a.resolve); });
  resolve->add_option("RUN", a.id, "The run's id")->required();
  resolve->add_option("STEP", a.resolve.step, "The step's name, as pawl show has it")->required();
  resolve->add_option("--output", a.resolve.output,
                      "What the step would have answered: JSON, or @FILE, or @- for stdin "
                      "(default: null)");

  add(app, a, chosen, "doubts", "Effects that may have happened twice, or are undecided", [&a] {
    return doubts_command(a.settings, a.id);
  })->add_option("RUN", a.id, "Only of this run");

  CLI::App* prune = add(app, a, chosen, "prune", "Remove ended runs with all of their records",
                        [&a] { return prune_command(a.settings, a.prune); });
  prune->add_option("--older-than", a.prune.older_than,
                    "Only runs that ended longer ago: 90s, 30m, 2h, 7d");
  prune->add_option("--keep", a.prune.keep, "But for so many runs, those that ended last")
      ->check(CLI::NonNegativeNumber);
  prune->add_flag("--dry-run", a.prune.dry_run, "Only say which runs would go");

  add(
      app, a, chosen, "validate", "All problems of a flow, or ok",
      [&a] { return validate_command(a.settings, a.flow); }, false)
      ->add_option("FLOW", a.flow, "The flow's file")
      ->required();

  CLI::App* graph = add(
      app, a, chosen, "graph", "The flow as a graph",
      [&a] { return graph_command(a.settings, a.flow, a.format); }, false);
  graph->add_option("FLOW", a.flow, "The flow's file")->required();
  graph->add_option("--format", a.format, "dot (default) or mermaid")
      ->check(CLI::IsMember({"dot", "mermaid"}));

  add(
      app, a, chosen, "steps", "The step types that this program knows",
      [&a] { return steps_command(a.settings); }, false);
}

/// Commands about the store's file as a whole.
void add_store_commands(CLI::App& app, Arguments& a, Command& chosen) {
  add(app, a, chosen, "verify", "Check a store file", [&a] { return verify_command(a.settings); });

  add(app, a, chosen, "backup", "Copy a store, while an engine works on it or not",
      [&a] { return backup_command(a.settings, a.file); })
      ->add_option("TO", a.file, "The copy's file, which must not be there yet")
      ->required();

  add(app, a, chosen, "restore", "Put a backup in the place of a store",
      [&a] { return restore_command(a.settings, a.file); })
      ->add_option("FROM", a.file, "The backup")
      ->required();

  add(app, a, chosen, "repair", "Repair of a store what can be repaired without guessing",
      [&a] { return repair_command(a.settings, a.accepts_loss); })
      ->add_flag("--accept-loss", a.accepts_loss,
                 "Go on with a store that has less than it once acknowledged");
}

/// Commands about runs and what else they could have become.
void add_change_commands(CLI::App& app, Arguments& a, Command& chosen) {
  CLI::App* diff = add(app, a, chosen, "diff", "Whether what a run has done fits another flow",
                       [&a] { return diff_command(a.settings, a.id, a.flow); });
  diff->add_option("RUN", a.id, "The run's id")->required();
  diff->add_option("FLOW", a.flow, "The other flow's file")->required();

  CLI::App* exported = add(app, a, chosen, "export", "A run as a fixture, for tests of its flow",
                           [&a] { return export_command(a.settings, a.id, a.redact); });
  exported->add_option("RUN", a.id, "The run's id")->required();
  exported->add_flag("--redact", a.redact, "Without what the flow marks secret");

  CLI::App* fork = add(app, a, chosen, "fork",
                       "Start a new run that shares what another one has done up to a step",
                       [&a] { return fork_command(a.settings, a.id, a.fork); });
  fork->add_option("RUN", a.id, "The run's id")->required();
  fork->add_option("--from", a.fork.from, "The step from which on it runs again")->required();
  fork->add_option("--id", a.fork.id, "The fork's own id; default: a generated one");
  fork->add_option("--set", a.fork.set,
                   "STEP=JSON, or STEP=@FILE: an output that the step has in the fork")
      ->allow_extra_args(false);
  fork->add_option("--flow", a.fork.flow, "Another version of the flow (default: the run's own)");
  add_labels(fork, a.fork.labels, "Pins a label to the fork, KEY=VALUE; may be given many times");

  CLI::App* retry =
      add(app, a, chosen, "retry",
          "Try again what a run failed at: unblocks it, or forks it from the step that failed",
          [&a] { return retry_command(a.settings, a.id, a.retry); });
  retry->add_option("RUN", a.id, "The run's id")->required();
  retry->add_option("--from", a.retry.from,
                    "The step from which on it runs again (default: the one that failed)");
  retry->add_option("--id", a.retry.id, "The new run's id (default: RUN-retry)");
}

/// The lab's commands. Their steps are mocked: they touch no store and perform nothing.
void add_lab_commands(CLI::App& app, Arguments& a, Command& chosen) {
  const auto add_common = [&a](CLI::App* sub) {
    sub->add_option("FLOW", a.lab.flow, "The flow's file")->required();
    sub->add_option("--input", a.lab.input, "The run's input: JSON, or @FILE");
    sub->add_option("--mock", a.lab.mocks,
                    "What steps give, by step or step type: JSON, or @FILE; a step without gives "
                    "its parameters");
    sub->add_option("--runs", a.lab.runs, "So many runs at once (default: 1)")
        ->check(CLI::Range(1, 1000));
    sub->add_option("--history", a.lab.history, "Where to write the history of a violation");
    sub->add_flag("--disk-lies", a.lab.disk_lies, "A disk that says it synced and did not");
    sub->add_option("--seconds", a.lab.seconds, "At most so long (default: no bound)");
  };
  CLI::App* crash_test = add(
      app, a, chosen, "crash-test",
      "Crash a flow with mocked steps everywhere, and say whether it survives",
      [&a] { return crash_test_command(a.settings, a.lab); }, false);
  add_common(crash_test);
  crash_test->add_option("--depth", a.lab.depth, "Crashes in a row: 1 (default) or 2")
      ->check(CLI::Range(1, 3));
  crash_test->add_option("--torn", a.lab.torn_images, "Torn disks per position (default: 1)")
      ->check(CLI::Range(1, 64));
  crash_test->add_flag(
      "--faults", a.lab.faults,
      "Every operation of the disk fails besides, in every way, in recoveries too");
  crash_test->add_option("--seeds", a.lab.seeds, "Random courses besides (default: 0)");

  CLI::App* simulate = add(
      app, a, chosen, "simulate", "Run a flow with mocked steps through random courses of events",
      [&a] { return simulate_command(a.settings, a.lab); }, false);
  add_common(simulate);
  a.lab.seeds = 0;
  simulate->add_option("--seeds", a.lab.seeds, "How many")->required();
  simulate->add_option("--first-seed", a.lab.first_seed, "The first one (default: 1)");

  CLI::App* replay = add(
      app, a, chosen, "lab", "Make one case happen again, and show its timeline",
      [&a] { return crash_test_command(a.settings, a.lab); }, false);
  add_common(replay);
  replay->add_option("--replay", a.lab.replay, "The case, as a violation tells it")->required();
}

/// Sees to it that no file of the store gets the number of a standard stream that is closed: what
/// is said to that stream would be written to the file.
void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) != stream) ::_exit(3);
}

/// Whether --json is among the arguments, for when they cannot be understood.
bool wants_json(int argc, char** argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* argument) { return std::string("--json") == argument; });
}

ExitCode run_chosen(int argc, char** argv, Settings& settings) {
  CLI::App app("pawl: flows that survive crashes", "pawl");
  app.set_version_flag("--version", std::string("pawl ") + version);
  app.require_subcommand(1);
  app.footer(footer);
  Arguments arguments(settings);
  Command chosen;
  add_commands(app, arguments, chosen);
  add_store_commands(app, arguments, chosen);
  add_change_commands(app, arguments, chosen);
  add_lab_commands(app, arguments, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // for help, or the version
    if (asked || !settings.json)
      return app.exit(error) == 0 ? ExitCode::succeeded : ExitCode::usage;
    return Console(settings).error(pawl::make_error(pawl::Errc::invalid_argument, error.what()));
  }
  if (const pawl::Result<void> armed = pawl::lab::arm_points_from_environment(); !armed)
    return Console(settings).error(armed.error());
  return chosen();
}

ExitCode main_guarded(int argc, char** argv) {
  Settings settings;
  settings.json = wants_json(argc, argv);
  Console console(settings);
  ExitCode code = ExitCode::store;
  try {
    code = run_chosen(argc, argv, settings);
  } catch (const std::exception& exception) {
    code = console.error(
        pawl::make_error(pawl::Errc::internal, std::string("bug: ") + exception.what()));
  }
  if (!console.flush()) {
    std::cerr << "pawl: stdout cannot be written\n";
    code = ExitCode::store;
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  // A file that may grow no more is an error of the write, and no reason to die.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return static_cast<int>(main_guarded(argc, argv));
  } catch (...) {  // no memory even to tell
    return static_cast<int>(ExitCode::store);
  }
}
