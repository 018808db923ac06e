// Steps that are flows of their own: each has a run, which tells how it ended.
#include <pawl/limits.hpp>

#include "runtime/child_run.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/mutant.hpp"
#include "runtime/unlawful.hpp"
#include "runtime/validate.hpp"

#include <utility>

namespace pawl {

std::optional<std::string> FlowMachine::child_run(std::size_t i) const {
  if (steps_[i].phase != Phase::child) return std::nullopt;
  return child_run_id(run_.str(), name(i));
}

void FlowMachine::begin_child(std::size_t i) {
  move_to(steps_[i], Phase::opening);
  steps_[i].due_ms = 0;
  ready_.push_back(i);
}

Result<void> FlowMachine::open_child(const Record& record, std::size_t i) {
  Step& step = steps_[i];
  // A cancel may have overtaken the writing of this record: its run is there all the same.
  if (record.attempt != 1 || step.attempt != 0 ||
      (step.phase != Phase::opening && step.phase != Phase::stopped))
    return unlawful(record, "does not open the step's only attempt");
  step.attempt = 1;
  step.child_held = false;  // nobody has paused it yet
  move_to(step, Phase::child);
  return {};
}

Result<void> FlowMachine::take_child_end(const Record& record, std::size_t i) {
  if (record.attempt != 1 ||
      (record.end != AttemptEnd::fatal && record.end != AttemptEnd::cancelled))
    return unlawful(record, "is no end of a child");
  if (record.end == AttemptEnd::cancelled && cancelling_) {
    stop(steps_[i]);
    return {};
  }
  Error error = error_from_body(record.body);
  const Errc code = error.code;
  give_up_task(i, code, std::move(error));
  return {};
}

void FlowMachine::issue_child(std::size_t i, Commands& commands) {
  const Plan& flow = *steps_[i].definition->child;
  Result<json> with = parameters(i);
  if (!with) return issue_failure(i, with.error(), commands);
  json input = flow.input_defaults;
  if (!mutant("child_without_input")) input.update(*with);
  if (const std::vector<Problem> problems = missing_input(flow, input); !problems.empty())
    return issue_failure(i,
                         make_error(Errc::invalid_input,
                                    "the child's input lacks what its flow needs: " +
                                        problems.front().pointer + ": " + problems.front().message),
                         commands);
  Result<std::string> text = canonical_json(input, Limits::input_bytes_max);
  if (!text)
    return issue_failure(
        i, make_error(text.error().code, "the child's input: " + text.error().message), commands);
  steps_[i].asked = true;
  commands.emplace_back(
      StartChild{i, child_run_id(run_.str(), name(i)), std::move(input), std::move(*text)});
}

void FlowMachine::issue_child_cancels(Commands& commands) {
  if (count(Phase::child) == 0) return;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (step.phase != Phase::child || std::exchange(step.cancel_asked, true)) continue;
    commands.emplace_back(CancelChild{i, child_run_id(run_.str(), name(i))});
  }
}

}  // namespace pawl
