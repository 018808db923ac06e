// What a file shows by itself, and what becomes of it.
#include "lab/checker.hpp"
#include "lab/children_check.hpp"
#include "lab/parts_check.hpp"
#include "lab/run_plan.hpp"
#include "lab/stored_facts.hpp"

#include <algorithm>
#include <utility>

namespace pawl::lab {

std::vector<Breach> check_stored_alone(const Scenario& scenario,
                                       const std::vector<StoredRun>& runs) {
  std::vector<Breach> breaches;
  std::vector<std::int64_t> seqs;
  for (const StoredRun& run : runs) {
    for (const Record& record : run.records) seqs.push_back(record.seq);
    if (const Plan* const plan = plan_of_run(scenario, run.row.run))
      for (Breach& of_part : check_parts(*plan, run)) breaches.push_back(std::move(of_part));
  }
  for (Breach& of_child : check_children(scenario, runs)) breaches.push_back(std::move(of_child));
  // The log has no holes: what was committed later is not there without what was committed before.
  std::sort(seqs.begin(), seqs.end());
  for (std::size_t i = 0; i < seqs.size(); ++i)
    if (seqs[i] != static_cast<std::int64_t>(i) + 1) {
      breaches.push_back({"no_holes", "the log has no record " + std::to_string(i + 1)});
      break;
    }
  return breaches;
}

Ending make_ending(const HistoryView& history, const std::vector<StoredRun>& runs) {
  Ending ending;
  ending.runs = runs;
  ending.history = history.copy();
  for (const StoredRun& run : runs)
    if (const StoredFacts facts = facts_of(run); facts.end)
      ending.outcomes.emplace(run.row.run, *facts.end);
  return ending;
}

}  // namespace pawl::lab
