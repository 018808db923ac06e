#include "runtime/flow_machine.hpp"

#include <pawl/limits.hpp>

#include "runtime/mutant.hpp"
#include "runtime/unlawful.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

namespace {

void sort_and_unique(std::vector<std::size_t>& steps) {
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
}

}  // namespace

FlowMachine::FlowMachine(std::shared_ptr<const Plan> plan, RunId run, json input)
    : plan_(std::move(plan)),
      run_(std::move(run)),
      input_(std::move(input)),
      steps_(plan_->steps.size()),
      outputs_(plan_->steps.size(), nullptr),
      computed_(plan_->steps.size(), nullptr) {
  phase_counts_[static_cast<std::size_t>(Phase::pending)] = steps_.size();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].definition = &plan_->steps[i];
    steps_[i].missing = plan_->steps[i].needs.size();
  }
}

Result<Commands> FlowMachine::apply(const Event& event) {
  Commands commands;
  // Timers may be under way when the run ends.
  if (outcome_ && !std::holds_alternative<Recorded>(event)) return commands;
  if (const auto* recorded = std::get_if<Recorded>(&event)) {
    if (Result<void> taken = take(recorded->record); !taken) return taken.error();
  } else if (std::holds_alternative<Resumed>(event)) {
    resumed_ = true;
  } else if (const auto* over = std::get_if<TimerOver>(&event)) {
    Step& step = steps_[over->step];
    if (resumed_ && held()) {
      if (!mutant("wait_lost_while_paused")) postpone_wait(*over);
      return commands;
    }
    if (over->attempt == 0 && resumed_ && !stopping()) take_timer_over(over->step, commands);
    // A wait that a cancel or a failure overtook is over without consequence; so is one of an
    // earlier life of the run.
    if (resumed_ && step.phase == Phase::backoff && step.attempt + 1 == over->attempt &&
        !halted(step)) {
      move_to(step, Phase::opening);
      commands.emplace_back(OpenAttempt{over->step, over->attempt});
    }
  } else if (const auto* missing = std::get_if<StepTypeMissing>(&event)) {
    take_missing_type(missing->step);
  } else {
    end_asked_ = false;
    undoing_asked_ = undoing_.has_value();
    return commands;
  }
  if (!resumed_ || outcome_) return commands;
  issue_holds(commands);
  if (held() && !mutant("pause_ignored")) return commands;
  if (!stopping()) {
    // A replay may have come by the same step several times.
    sort_and_unique(ready_);
    issue_own(commands);
    issue_starts(commands);
  } else if (undoing_) {
    issue_undos(commands);
  }
  issue_end(commands);
  return commands;
}

Result<void> FlowMachine::take(const Record& record) {
  const bool about_step = record.kind == RecordKind::opened || record.kind == RecordKind::output ||
                          record.kind == RecordKind::receipt;
  const bool lawful_after_end =
      record.kind == RecordKind::receipt &&
      (record.end == AttemptEnd::late || record.end == AttemptEnd::diverged ||
       record.end == AttemptEnd::succeeded);
  if (outcome_ && !lawful_after_end) return unlawful(record, "comes after the run's end");
  epoch_ = record.epoch;
  sharing_ = sharing_ && record.attempt == 0 &&
             (record.kind == RecordKind::output || record.kind == RecordKind::signal ||
              record.end == AttemptEnd::fatal);
  if (about_step) {
    const std::optional<std::size_t> i = find(record.step);
    if (!i) return unlawful(record, "is about a step that the flow has not");
    if (record.kind == RecordKind::output) return take_output(record, *i);
    if (record.kind == RecordKind::receipt) return take_receipt(record, *i);
    return take_opened(record, *i);
  }
  if (record.kind == RecordKind::signal) return take_signal(record);
  if (record.kind == RecordKind::undoing) return take_undoing(record);
  if (record.kind == RecordKind::ended) return take_ended(record);
  if (record.kind == RecordKind::cancel_requested &&
      (resumed_ || !mutant("cancel_forgotten_at_restart")))
    take_cancel_request();
  if (record.kind == RecordKind::unblocked) take_unblocked(record);
  if (record.kind == RecordKind::paused || record.kind == RecordKind::unpaused)
    return take_pause(record);
  if (record.kind == RecordKind::started) return take_started(record);
  return {};
}

