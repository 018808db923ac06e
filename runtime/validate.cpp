#include "runtime/validate.hpp"

#include <pawl/limits.hpp>

#include "runtime/mutant.hpp"
#include "runtime/nearest_name.hpp"
#include "runtime/type_check.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>
#include <variant>

namespace pawl {

namespace {

using Names = std::vector<std::string_view>;

class Validation {
 public:
  Validation(const FlowDraft& draft, const StepTypes* types)
      : draft_(draft), spec_(draft.spec), types_(types), problems_(draft.problems) {
    for (const StepSpec& step : spec_.steps) step_names_.push_back(step.name);
  }

  std::vector<Problem> run() {
    if (!draft_.document.is_object()) return std::move(problems_);
    if (draft_.document.contains("flow") && draft_.document["flow"].is_string())
      complain_if("/flow", "bad_name", dotted_name_complaint("the flow name", spec_.name));
    if (draft_.document.contains("steps") && draft_.document["steps"] == json::object())
      complain("/steps", "no_steps", "a flow needs at least one step");
    check_secrets(spec_.secret, "/secret", {"input", "output"});
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) check_step(i);
    if (draft_.output) check_uses(*draft_.output, nullptr);
    check_cycles();
    check_output();
    std::stable_sort(problems_.begin(), problems_.end(),
                     [](const Problem& a, const Problem& b) { return a.pointer < b.pointer; });
    if (problems_.size() > Limits::problems_max) problems_.resize(Limits::problems_max);
    return std::move(problems_);
  }

 private:
  void complain(std::string pointer, const char* code, std::string message) {
    problems_.push_back({std::move(pointer), code, std::move(message)});
  }

  void complain_if(const std::string& pointer, const char* code, std::string message) {
    if (!message.empty()) complain(pointer, code, std::move(message));
  }

  void check_step(std::size_t i) {
    const StepSpec& step = spec_.steps[i];
    const std::string pointer = pointer_to("/steps", step.name);
    complain_if(pointer, "bad_name", StepNameKind::complaint(step.name));
    const json& document = draft_.document["steps"][step.name];
    const bool is_work = step.kind == StepKind::task || step.kind == StepKind::map;
    if (is_work && document.contains("run") && document["run"].is_string())
      check_type(step.type, step.with, types_, pointer, problems_);
    if (draft_.child[i]) check_child(step, *draft_.child[i], pointer);
    if (step.undo) check_undo(i, pointer + "/undo");
    check_after(step, pointer);
    check_guards(step, step.when, pointer + "/when");
    check_guards(step, step.unless, pointer + "/unless");
    check_uses(draft_.with[i], &step);
    check_uses(draft_.key[i], &step);
    check_key(step.one_at_a_time, pointer);
    for (const Expression* body : {&draft_.body[i], &draft_.over[i]})
      body->each_use([&](const Template::Use& use) { check_use(use, &step); });
    if (step.kind == StepKind::map &&
        (step.over.is_number() || step.over.is_boolean() || step.over.is_null()))
      complain(pointer + "/map", "wrong_kind",
               std::string("expected an array or a template, found ") + step.over.type_name());
    if (step.collect && step.fallback)
      complain(pointer + "/default", "never_used",
               "with \"default\" a failed element is no error: leave out \"on_error\"");
    if (step.asks && step.fallback)
      complain(pointer + "/default", "never_used",
               "with \"on_failure\": \"ask\" a person is asked: leave out one of them");
    check_heartbeat(step, pointer);
    if (step.kind == StepKind::await && document["await"].is_string()) check_await(step, pointer);
    check_secrets(step.secret, pointer + "/secret", {"with", "output"});
    if (step.retry.initial_ms > step.retry.max_ms)
      complain(pointer + "/retry", "out_of_range",
               "initial_ms (" + std::to_string(step.retry.initial_ms) + ") is more than max_ms (" +
                   std::to_string(step.retry.max_ms) + "); raise max_ms");
  }

  /// A key with templates is measured once they are resolved.
  void check_key(const std::optional<std::string>& key, const std::string& pointer) {
    if (key && key->find("{{") == std::string::npos && key->size() > Limits::turn_key_bytes_max)
      complain(pointer + "/one_at_a_time", "too_large",
               "the key has " + std::to_string(key->size()) + " bytes; at most " +
                   std::to_string(Limits::turn_key_bytes_max) + " are allowed");
  }

