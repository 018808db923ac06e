#include "lab/answers_check.hpp"

#include <set>
#include <string>
#include <tuple>

namespace pawl::lab {

std::vector<Breach> check_answers(const HistoryView& history, const std::vector<StoredRun>& runs) {
  using Attempt = std::tuple<std::string, std::string, int>;  // run, step, number
  std::set<Attempt> interrupted;
  for (const StoredRun& run : runs)
    for (const Record& record : run.records)
      if (record.kind == RecordKind::receipt && record.end == AttemptEnd::interrupted)
        interrupted.emplace(run.row.run, record.step, record.attempt);
  std::vector<Breach> breaches;
  if (interrupted.empty()) return breaches;
  history.each([&](const HistoryEvent& event) {
    // "retry" may well come from code that was asked to stop.
    const bool is_final =
        event.what == Happened::body_ended && (event.text == "done" || event.text == "fail");
    if (!breaches.empty() || !is_final ||
        interrupted.count({event.run, event.step, event.attempt}) == 0)
      return;
    breaches.push_back(
        {"answers_are_recorded", event.run + "/" + event.step + " (attempt " +
                                     std::to_string(event.attempt) + ") answered \"" + event.text +
                                     "\", and is recorded as if it had been interrupted"});
  });
  return breaches;
}

}  // namespace pawl::lab