Result<void> FlowMachine::take_output(const Record& record, std::size_t i) {
  Step& step = steps_[i];
  // Values are computed ahead: a record whose first writing failed stands behind later ones.
  const PlannedStep& plan = *step.definition;
  if (step.phase == Phase::pending && plan.kind != StepKind::value)
    return unlawful(record, "comes before the outputs that the step waits for");
  if (step.phase == Phase::succeeded) return unlawful(record, "is the step's second output");
  const bool is_default = plan.has_default && record.attempt == 0;
  // It was blocked when it was given its output; another step's failure may stand before that.
  const bool is_resolved =
      record.attempt == 0 && (step.phase == Phase::blocked || step.phase == Phase::stopped);
  const bool is_performed = plan.kind == StepKind::task || plan.kind == StepKind::child;
  if (!is_performed || is_default || is_resolved || sharing_) return take_own_output(record, i);
  if ((step.phase != Phase::open && step.phase != Phase::child) || record.attempt != step.attempt)
    return unlawful(record, "comes from an attempt that is not open");
  std::shared_ptr<const json> value = record.value;
  if (!value) {
    json parsed = json::parse(record.body, nullptr, false);
    if (parsed.is_discarded()) return unlawful(record, "is not JSON");
    value = std::make_shared<const json>(std::move(parsed));
  }
  close_attempt(step);
  succeed(i, std::move(value), record);
  if (mutant("rerun_completed_step_at_restart") && !resumed_) open(i, record.attempt + 1);
  return {};
}

Result<void> FlowMachine::take_receipt(const Record& record, std::size_t i) {
  Step& step = steps_[i];
  switch (record.end) {
    case AttemptEnd::none: return unlawful(record, "is a receipt that says no end");
    case AttemptEnd::succeeded: return {};  // kept for people; no state follows from it
    case AttemptEnd::late:
    case AttemptEnd::diverged: take_other_output(i, record); return {};
    default: break;
  }
  if (step.phase == Phase::child) return take_child_end(record, i);
  if (record.end == AttemptEnd::fatal && may_fail_by_itself(step, record)) {
    take_own_failure(record, i);
    return {};
  }
  if (step.phase != Phase::open || record.attempt != step.attempt)
    return unlawful(record, "ends an attempt that is not open");
  Error error = record.end == AttemptEnd::lost || record.body.empty()
                    ? make_error(Errc::internal, "")
                    : error_from_body(record.body);
  close_attempt(step);
  if (record.input_digest != Digest{}) step.input_digest = record.input_digest;
  if (record.end == AttemptEnd::fatal && error.code == Errc::inputs_differ) {
    step.error = std::move(error);
    if (halted(step))
      stop(step);
    else
      move_to(step, Phase::blocked);
    return {};
  }
  const bool may_repeat =
      !step.definition->at_most_once || step.definition->in_doubt == InDoubt::retry;
  if (!may_repeat && record.end != AttemptEnd::fatal && error.code == Errc::in_doubt) {
    leave_in_doubt(i,
                   "its attempt " + std::to_string(record.attempt) + " ended by: " + error.message);
    return {};
  }
  switch (record.end) {
    case AttemptEnd::timed_out:
      if (!may_repeat) {
        leave_in_doubt(i, "its attempt gave no answer in time");
        break;
      }
      [[fallthrough]];
    case AttemptEnd::failed: count_failure(i, record, std::move(error)); break;
    case AttemptEnd::fatal: {
      const Errc code = error.code;
      give_up_task(i, code, std::move(error));
      break;
    }
    case AttemptEnd::lost: count_lost(i, record); break;
    case AttemptEnd::interrupted: wait_for_next(i, 0); break;
    case AttemptEnd::cancelled: stop(step); break;
    default: break;
  }
  return {};
}

Result<void> FlowMachine::take_opened(const Record& record, std::size_t i) {
  Step& step = steps_[i];
  if (step.definition->kind == StepKind::child) return open_child(record, i);
  const bool is_next = record.attempt == step.attempt + 1;
  // A cancel overtook the writing of this record: the attempt never starts.
  if (is_next && step.phase == Phase::stopped && step.stopped_by_cancel) {
    step.attempt = record.attempt;
    return {};
  }
  // Receipts are applied in the order in which their messages come, and stored in that of the
  // store. So the machine that asked for this attempt need not have known yet of the failure before
  // it in the log.
  if (!is_next || (step.phase != Phase::backoff && step.phase != Phase::opening &&
                   step.phase != Phase::stopped))
    return unlawful(record, "does not open the step's next attempt");
  open(i, record.attempt);
  return {};
}

Result<void> FlowMachine::take_ended(const Record& record) {
  Result<Outcome> outcome = outcome_of(record);
  if (!outcome) return unlawful(record, "is not readable");
  outcome_ = std::move(*outcome);
  ended_at_ms_ = record.at_ms;
  return {};
}

void FlowMachine::take_cancel_request() {
  if (undoing_) return;  // it ends already, as its record says
  cancelling_ = true;
  for (Step& step : steps_)
    if (step.phase == Phase::backoff || step.phase == Phase::mapping ||
        step.phase == Phase::opening || step.phase == Phase::blocked ||
        step.phase == Phase::unstartable || step.phase == Phase::computing ||
        step.phase == Phase::sleeping || step.phase == Phase::awaiting)
      stop(step);
}

