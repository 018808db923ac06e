#include "runtime/plan.hpp"

#include <pawl/limits.hpp>

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

namespace pawl {

namespace {

/// How many steps are looked at, at most, to find those that a branch may exclude.
constexpr std::size_t combined_steps_max = 4'000'000;

std::map<std::string, std::size_t> index_by_name(const FlowSpec& spec) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < spec.steps.size(); ++i) index.emplace(spec.steps[i].name, i);
  return index;
}

void bind_step(Template::Use& use, const std::map<std::string, std::size_t>& index) {
  if (use.reference.root == Reference::Root::step_output)
    use.reference.step_index = index.at(use.reference.step);
}

void bind_steps(Template& compiled, const std::map<std::string, std::size_t>& index) {
  for (Template::Use& use : compiled.uses()) bind_step(use, index);
}

Expression compile_body(const StepSpec& step, std::vector<Problem>& problems) {
  const std::string pointer = pointer_to("/steps", step.name);
  switch (step.kind) {
    case StepKind::branch:
      return Expression::compile_condition(step.body, pointer + "/if", problems);
    case StepKind::value: return Expression::compile_value(step.body, pointer + "/value", problems);
    case StepKind::fail: return Expression::compile_value(step.body, pointer + "/fail", problems);
    case StepKind::sleep:
      return Expression::compile_value(
          step.body, pointer + (step.until ? "/until_ms" : "/sleep_ms"), problems);
    case StepKind::task:
    case StepKind::map:
    case StepKind::child:
    case StepKind::await:
      if (step.fallback)
        return Expression::compile_value(*step.fallback, pointer + "/default", problems,
                                         step.kind == StepKind::map);
      break;
  }
  return {};
}

/// Adds names' indices, those of no step left out, to each step's list; sorts them, each once.
class IndexLists {
 public:
  explicit IndexLists(const FlowDraft& draft)
      : index_(index_by_name(draft.spec)), lists_(draft.spec.steps.size()) {}

  void add(std::size_t step, const std::string& name) {
    if (const auto found = index_.find(name); found != index_.end())
      lists_[step].push_back(found->second);
  }

  void add(std::size_t step, const std::vector<std::string>& names) {
    for (const std::string& name : names) add(step, name);
  }

  std::vector<std::vector<std::size_t>> take() {
    for (auto& list : lists_) {
      std::sort(list.begin(), list.end());
      list.erase(std::unique(list.begin(), list.end()), list.end());
    }
    return std::move(lists_);
  }

 private:
  std::map<std::string, std::size_t> index_;
  std::vector<std::vector<std::size_t>> lists_;
};

void each_step_use(const FlowDraft& draft, std::size_t step,
                   const std::function<void(const Reference&)>& visit) {
  const auto visit_use = [&](const Template::Use& use) {
    if (use.reference.root == Reference::Root::step_output) visit(use.reference);
  };
  for (const Template* used : {&draft.with[step], &draft.key[step]})
    for (const Template::Use& use : used->uses()) visit_use(use);
  draft.body[step].each_use(visit_use);
  draft.over[step].each_use(visit_use);
}

/// The task that user code performs, or the child: the step itself, or each element of a map.
PlannedStep plan_task(StepSpec& spec, Template with, Expression fallback, Template key) {
  PlannedStep task;
  task.name = StepName::trusted(spec.name);
  if (spec.child.is_object()) task.kind = StepKind::child;
  task.type = spec.type;
  task.with = std::move(with);
  task.body = std::move(fallback);
  task.has_default = spec.fallback.has_value();
  task.retry = spec.retry;
  task.timeout_ms = spec.timeout_ms;
  task.heartbeat_ms = spec.heartbeat_ms;
  task.at_most_once = spec.at_most_once;
  task.in_doubt = spec.in_doubt;
  task.on_divergence = spec.on_divergence;
  task.asks = spec.asks;
  if (spec.one_at_a_time) task.one_at_a_time = std::move(key);
  return task;
}

std::shared_ptr<const PlannedStep> plan_undo(StepSpec& spec, Template with, Template key) {
  if (!spec.undo) return nullptr;
  auto undo = std::make_shared<PlannedStep>();
  undo->name = StepName::trusted(spec.name);
  undo->type = std::move(spec.undo->type);
  undo->with = std::move(with);
  undo->retry = spec.undo->retry;
  undo->timeout_ms = spec.undo->timeout_ms;
  if (spec.undo->one_at_a_time) undo->one_at_a_time = std::move(key);
  undo->heartbeat_ms = spec.undo->heartbeat_ms;
  return undo;
}

