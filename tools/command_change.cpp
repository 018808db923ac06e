// Commands about runs and what else they could have become: diff, export, fork, retry.
#include <pawl/fork.hpp>
#include <pawl/ids.hpp>
#include <pawl/run_diff.hpp>
#include <pawl/run_fixture.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/stored_fixture.hpp>

#include "tools/ask.hpp"
#include "tools/commands.hpp"
#include "tools/read_json.hpp"
#include "tools/read_labels.hpp"
#include "tools/read_run.hpp"
#include "tools/when.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

namespace pawl::tools {

namespace {

Result<RunFixture> read_run_of(const Settings& settings, const std::string& run) {
  const Result<std::unique_ptr<StoreView>> store = open_sqlite_reader(settings.store);
  if (!store) return store.error();
  return read_fixture(**store, run);
}

Result<ForkOptions> fork_options(const ForkArguments& arguments) {
  ForkOptions options;
  for (const std::string& set : arguments.set) {
    const auto equals = set.find('=');
    if (equals == std::string::npos || equals + 1 == set.size())
      return make_error(Errc::invalid_argument, "--set: expected STEP=JSON or STEP=@FILE");
    const std::string step = set.substr(0, equals);
    Result<json> output = read_json_argument("--set " + step, set.substr(equals + 1));
    if (!output) return output.error();
    if (!options.set.emplace(step, std::move(*output)).second)
      return make_error(Errc::invalid_argument, "--set: step " + step + " is given two outputs");
  }
  Result<Labels> labels = read_labels(arguments.labels);
  if (!labels) return labels.error();
  options.labels = std::move(*labels);
  return options;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "nothing" : text;
}

/// Writes the fork as the store's owner, for the next engine to go on with.
Result<RunState> fork_here(const Settings& settings, const std::string& run,
                           const ControlFork& wanted, const ForkOptions& options,
                           Console& console) {
  const Result<std::unique_ptr<Store>> store = own_store(settings);
  if (!store) return store.error();
  const Result<RunFixture> source = read_fixture(**store, run);
  if (!source) return source.error();
  const Result<RunFork> fork = fork_run(*source, wanted.step, wanted.id, options);
  if (!fork) return fork.error();
  const Write write = fork_start(*fork, wanted.id, true);
  const Result<std::vector<WriteReply>> replies =
      (*store)->write({&write}, std::max(now_ms(), (*store)->opened_at_ms()));
  if (!replies) return replies.error();
  const WriteReply& reply = replies->front();
  if (reply.status == WriteStatus::refused) return reply.error;
  if (reply.status == WriteStatus::already_exists) {
    console.words("run " + wanted.id + ": this fork was made before");
    return reply.state;
  }
  console.words("run " + wanted.id + ": forked from run " + run + "; it shares " +
                listed(fork->steps_shared));
  if (!fork->steps_again.empty())
    console.words("these steps had begun, and run again under keys of their own: " +
                  listed(fork->steps_again));
  if (!fork->steps_undone.empty())
    console.words("of those run " + run + " undid, or undoes: " + listed(fork->steps_undone));
  console.words("go on with it by " + how_to_resume(settings));
  return reply.state;
}

/// What a retry of a run comes to.
struct Retry {
  bool unblocks = false;  ///< the run itself goes on; else it is forked
  std::string from;
};

Result<Retry> retry_of(const Settings& settings, const std::string& run, const std::string& from) {
  const Result<ReadRun> read = read_run(settings.store, run);
  if (!read) return read.error();
  const Result<RunView> seen = view(*read);
  if (!seen) return seen.error();
  if (seen->state == RunState::blocked && from.empty()) return Retry{true, {}};
  if (seen->state == RunState::paused)
    return make_error(Errc::invalid_argument, "the run is paused: unpause it", run);
  if (!is_ended(seen->state) && seen->state != RunState::blocked)
    return make_error(Errc::invalid_argument,
                      "the run is " + std::string(to_string(seen->state)) +
                          ": there is nothing to retry before it has failed; pawl fork does a step "
                          "again beside it",
                      run);
  if (!from.empty()) return Retry{false, from};
  if (seen->state == RunState::succeeded)
    return make_error(Errc::invalid_argument,
                      "the run succeeded: say with --from from which step on to do it again", run);
  // Of a map's element the map: it runs again whole.
  const std::string part = seen->document["error"]["step"].get<std::string>();
  const std::string failed = part.substr(0, part.find_first_of("[:"));
  if (failed.empty())
    return make_error(Errc::invalid_argument,
                      "the run failed at no step of its own: say with --from from which one on to "
                      "do it again",
                      run);
  return Retry{false, failed};
}

}  // namespace

ExitCode retry_command(const Settings& settings, const std::string& run,
                       const RetryArguments& arguments) {
  Console console(settings);
  const Result<Retry> retry = retry_of(settings, run, arguments.from);
  if (!retry) return console.error(retry.error());
  if (retry->unblocks) {
    if (arguments.id.empty()) return unblock_command(settings, run);
    return console.error(make_error(
        Errc::invalid_argument,
        "the run is blocked and goes on itself: leave out --id, or say with --from from which "
        "step on another run does it again",
        run));
  }
  // A default that a repeated command finds again: it must not do everything a third time.
  ForkArguments fork;
  fork.from = retry->from;
  fork.id = arguments.id.empty() ? run + "-retry" : arguments.id;
  return fork_command(settings, run, fork);
}

ExitCode diff_command(const Settings& settings, const std::string& id, const std::string& path) {
  Console console(settings);
  const Result<Flow> flow = load_flow(path);
  if (!flow) return console.flow_error(flow.error());
  const Result<RunFixture> run = read_run_of(settings, id);
  if (!run) return console.error(run.error());
  const Result<RunDiff> diff = diff_run(*run, *flow);
  if (!diff) return console.error(diff.error());
  if (console.json_wanted()) {
    json document = to_json_value(*diff);
    document["run"] = id;
    console.document(document);
  } else {
    console.data(diff->fits() ? "fits" : "differs");
    for (const DiffFinding& finding : diff->findings)
      console.data("  " + std::string(finding.breaks ? "breaks: " : "also: ") +
                   (finding.step.empty() ? "" : "step " + finding.step + ": ") +
                   std::string(to_string(finding.kind)) + ": " + finding.message);
  }
  return diff->fits() ? ExitCode::succeeded : ExitCode::failed;
}

ExitCode export_command(const Settings& settings, const std::string& id, bool redact) {
  Console console(settings);
  Result<RunFixture> run = read_run_of(settings, id);
  if (run && redact) run = redacted(*run);
  if (!run) return console.error(run.error());
  std::string text = fixture_text(*run);
  if (console.json_wanted()) {
    console.document(json::parse(text));
    return ExitCode::succeeded;
  }
  text.pop_back();  // the line's own end
  console.data(text);
  return ExitCode::succeeded;
}

ExitCode fork_command(const Settings& settings, const std::string& run,
                      const ForkArguments& arguments) {
  Console console(settings);
  Result<ForkOptions> options = fork_options(arguments);
  if (!options) return console.error(options.error());
  ControlFork wanted{arguments.from, arguments.id, options->set, nullptr, options->labels};
  if (!arguments.flow.empty()) {
    Result<Flow> flow = load_flow(arguments.flow);
    if (!flow) return console.flow_error(flow.error());
    wanted.flow = json::parse(flow->canonical());
    options->flow = std::move(*flow);
  }
  if (wanted.id.empty()) wanted.id = generate_run_id(now_ms(), std::random_device()()).str();
  const Result<RunState> state = ask(settings, {ControlVerb::fork, run, {}, {}, wanted}, [&] {
    return fork_here(settings, run, wanted, *options, console);
  });
  return tell(console, wanted.id, state);
}

}  // namespace pawl::tools
