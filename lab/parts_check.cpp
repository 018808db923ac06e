#include "lab/parts_check.hpp"

#include "lab/stored_facts.hpp"
#include "runtime/part_name.hpp"
#include "store/record_slot.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace pawl::lab {

namespace {

class PartsCheck {
 public:
  PartsCheck(const Plan& plan, const StoredRun& run)
      : plan_(plan), run_(run), facts_(facts_of(run)), values_(stored_values(plan, facts_)) {}

  std::vector<Breach> check() {
    for (const PlannedStep& step : plan_.steps)
      if (step.kind == StepKind::map) check_map(step);
    check_undos();
    check_marks();
    return std::move(breaches_);
  }

 private:
  void breach(const char* invariant, const std::string& part, const std::string& what) {
    breaches_.push_back({invariant, run_.row.run + "/" + part + " " + what});
  }

  void check_map(const PlannedStep& map) {
    const auto output = facts_.outputs.find(map.name.str());
    if (output == facts_.outputs.end()) return;
    const Result<json> items = stored_items(map, facts_, values_);
    if (!items || !items->is_array())
      return breach("own_steps_follow", map.name.str(), "has an output, and nothing to map over");
    json expected = json::array();
    for (std::size_t i = 0; i < items->size(); ++i)
      expected.push_back(element(map, PartName{map.name.str(), i, false}.str()));
    // An element in doubt says so in words of its own.
    if (map.collect && map.each->at_most_once) return;
    if (expected != json::parse(output->second->body, nullptr, false))
      breach("own_steps_follow", map.name.str(), "is not what its elements gave, in their order");
  }

  /// What an element gives to its map; a word that no output is if it has not ended.
  json element(const PlannedStep& map, const std::string& name) const {
    if (const auto output = facts_.outputs.find(name); output != facts_.outputs.end()) {
      json value = json::parse(output->second->body, nullptr, false);
      return map.collect ? json{{"output", std::move(value)}} : value;
    }
    for (auto record = run_.records.rbegin(); record != run_.records.rend(); ++record)
      if (map.collect && record->step == name && ends_attempt(*record)) {
        return json{{"error", json::parse(record->body, nullptr, false)}};
      }
    return "this element has not ended";
  }

  void check_undos() {
    std::int64_t undoing_seq = 0;
    for (const Record& record : run_.records)
      if (record.kind == RecordKind::undoing) undoing_seq = record.seq;
    std::vector<const Record*> done;
    for (const auto& [name, output] : facts_.outputs) {
      const PlannedStep* const definition = definition_of(plan_, part_name_from(name));
      const bool is_default =
          output->attempt == 0 && definition != nullptr && definition->has_default;
      if (definition != nullptr && definition->undo && !is_default) done.push_back(output);
    }
    const bool succeeded = facts_.end && facts_.end->succeeded();
    if (undoing_seq > 0 && succeeded)
      breach("what_was_done_is_undone", "", "succeeded and was undone");
    if (!facts_.end || succeeded) return;
    // The latest first; each only when the one before it is undone.
    std::sort(done.begin(), done.end(),
              [](const Record* a, const Record* b) { return a->seq > b->seq; });
    std::int64_t before = undoing_seq;
    for (const Record* output : done) {
      PartName name = part_name_from(output->step);
      name.undo = true;
      const auto undo = facts_.outputs.find(name.str());
      if (undo == facts_.outputs.end())
        return breach("what_was_done_is_undone", output->step,
                      "was done in a run that did not succeed, and is not undone");
      if (undo->second->seq < before)
        breach("undone_in_reverse", output->step, "was undone before what was done after it");
      before = undo->second->seq;
    }
  }

  /// What may run at most once is marked as begun before it begins.
  void check_marks() {
    std::set<std::pair<std::string, int>> opened;
    for (const Record& record : run_.records) {
      if (record.kind == RecordKind::opened) opened.emplace(record.step, record.attempt);
      if (record.attempt == 0 || record.kind == RecordKind::opened) continue;
      const PlannedStep* const definition = definition_of(plan_, part_name_from(record.step));
      if (definition != nullptr && definition->at_most_once &&
          opened.count({record.step, record.attempt}) == 0)
        breach("runs_at_most_once", record.step,
               "has an attempt that ended and was never marked as begun");
    }
  }

  const Plan& plan_;
  const StoredRun& run_;
  StoredFacts facts_;
  StoredValues values_;
  std::vector<Breach> breaches_;
};

}  // namespace

std::vector<Breach> check_parts(const Plan& plan, const StoredRun& run) {
  const bool has_parts =
      std::any_of(plan.steps.begin(), plan.steps.end(), [](const PlannedStep& step) {
        return step.kind == StepKind::map || step.undo || step.at_most_once;
      });
  return has_parts ? PartsCheck(plan, run).check() : std::vector<Breach>();
}

}  // namespace pawl::lab