std::vector<Secret> parse_secrets(const std::vector<std::string>& texts,
                                  const std::vector<std::string_view>& roots) {
  std::vector<Secret> secrets;
  for (const std::string& text : texts) secrets.push_back(parse_secret(text, roots).value());
  return secrets;
}

}  // namespace

std::string what_it_is(const PlannedStep& step) {
  switch (step.kind) {
    case StepKind::task: break;
    case StepKind::map: return "map " + what_it_is(*step.each);
    case StepKind::child: return "child " + step.child->flow;
    case StepKind::branch: return "if";
    case StepKind::value: return "value";
    case StepKind::fail: return "fail";
    case StepKind::sleep: return "sleep";
    case StepKind::await: return "await " + step.signal;
  }
  return step.type;
}

void each_use(const PlannedStep& step, const std::function<void(const Template::Use&)>& visit) {
  for (const Template::Use& use : step.with.uses()) visit(use);
  if (step.one_at_a_time)
    for (const Template::Use& use : step.one_at_a_time->uses()) visit(use);
  step.body.each_use(visit);
  if (step.each) each_use(*step.each, visit);
  if (step.undo) each_use(*step.undo, visit);
}

namespace {

Template compile_key(const std::optional<std::string>& key, const std::string& pointer,
                     std::vector<Problem>& problems) {
  return key ? Template::compile(*key, pointer + "/one_at_a_time", problems) : Template();
}

FlowDraft draft_of(FlowReading reading, int depth) {
  FlowDraft draft;
  draft.spec = std::move(reading.spec);
  draft.document = std::move(reading.document);
  draft.problems = std::move(reading.problems);
  for (const StepSpec& step : draft.spec.steps) {
    const std::string pointer = pointer_to("/steps", step.name);
    draft.with.push_back(Template::compile(step.with, pointer + "/with", draft.problems));
    draft.body.push_back(compile_body(step, draft.problems));
    draft.over.push_back(
        step.kind == StepKind::map
            ? Expression::compile_value(step.over, pointer + "/map", draft.problems)
            : Expression());
    draft.undo.push_back(
        step.undo ? Template::compile(step.undo->with, pointer + "/undo/with", draft.problems)
                  : Template());
    draft.key.push_back(compile_key(step.one_at_a_time, pointer, draft.problems));
    draft.undo_key.push_back(compile_key(step.undo ? step.undo->one_at_a_time : std::nullopt,
                                         pointer + "/undo", draft.problems));
    draft.child.emplace_back();
    if (!step.child.is_object()) continue;
    if (depth >= Limits::child_depth_max)
      draft.problems.push_back({pointer + "/child", "too_deep",
                                "flows stand within flows at most " +
                                    std::to_string(Limits::child_depth_max) + " deep"});
    else
      draft.child.back() =
          std::make_shared<FlowDraft>(draft_of(read_flow_document(step.child), depth + 1));
  }
  if (draft.spec.output)
    draft.output = Template::compile(*draft.spec.output, "/output", draft.problems);
  return draft;
}

}  // namespace

FlowDraft read_flow_draft(std::string_view text) {
  return draft_of(read_flow_spec(text), 0);
}

std::vector<std::vector<std::size_t>> dependencies(const FlowDraft& draft) {
  IndexLists needs(draft);
  for (std::size_t i = 0; i < draft.spec.steps.size(); ++i) {
    const StepSpec& step = draft.spec.steps[i];
    needs.add(i, step.after);
    needs.add(i, step.when);
    needs.add(i, step.unless);
    each_step_use(draft, i, [&](const Reference& reference) { needs.add(i, reference.step); });
  }
  return needs.take();
}

std::vector<std::vector<std::size_t>> firm_dependencies(const FlowDraft& draft) {
  IndexLists needs(draft);
  for (std::size_t i = 0; i < draft.spec.steps.size(); ++i) {
    needs.add(i, draft.spec.steps[i].when);
    needs.add(i, draft.spec.steps[i].unless);
    each_step_use(draft, i, [&](const Reference& reference) {
      if (!reference.optional) needs.add(i, reference.step);
    });
  }
  return needs.take();
}

