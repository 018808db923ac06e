#include "runtime/shown_output.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

json shown_output(const PlannedStep& step, const json& output, Role role) {
  // An undo answers with whatever it was given.
  const auto of_output = [](const Secret& secret) { return secret.root == "output"; };
  if (role == Role::undo)
    return std::any_of(step.secrets.begin(), step.secrets.end(), of_output) ? json("[secret]")
                                                                            : output;
  if (role == Role::element || step.kind != StepKind::map || !output.is_array())
    return redacted(output, step.secrets, "output");
  json shown = json::array();
  for (const json& element : output) {
    json one = element;
    if (step.collect && one.is_object() && one.contains("output"))
      one["output"] = redacted(one["output"], step.secrets, "output");
    else if (!step.collect)
      one = redacted(one, step.secrets, "output");
    shown.push_back(std::move(one));
  }
  return shown;
}

json shown_progress(const PlannedStep& step, const json& progress) {
  return step.secrets.empty() ? progress : json("[secret]");
}

json shown_run_output(const Plan& plan, const json& output) {
  json shown = redacted(output, plan.secrets, "output");
  if (plan.output || !shown.is_object()) return shown;
  for (const std::size_t i : plan.terminal) {
    const auto last = shown.find(plan.steps[i].name.str());
    if (last != shown.end()) *last = shown_output(plan.steps[i], *last, Role::step);
  }
  return shown;
}

}  // namespace pawl
