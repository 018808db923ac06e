#include "lab/children_check.hpp"

#include "lab/run_plan.hpp"
#include "lab/stored_facts.hpp"
#include "runtime/child_run.hpp"
#include "runtime/start_facts.hpp"

#include <map>
#include <optional>
#include <utility>

namespace pawl::lab {

namespace {

class ChildrenCheck {
 public:
  ChildrenCheck(const Scenario& scenario, const std::vector<StoredRun>& runs)
      : scenario_(scenario) {
    for (const StoredRun& run : runs) runs_.emplace(run.row.run, facts_of(run));
  }

  std::vector<Breach> check() {
    for (const auto& [id, facts] : runs_) {
      if (const std::optional<ParentStep> parent = parent_of(facts))
        check_child(id, facts, *parent);
      if (const Plan* const plan = plan_of_run(scenario_, id)) check_parent(id, facts, *plan);
    }
    return std::move(breaches_);
  }

 private:
  void breach(const char* invariant, std::string message) {
    breaches_.push_back({invariant, std::move(message)});
  }

  static std::optional<ParentStep> parent_of(const StoredFacts& facts) {
    for (const Record& record : facts.run->records)
      if (record.kind == RecordKind::started) {
        const Result<StartFacts> start = start_facts_from(record.body);
        return start ? start->parent : std::nullopt;
      }
    return std::nullopt;
  }

  /// The record about an attempt that stands for a child: its opening, or its end.
  static const Record* find(const StoredFacts& facts, const std::string& step, bool opening) {
    for (const Record& record : facts.run->records)
      if (record.step == step && record.attempt == 1 &&
          (record.kind == RecordKind::opened) == opening)
        return &record;
    return nullptr;
  }

  void check_child(const std::string& id, const StoredFacts& facts, const ParentStep& parent) {
    const auto above = runs_.find(parent.run);
    if (above == runs_.end() || find(above->second, parent.step, true) == nullptr)
      return breach("child_and_parent_agree",
                    "the child " + id + " is stored, and its parent has not opened it");
    const Record* const end = find(above->second, parent.step, false);
    if (facts.end.has_value() != (end != nullptr))
      return breach("child_and_parent_agree", "the child " + id +
                                                  (facts.end ? " has ended" : " has not ended") +
                                                  ", and its parent knows otherwise");
    if (above->second.end && !facts.end)
      breach("child_ends_first", "the child " + id + " goes on after its parent's end");
    if (!facts.end) return;
    const bool same = facts.end->succeeded()
                          ? end->kind == RecordKind::output &&
                                json::parse(end->body, nullptr, false) == facts.end->output
                          : end->kind == RecordKind::receipt;
    if (!same)
      breach("child_and_parent_agree",
             "the child " + id + " ended otherwise than its parent has it");
    check_input(id, facts, above->second, parent);
  }

  /// The child's input must be what the parent's stored outputs give.
  void check_input(const std::string& id, const StoredFacts& facts, const StoredFacts& above,
                   const ParentStep& parent) {
    const Plan* const plan = plan_of_run(scenario_, parent.run);
    const Plan* const own = plan_of_run(scenario_, id);
    if (plan == nullptr || own == nullptr)
      return breach("nothing_from_nowhere", "no step stands for the child " + id);
    const Result<json> with =
        stored_parameters(*plan, part_name_from(parent.step), above, stored_values(*plan, above));
    json input = own->input_defaults;
    if (with) input.update(*with);
    if (!with || input != json::parse(facts.run->input, nullptr, false))
      breach("inputs_are_durable",
             "the child " + id + " was given another input than the stored outputs give");
  }

  void check_parent(const std::string& id, const StoredFacts& facts, const Plan& plan) {
    for (const Record& record : facts.run->records) {
      const PlannedStep* const step = definition_of(plan, part_name_from(record.step));
      if (step == nullptr || step->kind != StepKind::child || record.kind != RecordKind::opened)
        continue;
      if (runs_.count(child_run_id(id, record.step)) == 0)
        breach("child_and_parent_agree",
               id + " has opened the child " + record.step + ", which is not stored");
    }
  }

  const Scenario& scenario_;
  std::map<std::string, StoredFacts> runs_;
  std::vector<Breach> breaches_;
};

}  // namespace

std::vector<Breach> check_children(const Scenario& scenario, const std::vector<StoredRun>& runs) {
  for (const StoredRun& run : runs)
    for (const RunToStart& to_start : scenario.runs)
      if (is_below(run.row.run, to_start.id)) return ChildrenCheck(scenario, runs).check();
  for (const PlannedStep& step : scenario.flow.plan()->steps)
    if (work_of(step).child) return ChildrenCheck(scenario, runs).check();
  return {};
}

}  // namespace pawl::lab
