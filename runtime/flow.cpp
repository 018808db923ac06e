#include <pawl/flow.hpp>
#include <pawl/limits.hpp>

#include "runtime/plan.hpp"
#include "runtime/text_file.hpp"
#include "runtime/validate.hpp"

#include <optional>
#include <sstream>
#include <utility>

namespace pawl {

namespace {

/// How the branch `need` must have decided for `step` to run; empty if it need not.
std::string side_of(const PlannedStep& step, std::size_t need) {
  for (const auto& [branch, side] : step.guards)
    if (branch == need) return side ? "true" : "false";
  return {};
}

}  // namespace

const std::string& Flow::name() const {
  return plan_->flow;
}

const std::string& Flow::canonical() const {
  return plan_->canonical;
}

const Digest& Flow::digest() const {
  return plan_->digest;
}

Result<Flow> parse_flow(std::string_view text, const StepTypes* types) {
  FlowDraft draft = read_flow_draft(text);
  std::vector<Problem> problems = validate(draft, types);
  if (problems.empty()) return Flow(make_plan(std::move(draft)));
  const std::string count =
      problems.size() == 1 ? "1 problem" : std::to_string(problems.size()) + " problems";
  return Error{Errc::invalid_flow, "the flow has " + count, {}, std::move(problems)};
}

Result<Flow> load_flow(const std::string& path, const StepTypes* types) {
  const std::optional<std::string> text = read_text_file(path, Limits::flow_bytes_max);
  if (!text) return make_error(Errc::io, "the flow's file cannot be read", path);
  Result<Flow> flow = parse_flow(*text, types);
  if (flow) return flow;
  Error error = flow.error();
  error.where = path;
  return error;
}

std::string graph_dot(const Flow& flow) {
  std::ostringstream out;
  out << "digraph \"" << flow.name() << "\" {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const PlannedStep& step : flow.plan()->steps)
    out << "  \"" << step.name << "\" [label=\"" << step.name << "\\n"
        << what_it_is(step) << "\"" << (step.kind == StepKind::branch ? ", shape=diamond" : "")
        << "];\n";
  for (const PlannedStep& step : flow.plan()->steps)
    for (const std::size_t need : step.needs) {
      const std::string side = side_of(step, need);
      out << "  \"" << flow.plan()->steps[need].name << "\" -> \"" << step.name << "\""
          << (side.empty() ? "" : " [label=\"" + side + "\"]") << ";\n";
    }
  out << "}\n";
  return out.str();
}

std::string graph_mermaid(const Flow& flow) {
  // Mermaid gives meaning to some words, such as "end": nodes get numbers, names stand in their
  // labels.
  std::ostringstream out;
  out << "flowchart LR\n";
  const auto& steps = flow.plan()->steps;
  for (std::size_t i = 0; i < steps.size(); ++i)
    out << "  s" << i << "[\"" << steps[i].name << "<br/>" << what_it_is(steps[i]) << "\"]\n";
  for (std::size_t i = 0; i < steps.size(); ++i)
    for (const std::size_t need : steps[i].needs) {
      const std::string side = side_of(steps[i], need);
      out << "  s" << need << (side.empty() ? " --> s" : " -->|" + side + "| s") << i << "\n";
    }
  return out.str();
}

}  // namespace pawl