  /// Given: `work`, a step or its undo.
  template <class Work>
  void check_heartbeat(const Work& work, const std::string& pointer) {
    if (work.heartbeat_ms > 0 && work.timeout_ms > 0 && work.heartbeat_ms >= work.timeout_ms)
      complain(pointer + "/heartbeat_ms", "never_used",
               "the attempt is over before, by \"timeout_ms\" (" + std::to_string(work.timeout_ms) +
                   "): make that longer, or 0 for none");
  }

  /// A child is a flow of its own, whose run gets its input from this one.
  void check_child(const StepSpec& step, const FlowDraft& child, const std::string& pointer) {
    for (Problem& problem : validate(child, types_))
      complain(pointer + "/child" + problem.pointer, problem.code.c_str(),
               std::move(problem.message));
    std::set<std::string> missing;
    each_input(child, [&](const std::string& name) {
      if (!step.with.contains(name) && !child.spec.input.contains(name)) missing.insert(name);
    });
    for (const std::string& name : missing)
      complain(pointer + "/with", "missing_parameter",
               "the child needs \"" + printable_text(name, 80) +
                   "\": give it here, or give it a default in the child's \"input\"");
  }

  /// Visits the members of its input that a flow cannot do without.
  static void each_input(const FlowDraft& draft,
                         const std::function<void(const std::string&)>& visit) {
    const auto visit_use = [&](const Template::Use& use) {
      const Reference& reference = use.reference;
      if (reference.root != Reference::Root::input || reference.optional || reference.path.empty())
        return;
      if (const auto* name = std::get_if<std::string>(&reference.path.front())) visit(*name);
    };
    for (std::size_t i = 0; i < draft.spec.steps.size(); ++i) {
      for (const auto* templates : {&draft.with, &draft.undo, &draft.key, &draft.undo_key})
        for (const Template::Use& use : (*templates)[i].uses()) visit_use(use);
      for (const Expression* body : {&draft.body[i], &draft.over[i]}) body->each_use(visit_use);
    }
    if (draft.output)
      for (const Template::Use& use : draft.output->uses()) visit_use(use);
  }

  /// An undo knows the output of its own step, and of those that the step waited for.
  void check_undo(std::size_t i, const std::string& pointer) {
    const StepSpec& step = spec_.steps[i];
    if (draft_.document["steps"][step.name]["undo"].value("run", json()).is_string())
      check_type(step.undo->type, step.undo->with, types_, pointer, problems_);
    const std::set<std::string> before = steps_before(i);
    const std::vector<bool> conditional = conditional_steps(draft_);
    const auto firm = firm_dependencies(draft_)[i];
    check_heartbeat(*step.undo, pointer);
    const RetryPolicy& policy = step.undo->retry;
    if (policy.initial_ms > policy.max_ms)
      complain(pointer + "/retry", "out_of_range",
               "initial_ms (" + std::to_string(policy.initial_ms) + ") is more than max_ms (" +
                   std::to_string(policy.max_ms) + "); raise max_ms");
    check_key(step.undo->one_at_a_time, pointer);
    for (const auto* templates : {&draft_.undo, &draft_.undo_key})
      for (const Template::Use& use : (*templates)[i].uses())
        check_undo_use(use, step, before, conditional, firm);
  }

  void check_undo_use(const Template::Use& use, const StepSpec& step,
                      const std::set<std::string>& before, const std::vector<bool>& conditional,
                      const std::vector<std::size_t>& firm) {
    const Reference& reference = use.reference;
    const bool of_element =
        reference.root == Reference::Root::item || reference.root == Reference::Root::index;
    if (of_element && step.kind != StepKind::map)
      complain(use.pointer, "bad_reference",
               "{{" + reference.text + "}}: the step has no \"map\", so no item and no index");
    if (reference.root != Reference::Root::step_output) return;
    if (!is_step(reference.step))
      check_use(use, nullptr);
    else if (before.count(reference.step) == 0)
      complain(use.pointer, "not_before",
               "{{" + reference.text + "}}: an undo knows the output of its own step, as " +
                   "{{output}}, and those of the steps that it waits for");
    else if (const std::size_t place = place_of(reference.step);
             !reference.optional && conditional[place] &&
             std::find(firm.begin(), firm.end(), place) == firm.end())
      complain(use.pointer, "may_be_excluded",
               "{{" + reference.text + "}}: a branch may exclude step \"" + reference.step +
                   "\"; write {{" + reference.text + "?}}, which is null then");
  }

