#include "lab/stored_facts.hpp"

#include <pawl/limits.hpp>

#include "runtime/turn_key.hpp"
#include "store/record_slot.hpp"

#include <algorithm>
#include <utility>

namespace pawl::lab {

StoredFacts facts_of(const StoredRun& run) {
  StoredFacts facts;
  facts.run = &run;
  for (const Record& record : run.records) {
    if (record.kind == RecordKind::output) {
      facts.outputs[record.step] = &record;
      ++facts.outputs_seen[record.step];
    }
    if (record.kind == RecordKind::ended)
      if (Result<Outcome> outcome = outcome_from(json::parse(record.body, nullptr, false)))
        facts.end = std::move(*outcome);
    if (!ends_attempt(record)) continue;
    facts.given_up.emplace(record.step, record.attempt);
    ++facts.receipts[record.step];
    if (record.end == AttemptEnd::failed || record.end == AttemptEnd::timed_out)
      ++facts.failures[record.step];
    if (record.end == AttemptEnd::lost) ++facts.lost[record.step];
  }
  return facts;
}

StoredValues stored_values(const Plan& plan, const StoredFacts& facts) {
  StoredValues values;
  values.input = json::parse(facts.run->input, nullptr, false);
  for (const PlannedStep& step : plan.steps) {
    const auto output = facts.outputs.find(step.name.str());
    values.outputs.push_back(
        output == facts.outputs.end()
            ? nullptr
            : std::make_shared<const json>(json::parse(output->second->body, nullptr, false)));
    values.pointers.push_back(values.outputs.back().get());
  }
  return values;
}

Result<json> stored_items(const PlannedStep& map, const StoredFacts& facts,
                          const StoredValues& values) {
  return map.body.evaluate({values.input, facts.run->row.run, values.pointers},
                           Limits::with_bytes_max);
}

namespace {

/// What `use` makes of all that a part's templates may name.
template <class Use>
auto in_scope(const Plan& plan, const PartName& name, const StoredFacts& facts,
              const StoredValues& values, Use&& use) -> decltype(use(std::declval<Scope>())) {
  Scope scope{values.input, facts.run->row.run, values.pointers};
  json items;
  if (name.element) {
    Result<json> all = stored_items(plan.steps[plan.index.at(name.step)], facts, values);
    if (!all) return all.error();
    items = std::move(*all);
    if (*name.element >= items.size()) return make_error(Errc::internal, "no such element");
    scope.item = &items[*name.element];
    scope.index = *name.element;
  }
  json output;
  if (const auto done = facts.outputs.find(name.undone().str());
      name.undo && done != facts.outputs.end()) {
    output = json::parse(done->second->body, nullptr, false);
    scope.output = &output;
  }
  return use(scope);
}

}  // namespace

Result<json> stored_parameters(const Plan& plan, const PartName& name, const StoredFacts& facts,
                               const StoredValues& values) {
  const PlannedStep* const definition = definition_of(plan, name);
  if (definition == nullptr) return make_error(Errc::internal, "no part has this name");
  return in_scope(plan, name, facts, values, [&](const Scope& scope) {
    return definition->with.resolve(scope, Limits::with_bytes_max);
  });
}

std::optional<std::string> stored_turn_key(const Plan& plan, const PartName& name,
                                           const StoredFacts& facts, const StoredValues& values) {
  const PlannedStep* const definition = definition_of(plan, name);
  if (definition == nullptr || !definition->one_at_a_time) return std::nullopt;
  const auto key = in_scope(plan, name, facts, values, [&](const Scope& scope) {
    return resolve_turn_key(*definition->one_at_a_time, scope);
  });
  return key ? *key : std::nullopt;
}

bool needs_a_person(const Plan& plan, const StoredFacts& facts) {
  const auto lost_too_often = [](const auto& lost) {
    return lost.second >= Limits::lost_attempts_max;
  };
  const auto in_doubt = [&](const Record& record) {
    if (!ends_attempt(record) || facts.outputs.count(record.step) > 0) return false;
    const PlannedStep* const definition = definition_of(plan, part_name_from(record.step));
    const bool unclear = record.end == AttemptEnd::lost || record.end == AttemptEnd::timed_out ||
                         error_from_body(record.body).code == Errc::in_doubt;
    return unclear && definition != nullptr && definition->at_most_once &&
           definition->in_doubt == InDoubt::ask;
  };
  const auto asks = [&](const Record& record) {
    if (!ends_attempt(record) || facts.outputs.count(record.step) > 0) return false;
    const PlannedStep* const definition = definition_of(plan, part_name_from(record.step));
    if (definition == nullptr || !definition->asks) return false;
    const auto failures = facts.failures.find(record.step);
    return record.end == AttemptEnd::fatal ||
           (failures != facts.failures.end() && failures->second >= definition->retry.max_attempts);
  };
  const std::vector<Record>& records = facts.run->records;
  return std::any_of(records.begin(), records.end(), asks) ||
         std::any_of(facts.lost.begin(), facts.lost.end(), lost_too_often) ||
         std::any_of(records.begin(), records.end(), in_doubt) || undo_needs_a_person(plan, facts);
}

bool undo_needs_a_person(const Plan& plan, const StoredFacts& facts) {
  const auto count = [](const std::map<std::string, int>& counts, const std::string& part) {
    const auto found = counts.find(part);
    return found == counts.end() ? 0 : found->second;
  };
  const auto is_stuck = [&](const Record& record) {
    const PartName name = part_name_from(record.step);
    const PlannedStep* const definition = definition_of(plan, name);
    if (!name.undo || definition == nullptr || !ends_attempt(record) ||
        facts.outputs.count(record.step) > 0)
      return false;
    const bool refused =
        record.end == AttemptEnd::fatal && error_from_body(record.body).code == Errc::step_failed;
    return refused || count(facts.failures, record.step) >= definition->retry.max_attempts ||
           count(facts.lost, record.step) >= Limits::lost_attempts_max;
  };
  const std::vector<Record>& records = facts.run->records;
  return std::any_of(records.begin(), records.end(), is_stuck);
}

}  // namespace pawl::lab
