#include <pawl/lab_replay.hpp>

#include <utility>

namespace pawl::lab {

std::string Replay::text() const {
  if (error) return "nothing was replayed: " + error->text();
  std::string text = fits() ? "the run fits the flow" : "the run does not fit the flow";
  for (const DiffFinding& finding : diff.findings)
    text += std::string("\n  ") + (finding.breaks ? "breaks: " : "also: ") +
            (finding.step.empty() ? "" : "step " + finding.step + ": ") +
            std::string(to_string(finding.kind)) + ": " + finding.message;
  return text;
}

Replay replay(const RunFixture& fixture, const Flow& flow) {
  Result<RunDiff> diff = diff_run(fixture, flow);
  return diff ? Replay{std::move(*diff), std::nullopt} : Replay{{}, diff.error()};
}

Replay replay(const std::string& fixture_file, const Flow& flow) {
  const Result<RunFixture> fixture = load_run_fixture(fixture_file);
  return fixture ? replay(*fixture, flow) : Replay{{}, fixture.error()};
}

}  // namespace pawl::lab