void FlowMachine::take_unblocked(const Record& record) {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].phase != Phase::blocked) continue;
    // It lets go on what was blocked when it was asked for, and nothing that came to be since.
    if (!record.step.empty() && (name(i) != record.step || steps_[i].attempt != record.attempt))
      continue;
    steps_[i].lost_in_row = 0;
    steps_[i].in_doubt = false;
    if (steps_[i].role == Role::undo || steps_[i].asks) steps_[i].failures = 0;
    steps_[i].asks = false;
    wait_for_next(i, 0);
  }
}

void FlowMachine::take_missing_type(std::size_t i) {
  Step& step = steps_[i];
  if (step.phase == Phase::backoff) move_to(step, Phase::unstartable);
}

void FlowMachine::move_to(Step& step, Phase phase) {
  --phase_counts_[static_cast<std::size_t>(step.phase)];
  ++phase_counts_[static_cast<std::size_t>(phase)];
  step.phase = phase;
}

void FlowMachine::open(std::size_t i, int attempt) {
  Step& step = steps_[i];
  move_to(step, Phase::open);
  step.attempt = attempt;
  step.opened_epoch = epoch_;
  step.withdrawn = false;
  ready_.push_back(i);
}

void FlowMachine::close_attempt(Step& step) {
  if (step.started) --running_;
  step.started = false;
}

void FlowMachine::stop(Step& step) {
  step.stopped_by_cancel = cancelling_;
  move_to(step, Phase::stopped);
}

void FlowMachine::count_failure(std::size_t i, const Record& record, Error error) {
  Step& step = steps_[i];
  if (resumed_ || !mutant("attempts_from_zero_after_restart")) ++step.failures;
  const int max_attempts =
      step.definition->retry.max_attempts + (mutant("one_attempt_too_many") ? 1 : 0);
  if (step.failures >= max_attempts ||
      (step.definition->has_default && mutant("default_taken_early")))
    return give_up_task(i, Errc::attempts_exhausted, std::move(error));
  step.error = std::move(error);
  wait_for_next(i, record.due_ms);
}

void FlowMachine::count_lost(std::size_t i, const Record& record) {
  Step& step = steps_[i];
  // A run that gets on from crash to crash is in no loop.
  const std::size_t progress = count(Phase::succeeded);
  if (step.lost_at_progress != progress) step.lost_in_row = 0;
  if (mutant("lost_attempts_count")) {
    Record failed = record;
    return count_failure(i, failed, make_error(Errc::internal, "lost"));
  }
  step.lost_at_progress = progress;
  ++step.lost_in_row;
  // A lost attempt opens the next one even in a run that fails: see take_opened. It does not start
  // there.
  if (cancelling_ && halted(step))
    stop(step);
  else if (step.definition->at_most_once && step.definition->in_doubt != InDoubt::retry &&
           !mutant("doubt_forgotten"))
    leave_in_doubt(i, "the process, or what performed it, died during its attempt");
  else if (step.lost_in_row >= Limits::lost_attempts_max)
    move_to(step, Phase::blocked);
  else if (step.definition->at_most_once)
    wait_for_next(i, 0);
  else
    open(i, record.attempt + 1);
}

void FlowMachine::wait_for_next(std::size_t i, std::int64_t due_ms) {
  Step& step = steps_[i];
  if (halted(step)) return stop(step);
  move_to(step, Phase::backoff);
  step.due_ms = due_ms;
  to_wait_.push_back(i);
}

void FlowMachine::issue_starts(Commands& commands) {
  for (const std::size_t i : ready_)
    if (steps_[i].phase == Phase::open && !steps_[i].started && !steps_[i].withdrawn)
      commands.emplace_back(start_command(i));
  ready_.clear();
  sort_and_unique(to_wait_);
  if (mutant("timer_lost_at_restart") && count(Phase::backoff) > 0 && running_ == 0)
    to_wait_.clear();
  for (const std::size_t i : to_wait_) {
    const Step& step = steps_[i];
    if (step.phase != Phase::backoff) continue;
    const std::int64_t longest =
        step.failures == 0 ? 0 : longest_delay_ms(step.definition->retry, step.failures);
    commands.emplace_back(
        AwaitTimer{i, step.attempt + 1, step.due_ms, step.due_ms == 0 ? 0 : longest});
  }
  to_wait_.clear();
}

StartAttempt FlowMachine::start_command(std::size_t i) {
  Step& step = steps_[i];
  step.started = true;
  ++running_;
  return StartAttempt{i, step.attempt, step.failures, step.input_digest};
}

}  // namespace pawl
