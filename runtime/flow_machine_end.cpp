// How a run ends.
#include <pawl/limits.hpp>

#include "runtime/flow_machine.hpp"
#include "runtime/mutant.hpp"

#include <utility>

namespace pawl {

void FlowMachine::issue_end(Commands& commands) {
  if (cancelling_ && !cancel_asked_) {
    cancel_asked_ = true;
    for (std::size_t i = 0; i < steps_.size(); ++i)
      if (steps_[i].started && (steps_[i].role != Role::undo || mutant("undo_cancelled")))
        commands.emplace_back(CancelAttempt{i, steps_[i].attempt});
  }
  if (stopping()) issue_child_cancels(commands);
  if (end_asked_ || (running_ > 0 && !mutant("end_while_attempts_run"))) return;
  if (undoing_) {
    for (const std::size_t undo : undos_)
      if (steps_[undo].phase != Phase::succeeded) return;
    end_asked_ = true;
    commands.emplace_back(EndRun{*undoing_});
    return;
  }
  if (undoing_asked_ || (count(Phase::child) > 0 && !mutant("end_while_child_runs"))) return;
  std::optional<Outcome> end = end_to_come();
  if (!end) return;
  if (!end->succeeded() && !places_to_undo().empty() && !mutant("undo_forgotten"))
    return issue_undoing(*end, commands);
  end_asked_ = true;
  commands.emplace_back(EndRun{std::move(*end)});
}

/// How the run ends, if it can.
std::optional<Outcome> FlowMachine::end_to_come() const {
  Outcome outcome;
  if (cancelling_) {
    outcome.state = RunState::cancelled;
    outcome.error = RunError{Errc::cancelled, "", "the run was cancelled"};
  } else if (failure_) {
    outcome.state = RunState::failed;
    outcome.error = failure_;
  } else if (all_settled() ||
             (mutant("end_before_last_output") && steps_succeeded_ + 1 == plan_->steps.size() &&
              steps_.size() > 1 && running_ == 0)) {
    outcome = mutant("end_before_last_output") ? Outcome{RunState::succeeded, nullptr, std::nullopt}
                                               : success();
  } else {
    return std::nullopt;
  }
  return outcome;
}

Outcome FlowMachine::success() const {
  json output = json::object();
  if (plan_->output) {
    Result<json> resolved =
        plan_->output->resolve({input_, run_.str(), outputs_}, Limits::output_bytes_max);
    if (!resolved)
      return {RunState::failed, nullptr,
              RunError{resolved.error().code, "",
                       resolved.error().where + ": " + resolved.error().message}};
    output = std::move(*resolved);
  } else {
    for (const std::size_t i : plan_->terminal)
      if (steps_[i].output) output[plan_->steps[i].name.str()] = *steps_[i].output;
  }
  if (Result<std::string> text = canonical_json(output, Limits::output_bytes_max); !text)
    return {RunState::failed, nullptr,
            RunError{text.error().code, "", "the run's output: " + text.error().message}};
  return {RunState::succeeded, std::move(output), std::nullopt};
}

}  // namespace pawl
