// What a FlowMachine says of itself; flow_machine.cpp has its transitions.
#include <pawl/limits.hpp>

#include "runtime/flow_machine.hpp"

#include <algorithm>
#include <limits>

namespace pawl {

std::vector<OpenAttemptRef> FlowMachine::attempts_open_before(std::int64_t epoch) const {
  std::vector<OpenAttemptRef> open;
  for (std::size_t i = 0; i < steps_.size(); ++i)
    if (!outcome_ && steps_[i].phase == Phase::open && steps_[i].opened_epoch < epoch)
      open.push_back({i, steps_[i].attempt});
  return open;
}

Result<json> FlowMachine::parameters(std::size_t i) const {
  return steps_[i].definition->with.resolve(scope_of(i, outputs_), Limits::with_bytes_max);
}

RunState FlowMachine::state() const {
  if (outcome_) return outcome_->state;
  if (held()) return RunState::paused;
  if (blocked_undo()) return RunState::blocked;
  if (cancelling_) return RunState::cancelling;
  if (failure_) return RunState::failing;
  if (count(Phase::open) + count(Phase::computing) > 0 || all_settled()) return RunState::running;
  const bool needs_a_person = count(Phase::blocked) + count(Phase::unstartable) > 0;
  const std::size_t waiting = count(Phase::backoff) + count(Phase::opening) +
                              count(Phase::sleeping) + count(Phase::awaiting) + count(Phase::child);
  // A signal may never come: it hides nobody else's trouble.
  if (waiting > 0 && !(needs_a_person && due_ms() == std::numeric_limits<std::int64_t>::max()))
    return RunState::waiting;
  if (count(Phase::blocked) + count(Phase::unstartable) > 0) return RunState::blocked;
  return RunState::running;
}

std::optional<std::size_t> FlowMachine::blocked_undo() const {
  for (const std::size_t i : undos_)
    if (steps_[i].phase == Phase::blocked || steps_[i].phase == Phase::unstartable) return i;
  return std::nullopt;
}

std::optional<RunError> FlowMachine::error() const {
  if (outcome_) return outcome_->error;
  if (std::optional<RunError> paused = why_paused()) return paused;
  if (const std::optional<std::size_t> undo = blocked_undo()) return why_blocked(*undo);
  if (failure_) return failure_;
  for (std::size_t i = 0; i < steps_.size(); ++i)
    if (steps_[i].phase == Phase::blocked || steps_[i].phase == Phase::unstartable)
      return why_blocked(i);
  return std::nullopt;
}

Result<void> FlowMachine::check_resolvable(const std::string& step) const {
  const std::optional<std::size_t> place = find(step);
  if (!place)
    return make_error(Errc::invalid_argument,
                      "the flow " + plan_->flow + " has no step \"" + step + "\"", run_.str());
  if (is_blocked(*place)) return {};
  return make_error(Errc::invalid_argument,
                    "the run is not blocked for step " + step + ", which is " +
                        std::string(to_string(step_state(*place))) +
                        ": its output is not yours to give",
                    run_.str());
}

std::vector<Record> FlowMachine::unblocking() const {
  std::vector<Record> records;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (!is_blocked(i)) continue;
    Record record;
    record.kind = RecordKind::unblocked;
    record.step = name(i);
    record.attempt = steps_[i].attempt;
    records.push_back(std::move(record));
  }
  return records;
}

RunError FlowMachine::why_blocked(std::size_t i) const {
  const Step& step = steps_[i];
  if (step.phase == Phase::unstartable)
    return RunError{Errc::unknown_step_type, name(i),
                    "this program has no step type \"" + step.definition->type +
                        "\"; resume the run with one that has"};
  if (step.in_doubt)
    return RunError{Errc::in_doubt, name(i),
                    step.error->message +
                        "; find out, then give its output, or unblock the run to run it again"};
  if (step.asks)
    return RunError{
        step.error->code, name(i),
        step.error->message + "; see to it, then unblock the run to try again, or give its output"};
  if (step.error && step.error->code == Errc::inputs_differ)
    return RunError{Errc::inputs_differ, name(i),
                    step.error->message +
                        "; nothing was done. Find out what has changed, then unblock the run to go "
                        "on with these parameters, or give its output"};
  if (step.role == Role::undo && step.lost_in_row < Limits::lost_attempts_max)
    return RunError{
        Errc::undo_failed, name(i),
        step.error->message + "; see to it, then unblock the run to try again, or give its output"};
  return RunError{Errc::crash_loop, name(i),
                  "the process died " + std::to_string(step.lost_in_row) +
                      " times in a row while this step had an open attempt; find out why, then "
                      "unblock the run"};
}

StepState FlowMachine::step_state(std::size_t i) const {
  const Step& step = steps_[i];
  const bool ended = outcome_.has_value();
  // Where an ended run left a step that had begun, in an attempt before.
  const StepState left = step.attempt <= 1 ? StepState::not_started
                         : cancelling_     ? StepState::cancelled
                                           : StepState::failed;
  switch (step.phase) {
    case Phase::pending: return ended ? StepState::not_started : StepState::pending;
    case Phase::open: return ended ? left : StepState::running;
    case Phase::backoff:
    case Phase::opening:
      if (!ended) return StepState::waiting;
      return step.attempt > 0 ? StepState::failed : StepState::not_started;
    case Phase::computing:
      if (!ended) return StepState::running;
      return step.attempt > 0 ? StepState::failed : StepState::not_started;
    case Phase::sleeping:
    case Phase::awaiting: return ended ? StepState::not_started : StepState::waiting;
    case Phase::child: return ended ? StepState::not_started : StepState::running;
    case Phase::excluded: return StepState::excluded;
    case Phase::succeeded: return StepState::succeeded;
    case Phase::failed: return StepState::failed;
    case Phase::blocked:
    case Phase::unstartable: return ended ? left : StepState::blocked;
    case Phase::mapping:
      if (!ended) return StepState::running;
      return cancelling_ ? StepState::cancelled : StepState::failed;
    case Phase::stopped:
      if (step.definition->at_most_once && step.attempt == 0)
        return ended ? StepState::not_started : StepState::pending;
      return step.stopped_by_cancel ? StepState::cancelled : StepState::failed;
  }
  return StepState::pending;
}

std::optional<std::int64_t> FlowMachine::wait_end_ms(std::size_t i) const {
  const Step& step = steps_[i];
  if (step.phase == Phase::sleeping && !step.error) return step.due_ms;
  if (step.phase == Phase::awaiting && step.has_due) return step.due_ms;
  return std::nullopt;
}

std::int64_t FlowMachine::due_ms() const {
  std::int64_t due = std::numeric_limits<std::int64_t>::max();
  for (const Step& step : steps_)
    if (step.phase == Phase::backoff || step.phase == Phase::opening ||
        step.phase == Phase::sleeping || step.phase == Phase::awaiting)
      due = std::min(due, step.due_ms);
  return due;
}

}  // namespace pawl
