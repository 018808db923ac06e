// Who begins when a step is settled, and who is excluded.
#include "runtime/flow_machine.hpp"
#include "runtime/mutant.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

void FlowMachine::succeed(std::size_t i, std::shared_ptr<const json> value, const Record& record) {
  Step& step = steps_[i];
  move_to(step, Phase::succeeded);
  step.output = std::move(value);
  if (record.attempt > 0) step.error.reset();  // with a default it says why
  outputs_[i] = step.output.get();
  computed_[i] = outputs_[i];
  settle(i, record);
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
        begin(dependent, record.epoch);
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
void FlowMachine::begin(std::size_t i, std::int64_t epoch) {
  if (plan_->steps[i].kind == StepKind::task)
    open(i, 1, epoch);
  else
    begin_own(i);
}

}  // namespace pawl
