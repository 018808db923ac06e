/// Plan: a flow made ready to run: steps in a fixed order, who waits for whom, templates compiled.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/ids.hpp>
#include <pawl/retry_policy.hpp>

#include "runtime/expression.hpp"
#include "runtime/flow_spec.hpp"
#include "runtime/secret.hpp"
#include "runtime/template.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

struct Plan;

struct PlannedStep {
  StepName name;
  StepKind kind = StepKind::task;
  std::string type;    ///< of a task or a map
  Template with;       ///< of a task; of a child its run's input
  Expression body;     ///< of a branch its condition, of a value the value, of a sleep the time,
                       ///< of a task, a child or an await its default, of a map the array
  bool until = false;  ///< of a sleep: the time is a moment
  std::string signal;  ///< of an await
  bool has_default = false;             ///< of a task, a child or an await
  std::vector<std::size_t> needs;       ///< steps that it waits for, ascending
  std::vector<std::size_t> firm_needs;  ///< those of them without which it is excluded too
  std::vector<std::pair<std::size_t, bool>> guards;  ///< branches that must have decided so
  std::vector<std::size_t> dependents;               ///< steps that wait for it, ascending
  RetryPolicy retry;
  std::int64_t timeout_ms = 0;
  std::int64_t heartbeat_ms = 0;  ///< of a task; 0: none
  std::vector<Secret> secrets;
  bool at_most_once = false;
  InDoubt in_doubt = InDoubt::ask;
  OnDivergence on_divergence = OnDivergence::keep;  ///< of a task
  bool asks = false;                      ///< of a task: a person sees to it when it fails for good
  std::optional<Template> one_at_a_time;  ///< of a task: the key of its attempts' turns
  std::size_t max_parallel = 0;           ///< of a map; 0: no bound
  bool collect = false;                   ///< of a map: failed elements do not fail it
  std::shared_ptr<const PlannedStep> each;  ///< of a map: a task or a child, done with each element
  std::shared_ptr<const PlannedStep> undo;  ///< of a task or a child: a task that undoes it
  std::shared_ptr<const Plan> child;        ///< of a child: its flow
};

/// What is done with a step that is no map, or with each element of one that is.
inline const PlannedStep& work_of(const PlannedStep& step) {
  return step.each ? *step.each : step;
}

/// Visits every reference of the step: in its parameters, its key, its expression and its undo.
void each_use(const PlannedStep& step, const std::function<void(const Template::Use&)>& visit);

/// What the step is, for people: a task's type, or `map TYPE`, `if`, `value`, `sleep`, `await
/// NAME`.
std::string what_it_is(const PlannedStep& step);

/// Invariants:
/// 1. Steps are in topological order, ties broken by name: the same flow gives the same plan
/// everywhere.
/// 2. `canonical` is the flow's canonical JSON, `digest` its digest; equal flows have equal ones.
struct Plan {
  std::string flow;
  std::string canonical;
  Digest digest;
  json input_defaults;
  std::vector<PlannedStep> steps;
  std::map<std::string, std::size_t> index;  ///< step name to its place in `steps`
  std::vector<std::size_t> terminal;         ///< steps that nobody waits for, by name
  std::optional<Template> output;
  std::vector<Secret> secrets;  ///< of the run: input and output
  std::optional<int> priority;  ///< of its runs, unless their starts say another
};

/// A flow's text with its templates compiled, for `validate` to judge and `make_plan` to use.
struct FlowDraft {
  FlowSpec spec;
  json document;
  std::vector<Template> with;      ///< one per step of the spec
  std::vector<Expression> body;    ///< one per step of the spec; of a map its default
  std::vector<Expression> over;    ///< one per step of the spec; of a map the array
  std::vector<Template> undo;      ///< one per step of the spec: the undo's parameters
  std::vector<Template> key;       ///< one per step of the spec: one_at_a_time
  std::vector<Template> undo_key;  ///< one per step of the spec: that of the undo
  std::vector<std::shared_ptr<FlowDraft>> child;  ///< one per step of the spec; null for most
  std::optional<Template> output;
  std::vector<Problem> problems;  ///< of the text's shape and its templates, not those of children
};

FlowDraft read_flow_draft(std::string_view text);

/// Puts the steps in order.
///
/// Given: a draft without problems that `validate` found good.
std::shared_ptr<const Plan> make_plan(FlowDraft draft);

/// For each step of the spec, the indices of the steps that it waits for, ascending, each once;
/// names that no step has are left out. The one definition of "waits for", used by `validate` and
/// `make_plan`.
std::vector<std::vector<std::size_t>> dependencies(const FlowDraft& draft);

/// For each step of the spec, those of `dependencies` without which it cannot run: they decide
/// whether it does, or it uses their outputs without a `?`.
std::vector<std::vector<std::size_t>> firm_dependencies(const FlowDraft& draft);

/// Which steps may come to be excluded.
///
/// Given: an acyclic draft.
std::vector<bool> conditional_steps(const FlowDraft& draft);

/// Orders the steps so that each comes after what it needs, ties by index; steps on or behind a
/// cycle are left out.
std::vector<std::size_t> topological_order(const std::vector<std::vector<std::size_t>>& needs);

}  // namespace pawl