  std::set<std::string> steps_before(std::size_t i) {
    if (needs_.empty()) needs_ = dependencies(draft_);
    std::set<std::string> before;
    std::vector<std::size_t> open{i};
    while (!open.empty()) {
      const std::size_t next = open.back();
      open.pop_back();
      for (const std::size_t need : needs_[next])
        if (before.insert(spec_.steps[need].name).second) open.push_back(need);
    }
    return before;
  }

  void check_after(const StepSpec& step, const std::string& pointer) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < step.after.size(); ++i) {
      const std::string& name = step.after[i];
      const std::string at = pointer + "/after/" + std::to_string(i);
      if (name == step.name)
        complain(at, "self_dependency", "a step cannot wait for itself");
      else if (!is_step(name))
        complain(at, "unknown_step",
                 "no step \"" + printable_text(name, 80) + "\"" + did_you_mean(name, step_names_));
      else if (!seen.insert(name).second)
        complain(at, "duplicate_dependency", "\"" + name + "\" stands here twice");
    }
  }

  void check_guards(const StepSpec& step, const std::vector<std::string>& guards,
                    const std::string& pointer) {
    for (const std::string& name : guards) {
      if (name == step.name)
        complain(pointer, "self_dependency", "a step cannot wait for itself");
      else if (!is_step(name))
        complain(pointer, "unknown_step",
                 "no step \"" + printable_text(name, 80) + "\"" + did_you_mean(name, step_names_));
      else if (find_step(name).kind != StepKind::branch)
        complain(pointer, "no_branch",
                 "\"" + name + "\" decides nothing: only a step with \"if\" does");
      else if (std::count(guards.begin(), guards.end(), name) > 1 ||
               (&guards == &step.unless &&
                std::count(step.when.begin(), step.when.end(), name) > 0))
        complain(pointer, "duplicate_dependency",
                 "\"" + name + "\" stands twice in \"when\" and \"unless\"");
    }
  }

  void check_await(const StepSpec& step, const std::string& pointer) {
    complain_if(pointer + "/await", "bad_name", dotted_name_complaint("the signal", step.signal));
    if (step.fallback && step.timeout_ms == 0)
      complain(pointer + "/default", "never_used",
               "without \"timeout_ms\" the step waits for ever, and never takes its default");
  }

  /// A run that excluded a step has no output of it.
  void check_output() {
    if (!draft_.output) return;
    const std::vector<bool> conditional = conditional_steps(draft_);
    for (const Template::Use& use : draft_.output->uses()) {
      if (use.reference.root != Reference::Root::step_output || use.reference.optional ||
          !is_step(use.reference.step))
        continue;
      const std::size_t i = place_of(use.reference.step);
      if (conditional[i])
        complain(use.pointer, "may_be_excluded",
                 "{{" + use.reference.text + "}}: a branch may exclude step \"" +
                     use.reference.step + "\"; write {{" + use.reference.text +
                     "?}}, which is null then");
    }
  }

  void check_uses(const Template& compiled, const StepSpec* user) {
    for (const Template::Use& use : compiled.uses()) {
      check_use(use, user);
      // Within a value's lists they have a meaning, which its compiler knows.
      const bool of_element = use.reference.root == Reference::Root::item ||
                              use.reference.root == Reference::Root::index;
      if (of_element && (user == nullptr || user->kind != StepKind::map))
        complain(use.pointer, "bad_reference",
                 "{{" + use.reference.text +
                     "}}: item and index have a meaning only within $map and $filter of a "
                     "\"value\", and in a step with \"map\"");
    }
  }

  void check_use(const Template::Use& use, const StepSpec* user) {
    if (use.reference.root == Reference::Root::output)
      complain(use.pointer, "bad_reference",
               "{{" + use.reference.text + "}}: output has a meaning only within an \"undo\"");
    if (use.reference.root != Reference::Root::step_output) return;
    const std::string& name = use.reference.step;
    if (user != nullptr && name == user->name)
      complain(use.pointer, "self_dependency",
               "{{" + use.reference.text + "}}: a step cannot use its own output");
    else if (!is_step(name))
      complain(use.pointer, "unknown_step",
               "{{" + use.reference.text + "}}: no step \"" + printable_text(name, 80) + "\"" +
                   did_you_mean(name, step_names_));
  }

  void check_secrets(const std::vector<std::string>& secrets, const std::string& pointer,
                     const Names& roots) {
    for (std::size_t i = 0; i < secrets.size(); ++i)
      if (Result<Secret> secret = parse_secret(secrets[i], roots); !secret)
        complain(pointer + "/" + std::to_string(i), "bad_secret", secret.error().message);
  }

  /// Reports each cycle once: what a topological sort leaves over holds at least one; report it,
  /// cut it, sort again.
  void check_cycles() {
    if (mutant("input_cycle_unseen")) return;
    auto needs = dependencies(draft_);
    for (std::size_t i = 0; i < needs.size(); ++i) {
      if (needs[i].size() > Limits::dependencies_max)
        complain(pointer_to("/steps", spec_.steps[i].name), "too_many_dependencies",
                 "waits for " + std::to_string(needs[i].size()) + " steps; at most " +
                     std::to_string(Limits::dependencies_max) + " are allowed");
      // A step that needs itself has its own message.
      needs[i].erase(std::remove(needs[i].begin(), needs[i].end(), i), needs[i].end());
    }
    while (problems_.size() < Limits::problems_max) {
      std::vector<bool> sorted(needs.size());
      for (const std::size_t i : topological_order(needs)) sorted[i] = true;
      const auto left = std::find(sorted.begin(), sorted.end(), false);
      if (left == sorted.end()) return;
      report_cycle(needs, sorted, static_cast<std::size_t>(left - sorted.begin()));
    }
  }

  void report_cycle(std::vector<std::vector<std::size_t>>& needs, const std::vector<bool>& sorted,
                    std::size_t from) {
    // Every unsorted step needs another unsorted one: walking on must come round.
    std::vector<std::size_t> path;
    std::size_t at = from;
    while (std::find(path.begin(), path.end(), at) == path.end()) {
      path.push_back(at);
      at = *std::find_if(needs[at].begin(), needs[at].end(),
                         [&](std::size_t need) { return !sorted[need]; });
    }
    path.erase(path.begin(), std::find(path.begin(), path.end(), at));
    std::rotate(path.begin(), std::min_element(path.begin(), path.end()), path.end());
    std::string circle;
    for (const std::size_t i : path) circle += spec_.steps[i].name + " -> ";
    complain(pointer_to("/steps", spec_.steps[path.front()].name), "cycle",
             "waits for itself: " + circle + spec_.steps[path.front()].name +
                 " (each waits for the next); remove one of these dependencies");
    for (const std::size_t i : path) needs[i].clear();
  }

  bool is_step(const std::string& name) const {
    return std::binary_search(step_names_.begin(), step_names_.end(), std::string_view(name));
  }

  std::size_t place_of(const std::string& name) const {
    return static_cast<std::size_t>(&find_step(name) - spec_.steps.data());
  }

  const StepSpec& find_step(const std::string& name) const {
    return *std::lower_bound(
        spec_.steps.begin(), spec_.steps.end(), name,
        [](const StepSpec& step, const std::string& n) { return step.name < n; });
  }

  const FlowDraft& draft_;
  const FlowSpec& spec_;
  const StepTypes* types_;
  std::vector<Problem> problems_;
  std::vector<std::vector<std::size_t>> needs_;  // once somebody has asked
  Names step_names_;                             // sorted, as the spec's steps are
};

}  // namespace

std::vector<Problem> validate(const FlowDraft& draft, const StepTypes* types) {
  return Validation(draft, types).run();
}

std::vector<Problem> missing_input(const Plan& plan, const json& input) {
  std::vector<Problem> problems;
  const auto check = [&](const Template::Use& use) {
    if (use.reference.root == Reference::Root::input && !use.reference.optional &&
        follow(input, use.reference.path) == nullptr && problems.size() < Limits::problems_max)
      problems.push_back({use.pointer, "unresolved_reference",
                          "{{" + use.reference.text + "}} is not in the run's input"});
  };
  for (const PlannedStep& step : plan.steps) each_use(step, check);
  if (plan.output)
    for (const Template::Use& use : plan.output->uses()) check(use);
  return problems;
}

}  // namespace pawl
