#include "lab/progress_check.hpp"

#include "lab/run_plan.hpp"
#include "runtime/part_name.hpp"
#include "runtime/plan.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace pawl::lab {

namespace {

/// Times are told in whole milliseconds, some of them as sums.
constexpr std::int64_t rounding_ms = 2;

class ProgressCheck {
 public:
  ProgressCheck(const Scenario& scenario, const std::vector<StoredRun>& runs)
      : scenario_(scenario), runs_(runs) {}

  std::vector<Breach> check(const HistoryView& history) {
    history.each([&](const HistoryEvent& event) { take(event); });
    if (!made_.empty() || has_heartbeats())
      for (const StoredRun& run : runs_)
        for (const Record& record : run.records) check_silence(run.row.run, record);
    return std::move(breaches_);
  }

 private:
  struct Report {
    Digest digest;
    int attempt = 0;
    std::int64_t at_ms = 0;
  };

  /// All reports of a part, in their order, and up to which of them each attempt's are known to be
  /// durable.
  struct Part {
    std::vector<Report> reports;
    std::map<int, std::size_t> durable;  // by attempt; the first is 1
  };

  using Key = std::pair<std::string, std::string>;  // run, step

  void breach(const char* invariant, std::string message) {
    for (const Breach& known : breaches_)
      if (known.invariant == invariant) return;
    breaches_.push_back({invariant, std::move(message)});
  }

  static std::string name(const HistoryEvent& event) {
    return event.run + "/" + event.step + " (attempt " + std::to_string(event.attempt) + ")";
  }

  void take(const HistoryEvent& event) {
    if (event.what == Happened::progress_made)
      made_[{event.run, event.step}].reports.push_back({event.digest, event.attempt, event.number});
    if (event.what == Happened::progress_written) take_written(event);
    if (event.what == Happened::body_began) take_begin(event);
  }

  void take_written(const HistoryEvent& event) {
    Part& part = made_[{event.run, event.step}];
    std::size_t& durable = part.durable[event.attempt];
    // The same may be reported twice: the earliest that it can be is what is known.
    for (std::size_t i = durable == 0 ? 0 : durable - 1; i < part.reports.size(); ++i)
      if (part.reports[i].digest == event.digest && part.reports[i].attempt == event.attempt) {
        durable = i + 1;
        return;
      }
    breach("progress_is_handed_on",
           name(event) + " was told to have reported what it never did, or had taken back");
  }

  void take_begin(const HistoryEvent& event) {
    static const std::string none = digest_of("null").hex();
    const auto found = made_.find({event.run, event.step});
    if (found == made_.end()) {
      if (event.text != none)
        breach("progress_is_handed_on",
               name(event) + " was told of a report that no attempt has made");
      return;
    }
    const Part& part = found->second;
    std::size_t known = 0;
    for (const auto& [attempt, durable] : part.durable)
      if (attempt < event.attempt) known = std::max(known, durable);
    std::size_t given = 0;
    for (std::size_t i = 0; i < part.reports.size(); ++i)
      if (part.reports[i].attempt < event.attempt && part.reports[i].digest.hex() == event.text)
        given = i + 1;
    if (given == 0 && event.text != none)
      breach("progress_is_handed_on",
             name(event) + " was told of a report that no earlier attempt has made");
    else if (given < known)
      breach("progress_is_handed_on",
             name(event) + " was told " + (given == 0 ? "nothing" : "an older report") +
                 " although a newer one of an earlier attempt was durable");
  }

  bool has_heartbeats() const {
    const auto& steps = scenario_.flow.plan()->steps;
    return std::any_of(steps.begin(), steps.end(), [](const PlannedStep& step) {
      return work_of(step).heartbeat_ms > 0 || (step.undo && step.undo->heartbeat_ms > 0);
    });
  }

  /// An attempt that was given up for its silence had been silent.
  void check_silence(const std::string& run, const Record& record) {
    if (record.end != AttemptEnd::timed_out || record.started_ms == 0 ||
        error_from_body(record.body).message.rfind("no heartbeat", 0) != 0)
      return;
    const Plan* const plan = plan_of_run(scenario_, run);
    const PlannedStep* const definition =
        plan == nullptr ? nullptr : definition_of(*plan, part_name_from(record.step));
    if (definition == nullptr) return;
    const std::int64_t ended_ms = record.started_ms + record.duration_ms;
    std::int64_t last_ms = record.started_ms;
    if (const auto part = made_.find({run, record.step}); part != made_.end())
      for (const Report& report : part->second.reports)
        // One that came in the very moment of the end may have come too late.
        if (report.attempt == record.attempt && report.at_ms + rounding_ms < ended_ms)
          last_ms = std::max(last_ms, report.at_ms);
    if (ended_ms + rounding_ms < last_ms + definition->heartbeat_ms)
      breach("a_heartbeat_keeps_it_alive",
             run + "/" + record.step + " (attempt " + std::to_string(record.attempt) +
                 ") was given up for its silence " + std::to_string(ended_ms - last_ms) +
                 " ms after it had reported; it may be silent for " +
                 std::to_string(definition->heartbeat_ms) + " ms");
  }

  const Scenario& scenario_;
  const std::vector<StoredRun>& runs_;
  std::map<Key, Part> made_;
  std::vector<Breach> breaches_;
};

}  // namespace

std::vector<Breach> check_progress(const Scenario& scenario, const HistoryView& history,
                                   const std::vector<StoredRun>& runs) {
  return ProgressCheck(scenario, runs).check(history);
}

}  // namespace pawl::lab
