/// The commands, one function each; docs/command.md tells what each does.
#pragma once

#include "tools/console.hpp"
#include "tools/exit_code.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pawl::tools {

struct RunArguments {
  std::string flow;                 ///< the flow's file
  std::string run;                  ///< the run's id; empty for a generated one
  std::string input;                ///< JSON, or @FILE, or @- for stdin; empty for none
  std::vector<std::string> labels;  ///< KEY=VALUE
  std::optional<int> priority;      ///< the flow's if it is not given
};

struct ListArguments {
  std::string state;  ///< a state's name; empty for all
  std::string flow;   ///< a flow's name; empty for all
  std::string since;  ///< see when.hpp; empty for no bound
  std::string until;
  std::string input_text;
  std::string id_prefix;
  std::vector<std::string> labels;  ///< KEY=VALUE
  std::size_t limit = 1000;
};

struct PruneArguments {
  std::string older_than;           ///< an age, see when.hpp; empty for any
  std::optional<std::size_t> keep;  ///< so many of those that ended last stay
  bool dry_run = false;
};

struct SignalArguments {
  std::string name;
  std::string payload;  ///< JSON, or @FILE, or @- for stdin; empty for null
  std::string id;       ///< empty for a generated one
};

struct ResolveArguments {
  std::string step;
  std::string output;  ///< JSON, or @FILE, or @- for stdin; empty for null
};

struct ForkArguments {
  std::string from;                 ///< the step from which on it runs again
  std::string id;                   ///< the fork's; empty for a generated one
  std::vector<std::string> set;     ///< `STEP=JSON`, or `STEP=@FILE`
  std::string flow;                 ///< another version's file; empty for the run's own
  std::vector<std::string> labels;  ///< KEY=VALUE
};

struct RetryArguments {
  std::string from;  ///< the step from which on it runs again; empty for the one that failed
  std::string id;    ///< the new run's; empty for RUN-retry
};

struct LabArguments {
  std::string flow;     ///< the flow's file
  std::string input;    ///< JSON, or @FILE
  std::string mocks;    ///< JSON, or @FILE: outputs by step or step type
  std::string replay;   ///< one case instead of all
  std::string history;  ///< a file for the first violation's history
  int depth = 1;
  int torn_images = 1;
  bool faults = false;
  int runs = 1;
  std::uint64_t seeds = 0;
  std::uint64_t first_seed = 1;
  double seconds = 0;
  bool disk_lies = false;
};

// command_run.cpp
ExitCode run_command(const Settings& settings, const RunArguments& arguments);
ExitCode resume_command(const Settings& settings);

// command_look.cpp
ExitCode list_command(const Settings& settings, const ListArguments& arguments);
ExitCode show_command(const Settings& settings, const std::string& run);
ExitCode why_command(const Settings& settings, const std::string& run, const std::string& step);
ExitCode doubts_command(const Settings& settings, const std::string& run);

// command_store.cpp
ExitCode verify_command(const Settings& settings);
ExitCode repair_command(const Settings& settings, bool accepts_loss);
ExitCode backup_command(const Settings& settings, const std::string& to);
ExitCode restore_command(const Settings& settings, const std::string& from);

// command_change.cpp
ExitCode diff_command(const Settings& settings, const std::string& run, const std::string& flow);
ExitCode fork_command(const Settings& settings, const std::string& run,
                      const ForkArguments& arguments);
ExitCode retry_command(const Settings& settings, const std::string& run,
                       const RetryArguments& arguments);
ExitCode export_command(const Settings& settings, const std::string& run, bool redact);

// command_flow.cpp
ExitCode validate_command(const Settings& settings, const std::string& flow);
ExitCode graph_command(const Settings& settings, const std::string& flow,
                       const std::string& format);
ExitCode steps_command(const Settings& settings);

// command_ask.cpp
ExitCode cancel_command(const Settings& settings, const std::string& run);
ExitCode unblock_command(const Settings& settings, const std::string& run);
ExitCode pause_command(const Settings& settings, const std::string& run);
ExitCode unpause_command(const Settings& settings, const std::string& run);
ExitCode signal_command(const Settings& settings, const std::string& run,
                        const SignalArguments& arguments);
ExitCode resolve_command(const Settings& settings, const std::string& run,
                         const ResolveArguments& arguments);

// command_prune.cpp
ExitCode prune_command(const Settings& settings, const PruneArguments& arguments);

// command_lab.cpp
ExitCode crash_test_command(const Settings& settings, const LabArguments& arguments);
ExitCode simulate_command(const Settings& settings, const LabArguments& arguments);

}  // namespace pawl::tools