std::vector<bool> conditional_steps(const FlowDraft& draft) {
  const auto& steps = draft.spec.steps;
  const auto needs = dependencies(draft);
  const auto firm = firm_dependencies(draft);
  const std::vector<std::size_t> order = topological_order(needs);
  std::map<std::string, std::size_t> branches;  // and which bit of a combination is its decision
  for (const StepSpec& step : steps)
    if (step.kind == StepKind::branch) branches.emplace(step.name, branches.size());
  std::vector<bool> conditional(steps.size());
  // Every combination of decisions is looked at; where there are too many, nobody says anything.
  if (branches.size() > 12 || (steps.size() << branches.size()) > combined_steps_max)
    return conditional;
  for (std::size_t decisions = 0; decisions < std::size_t{1} << branches.size(); ++decisions) {
    std::vector<bool> excluded(steps.size());
    const auto is_excluded = [&](std::size_t step) { return excluded[step]; };
    const auto decided = [&](const std::string& branch) {
      const auto found = branches.find(branch);
      return found != branches.end() && (decisions >> found->second & 1) != 0;
    };
    for (const std::size_t i : order) {
      const StepSpec& step = steps[i];
      excluded[i] =
          !std::all_of(step.when.begin(), step.when.end(), decided) ||
          std::any_of(step.unless.begin(), step.unless.end(), decided) ||
          std::any_of(firm[i].begin(), firm[i].end(), is_excluded) ||
          (!needs[i].empty() && std::all_of(needs[i].begin(), needs[i].end(), is_excluded));
      if (excluded[i]) conditional[i] = true;
    }
  }
  return conditional;
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

/// What a child's flow hides of its run is hidden of the step too, which has the same output.
void add_secrets_of(const Plan& child, std::vector<Secret>& secrets) {
  for (const Secret& secret : child.secrets)
    secrets.push_back({secret.root == "input" ? "with" : secret.root, secret.path});
  if (child.output) return;
  for (const std::size_t i : child.terminal)
    for (Secret secret : child.steps[i].secrets) {
      if (secret.root != "output") continue;
      secret.path.insert(secret.path.begin(), child.steps[i].name.str());
      secrets.push_back(std::move(secret));
    }
}

std::shared_ptr<const Plan> make_plan(FlowDraft draft) {
  auto plan = std::make_shared<Plan>();
  plan->flow = draft.spec.name;
  plan->canonical = canonical_json(draft.document, Limits::flow_bytes_max).value();
  plan->digest = digest_of(plan->canonical);
  plan->input_defaults = std::move(draft.spec.input);
  plan->secrets = parse_secrets(draft.spec.secret, {"input", "output"});
  if (draft.spec.priority) plan->priority = static_cast<int>(*draft.spec.priority);

  const auto needs = dependencies(draft);
  const auto firm_needs = firm_dependencies(draft);
  const std::vector<std::size_t> order = topological_order(needs);
  PAWL_ASSERT(order.size() == draft.spec.steps.size());
  std::vector<std::size_t> place(order.size());  // spec index to plan index
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    plan->index.emplace(draft.spec.steps[order[i]].name, i);
  }
  for (const std::size_t from : order) {
    StepSpec& spec = draft.spec.steps[from];
    for (auto* templates : {&draft.with, &draft.undo, &draft.key, &draft.undo_key})
      bind_steps((*templates)[from], plan->index);
    for (Expression* body : {&draft.body[from], &draft.over[from]})
      body->each_use([&](Template::Use& use) { bind_step(use, plan->index); });
    PlannedStep step = plan_task(spec, std::move(draft.with[from]), std::move(draft.body[from]),
                                 std::move(draft.key[from]));
    step.undo = plan_undo(spec, std::move(draft.undo[from]), std::move(draft.undo_key[from]));
    if (draft.child[from]) step.child = make_plan(std::move(*draft.child[from]));
    if (spec.kind == StepKind::map) {
      auto each = std::make_shared<const PlannedStep>(std::move(step));
      step = PlannedStep();
      step.name = each->name;
      step.type = each->type;
      step.body = std::move(draft.over[from]);
      step.each = std::move(each);
    }
    step.kind = spec.kind;
    step.max_parallel = static_cast<std::size_t>(spec.max_parallel);
    step.collect = spec.collect;
    step.until = spec.until;
    step.signal = std::move(spec.signal);
    for (const std::string& branch : spec.when)
      step.guards.emplace_back(plan->index.at(branch), true);
    for (const std::string& branch : spec.unless)
      step.guards.emplace_back(plan->index.at(branch), false);
    for (const std::size_t need : needs[from]) step.needs.push_back(place[need]);
    std::sort(step.needs.begin(), step.needs.end());
    for (const std::size_t need : firm_needs[from]) step.firm_needs.push_back(place[need]);
    step.timeout_ms = spec.timeout_ms;
    step.secrets = parse_secrets(spec.secret, {"with", "output"});
    if (const auto& child = work_of(step).child) add_secrets_of(*child, step.secrets);
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
