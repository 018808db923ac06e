#include "runtime/plan.hpp"

#include <pawl/limits.hpp>

#include <algorithm>
#include <queue>
#include <utility>

namespace pawl {

namespace {

std::map<std::string, std::size_t> index_by_name(const FlowSpec& spec) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < spec.steps.size(); ++i) index.emplace(spec.steps[i].name, i);
  return index;
}

void bind_steps(Template& compiled, const std::map<std::string, std::size_t>& index) {
  for (Template::Use& use : compiled.uses())
    if (use.reference.root == Reference::Root::step_output)
      use.reference.step_index = index.at(use.reference.step);
}

std::vector<Secret> parse_secrets(const std::vector<std::string>& texts,
                                  const std::vector<std::string_view>& roots) {
  std::vector<Secret> secrets;
  for (const std::string& text : texts) secrets.push_back(parse_secret(text, roots).value());
  return secrets;
}

}  // namespace

FlowDraft read_flow_draft(std::string_view text) {
  FlowReading reading = read_flow_spec(text);
  FlowDraft draft{
      std::move(reading.spec), std::move(reading.document), {}, {}, std::move(reading.problems)};
  for (const StepSpec& step : draft.spec.steps)
    draft.with.push_back(
        Template::compile(step.with, pointer_to("/steps", step.name) + "/with", draft.problems));
  if (draft.spec.output)
    draft.output = Template::compile(*draft.spec.output, "/output", draft.problems);
  return draft;
}

std::vector<std::vector<std::size_t>> dependencies(const FlowDraft& draft) {
  const auto index = index_by_name(draft.spec);
  std::vector<std::vector<std::size_t>> all(draft.spec.steps.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<std::size_t>& needs = all[i];
    const auto add = [&](const std::string& name) {
      if (const auto found = index.find(name); found != index.end()) needs.push_back(found->second);
    };
    for (const std::string& name : draft.spec.steps[i].after) add(name);
    for (const Template::Use& use : draft.with[i].uses())
      if (use.reference.root == Reference::Root::step_output) add(use.reference.step);
    std::sort(needs.begin(), needs.end());
    needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
  }
  return all;
}

std::vector<std::size_t> topological_order(const std::vector<std::vector<std::size_t>>& needs) {
  std::vector<std::vector<std::size_t>> dependents(needs.size());
  std::vector<std::size_t> missing(needs.size());
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < needs.size(); ++i) {
    for (const std::size_t need : needs[i]) dependents[need].push_back(i);
    missing[i] = needs[i].size();
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    for (const std::size_t dependent : dependents[next])
      if (--missing[dependent] == 0) ready.push(dependent);
  }
  return order;
}

std::shared_ptr<const Plan> make_plan(FlowDraft draft) {
  auto plan = std::make_shared<Plan>();
  plan->flow = draft.spec.name;
  plan->canonical = canonical_json(draft.document, Limits::flow_bytes_max).value();
  plan->digest = digest_of(plan->canonical);
  plan->input_defaults = std::move(draft.spec.input);
  plan->secrets = parse_secrets(draft.spec.secret, {"input", "output"});

  const auto needs = dependencies(draft);
  const std::vector<std::size_t> order = topological_order(needs);
  PAWL_ASSERT(order.size() == draft.spec.steps.size());
  std::vector<std::size_t> place(order.size());  // spec index to plan index
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    plan->index.emplace(draft.spec.steps[order[i]].name, i);
  }
  for (const std::size_t from : order) {
    StepSpec& spec = draft.spec.steps[from];
    PlannedStep step;
    step.name = StepName::trusted(spec.name);
    step.type = std::move(spec.type);
    step.with = std::move(draft.with[from]);
    bind_steps(step.with, plan->index);
    for (const std::size_t need : needs[from]) step.needs.push_back(place[need]);
    std::sort(step.needs.begin(), step.needs.end());
    step.retry = spec.retry;
    step.timeout_ms = spec.timeout_ms;
    step.secrets = parse_secrets(spec.secret, {"with", "output"});
    plan->steps.push_back(std::move(step));
  }
  for (std::size_t i = 0; i < plan->steps.size(); ++i)
    for (const std::size_t need : plan->steps[i].needs) plan->steps[need].dependents.push_back(i);
  for (const auto& [name, i] : plan->index)
    if (plan->steps[i].dependents.empty()) plan->terminal.push_back(i);
  if (draft.output) {
    plan->output = std::move(draft.output);
    bind_steps(*plan->output, plan->index);
  }
  return plan;
}

}  // namespace pawl
