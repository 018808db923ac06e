// Commands about runs and other versions of their flows: diff, export.
#include <pawl/run_diff.hpp>
#include <pawl/run_fixture.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/stored_fixture.hpp>

#include "tools/commands.hpp"

#include <memory>

namespace pawl::tools {

namespace {

Result<RunFixture> read_run_of(const Settings& settings, const std::string& run) {
  const Result<std::unique_ptr<StoreView>> store = open_sqlite_reader(settings.store);
  if (!store) return store.error();
  return read_fixture(**store, run);
}

}  // namespace

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

}  // namespace pawl::tools
