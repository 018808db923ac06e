#include "lab/run_plan.hpp"

#include <algorithm>

namespace pawl::lab {

namespace {

/// The plan that the rest of a child's id leads to, from that of the run above it.
const Plan* plan_below(const Plan* plan, const std::string& path) {
  std::size_t at = 0;
  while (plan != nullptr && at < path.size()) {
    const std::size_t end = std::min(path.find('.', at + 1), path.size());
    const std::string name = path.substr(at + 1, end - at - 1);
    at = end;
    const bool is_element = name.find_first_not_of("0123456789") == std::string::npos;
    if (is_element) continue;
    const auto step = plan->index.find(name);
    plan = step == plan->index.end() ? nullptr : work_of(plan->steps[step->second]).child.get();
  }
  return plan;
}

}  // namespace

const Plan* plan_of_run(const Scenario& scenario, const std::string& run) {
  for (const RunToStart& to_start : scenario.runs) {
    if (run == to_start.id) return scenario.flow.plan().get();
    if (!is_below(run, to_start.id)) continue;
    if (const Plan* plan = plan_below(scenario.flow.plan().get(), run.substr(to_start.id.size())))
      return plan;
  }
  return nullptr;
}

bool is_below(const std::string& run, const std::string& parent) {
  return run.size() > parent.size() && run[parent.size()] == '.' &&
         run.compare(0, parent.size(), parent) == 0;
}

}  // namespace pawl::lab
