// How a run begins, how a step is settled, who begins then, and who is excluded.
#include "runtime/flow_machine.hpp"
#include "runtime/mutant.hpp"
#include "runtime/unlawful.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

Result<void> FlowMachine::take_started(const Record& record) {
  Result<StartFacts> facts = start_facts_from(record.body);
  if (!facts) return unlawful(record, "is not readable");
  start_facts_ = std::move(*facts);
  sharing_ = start_facts_.forked_from.has_value();
  started_at_ms_ = record.at_ms;
  for (std::size_t i = 0; i < plan_->steps.size(); ++i) {
    if (plan_->steps[i].needs.empty()) steps_[i].ready_ms = record.at_ms;
    if (steps_[i].missing == 0 && steps_[i].phase == Phase::pending) begin(i);
  }
  return {};
}

void FlowMachine::succeed(std::size_t i, std::shared_ptr<const json> value, const Record& record) {
  Step& step = steps_[i];
  // A person knows better than the attempts that gave none.
  const bool is_given = step.phase == Phase::blocked ||
                        (step.phase == Phase::stopped && !step.definition->has_default);
  move_to(step, Phase::succeeded);
  step.output = std::move(value);
  if (record.attempt > 0) step.error.reset();  // with a default it says why
  if (record.attempt > 0 || is_given) step.output_seq = record.seq;
  step.in_doubt = false;
  step.asks = false;
  if (!other_outputs_.empty()) check_divergence(i);
  if (step.role == Role::element) return end_element(i);
  if (step.role == Role::undo) return undo_next();
  ++steps_succeeded_;
  outputs_[i] = step.output.get();
  computed_[i] = outputs_[i];
  settle(i, record);
}

/// The step's last attempt has failed: a person is asked, or it takes its default, or the run
/// fails.
void FlowMachine::give_up_task(std::size_t i, Errc code, Error error) {
  Step& step = steps_[i];
  if (step.definition->asks && (resumed_ || !mutant("asking_forgotten_at_restart"))) {
    error.code = code;
    step.error = std::move(error);
    if (halted(step)) return stop(step);
    step.asks = true;
    return move_to(step, Phase::blocked);
  }
  const bool has_default =
      step.definition->has_default && (resumed_ || !mutant("default_forgotten_at_restart"));
  if (!has_default) return fail_step(i, code, std::move(error));
  move_to(step, Phase::computing);
  step.asked = false;  // what was asked for was something else
  step.error = std::move(error);
  ready_.push_back(i);
}

void FlowMachine::fail_step(std::size_t i, Errc code, Error error) {
  Step& step = steps_[i];
  // What cannot be undone is for a person.
  move_to(step, step.role == Role::undo ? Phase::blocked : Phase::failed);
  if (step.role == Role::step && !failure_) failure_ = RunError{code, name(i), error.message};
  step.error = std::move(error);
  if (step.role == Role::element) fail_element(i, code);
}

/// Nobody knows whether the effect of a step's attempt has happened, and it may happen only once.
void FlowMachine::leave_in_doubt(std::size_t i, const std::string& why) {
  Step& step = steps_[i];
  Error error = make_error(Errc::in_doubt,
                           why + ": its effect may have happened, and it may happen only once");
  // Whatever becomes of the run: what follows from it must be the same in whichever order the
  // records of several steps were heard.
  if (step.definition->in_doubt == InDoubt::fail)
    return give_up_task(i, Errc::in_doubt, std::move(error));
  step.error = std::move(error);
  if (halted(step)) return stop(step);
  step.in_doubt = true;
  move_to(step, Phase::blocked);
}

/// The step gives its output, or will never give one: those that waited for it last begin, or are
/// excluded, which settles them too.
void FlowMachine::settle(std::size_t i, const Record& record) {
  std::vector<std::size_t> settled{i};
  while (!settled.empty()) {
    const std::size_t next = settled.back();
    settled.pop_back();
    for (const std::size_t dependent : plan_->steps[next].dependents) {
      Step& step = steps_[dependent];
      step.ready_ms = std::max(step.ready_ms, record.at_ms);
      if (--step.missing > 0 &&
          !(mutant("start_before_all_inputs") && step.phase == Phase::pending))
        continue;
      if (step.phase != Phase::pending) continue;  // its record came before this one
      if (must_exclude(dependent)) {
        move_to(step, Phase::excluded);
        settled.push_back(dependent);
      } else {
        begin(dependent);
      }
    }
  }
}

bool FlowMachine::must_exclude(std::size_t i) const {
  const PlannedStep& plan = plan_->steps[i];
  const auto is_excluded = [this](std::size_t need) {
    return steps_[need].phase == Phase::excluded;
  };
  for (const auto& [branch, side] : plan.guards) {
    const bool wanted = mutant("branch_sides_swapped") ? !side : side;
    if (steps_[branch].output && *steps_[branch].output != wanted) return true;
  }
  if (mutant("exclusion_stops_at_first_step")) return false;
  if (std::any_of(plan.firm_needs.begin(), plan.firm_needs.end(), is_excluded)) return true;
  if (mutant("merge_needs_all_sides"))
    return std::any_of(plan.needs.begin(), plan.needs.end(), is_excluded);
  return !plan.needs.empty() && std::all_of(plan.needs.begin(), plan.needs.end(), is_excluded);
}

/// Everything that the step waited for is settled.
void FlowMachine::begin(std::size_t i) {
  if (plan_->steps[i].kind == StepKind::task)
    begin_task(i);
  else
    begin_own(i);
}

/// A step that may run at most once is opened by a record of its own: what has none has not begun.
void FlowMachine::begin_task(std::size_t i) {
  if (steps_[i].definition->kind == StepKind::child) return begin_child(i);
  if (steps_[i].definition->at_most_once && !mutant("at_most_once_unmarked"))
    wait_for_next(i, 0);
  else
    open(i, 1);
}

}  // namespace pawl
