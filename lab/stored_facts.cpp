#include "lab/stored_facts.hpp"

#include "store/record_slot.hpp"

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

}  // namespace pawl::lab
