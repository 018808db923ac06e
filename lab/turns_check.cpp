#include "lab/turns_check.hpp"

#include "lab/run_plan.hpp"
#include "lab/stored_facts.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace pawl::lab {

namespace {

using AttemptKey = std::tuple<std::string, std::string, int>;  // run, step, attempt

class TurnsCheck {
 public:
  TurnsCheck(const Scenario& scenario, const std::vector<StoredRun>& runs) : scenario_(scenario) {
    for (const StoredRun& run : runs)
      if (const Plan* const plan = plan_of_run(scenario, run.row.run)) {
        StoredFacts facts = facts_of(run);
        StoredValues values = stored_values(*plan, facts);
        runs_.emplace(run.row.run, Known{plan, std::move(facts), std::move(values)});
      }
  }

  std::vector<Breach> check(const HistoryView& history) {
    history.each([&](const HistoryEvent& event) {
      if (event.what == Happened::recovered) read_back_.insert(event.run);
    });
    history.each([&](const HistoryEvent& event) { take(event); });
    return std::move(breaches_);
  }

 private:
  struct Known {
    const Plan* plan;
    StoredFacts facts;
    StoredValues values;
  };

  struct UnderWay {
    std::string type;
    std::optional<std::string> key;
  };

  void breach(const char* invariant, std::string message) {
    for (const Breach& known : breaches_)
      if (known.invariant == invariant) return;
    breaches_.push_back({invariant, std::move(message)});
  }

  static std::string name(const AttemptKey& attempt) {
    const auto& [run, step, number] = attempt;
    return run + "/" + step + " (attempt " + std::to_string(number) + ")";
  }

  void take(const HistoryEvent& event) {
    switch (event.what) {
      case Happened::life_began:
        under_way_.clear();
        begun_.clear();
        waiting_.clear();
        dispatched_.clear();
        orphans_.clear();
        break;
      case Happened::runner_killed:
        // Whose attempt it had, its receipt says, and until when that was under way, nobody.
        under_way_.clear();
        orphans_.merge(dispatched_);
        dispatched_.clear();
        break;
      case Happened::cancel_asked:
      case Happened::pause_asked:
      case Happened::blocked: forget(event.run); break;
      case Happened::point: take_point(event); break;
      default: break;
    }
  }

  void take_point(const HistoryEvent& event) {
    const AttemptKey attempt{event.run, event.step, event.attempt};
    if (event.text == "step.before_body") take_body(attempt, event.number);
    if (event.text == "step.after_write") under_way_.erase(attempt);
    if (event.text == "start.after_write") take_start(event.run);
    if (event.text == "run.before_dispatch") {
      dispatched_.insert(attempt);
      take_turn(event.run, event.step);
    }
  }

  /// An attempt's code begins.
  void take_body(const AttemptKey& attempt, std::int64_t now_us) {
    const auto run = runs_.find(std::get<0>(attempt));
    if (run == runs_.end()) return;
    const Known& known = run->second;
    const PartName part = part_name_from(std::get<1>(attempt));
    const PlannedStep* const definition = definition_of(*known.plan, part);
    // The code of one whose step runner was killed may begin when nobody waits for it any more, and
    // its end be written without a word.
    if (definition == nullptr || orphans_.count(attempt) > 0) return;
    const UnderWay begins{definition->type,
                          stored_turn_key(*known.plan, part, known.facts, known.values)};
    std::size_t of_type = 0;
    for (const auto& [other, what] : under_way_) {
      of_type += what.type == begins.type ? 1 : 0;
      if (begins.key && what.key == begins.key)
        breach("one_at_a_time_is_kept", name(attempt) + " began while " + name(other) +
                                            ", which has the same key, was under way");
    }
    const auto at_once = scenario_.at_once_max.find(begins.type);
    if (at_once != scenario_.at_once_max.end() && of_type >= at_once->second)
      breach("at_once_max_is_kept", name(attempt) + " began while " + std::to_string(of_type) +
                                        " of its type were under way");
    check_rate(attempt, begins.type, now_us);
    under_way_.emplace(attempt, begins);
  }

  void check_rate(const AttemptKey& attempt, const std::string& type, std::int64_t now_us) {
    const auto rate = scenario_.rates.find(type);
    if (rate == scenario_.rates.end()) return;
    std::deque<std::int64_t>& begun = begun_[type];
    begun.push_back(now_us);
    if (begun.size() <= rate->second.count) return;
    const std::int64_t passed_us = now_us - begun.front();
    begun.pop_front();
    if (passed_us < rate->second.per_ms * 1000)
      breach("rates_are_kept", name(attempt) + " began " + std::to_string(passed_us) +
                                   " us after one that has " + std::to_string(begun.size() - 1) +
                                   " of its type between them");
  }

  // --- priorities

  int priority_of(const std::string& run) const {
    for (const RunToStart& started : scenario_.runs)
      if (started.id == run)
        return started.options.priority.value_or(scenario_.flow.plan()->priority.value_or(0));
    return 0;
  }

  static bool is_plain(const PlannedStep& step) {
    return step.kind == StepKind::task && !step.one_at_a_time && !step.at_most_once;
  }

  /// A run that is live from its start on has its first steps waiting at once.
  void take_start(const std::string& run) {
    const bool is_first = looked_at_.insert(run).second;
    if (!is_first || read_back_.count(run) > 0) return;
    if (const Plan* const plan = plan_of_run(scenario_, run))
      for (const PlannedStep& step : plan->steps)
        if (step.needs.empty() && is_plain(step)) waiting_[{run, step.name.str()}] = step.type;
  }

  void take_turn(const std::string& run, const std::string& step) {
    const Plan* const plan = plan_of_run(scenario_, run);
    waiting_.erase({run, step});
    if (plan == nullptr || plan->index.count(step) == 0) return;
    const PlannedStep& turn = plan->steps[plan->index.at(step)];
    if (is_plain(turn) && plan == scenario_.flow.plan().get())
      for (const auto& [other, type] : waiting_)
        if (type == turn.type && priority_of(other.first) > priority_of(run))
          breach("priority_is_kept", run + "/" + step + " got its turn before " + other.first +
                                         "/" + other.second + ", whose run has a higher priority");
  }

  /// Somebody cancels or pauses the run, perhaps before it has started: its steps may not wait.
  void forget(const std::string& run) {
    looked_at_.insert(run);
    for (auto at = waiting_.begin(); at != waiting_.end();)
      at = at->first.first == run ? waiting_.erase(at) : std::next(at);
  }

  const Scenario& scenario_;
  std::map<std::string, Known> runs_;
  std::set<AttemptKey> dispatched_;  // to the step runner of now
  std::set<AttemptKey> orphans_;     // to one that was killed
  std::vector<Breach> breaches_;
  std::map<AttemptKey, UnderWay> under_way_;
  std::map<std::string, std::deque<std::int64_t>> begun_;  // by type, the last ones
  std::set<std::string>
      looked_at_;  // whose first steps are among `waiting_`, or are not counted on
  std::set<std::string> read_back_;                                     // at any time
  std::map<std::pair<std::string, std::string>, std::string> waiting_;  // first steps, their types
};

bool has_turns(const Plan& plan) {
  return plan.priority ||
         std::any_of(plan.steps.begin(), plan.steps.end(), [](const PlannedStep& step) {
           const PlannedStep& work = work_of(step);
           return work.one_at_a_time || (work.undo && work.undo->one_at_a_time) ||
                  (work.child && has_turns(*work.child));
         });
}

}  // namespace

std::vector<Breach> check_turns(const Scenario& scenario, const HistoryView& history,
                                const std::vector<StoredRun>& runs) {
  const bool has_priorities =
      std::any_of(scenario.runs.begin(), scenario.runs.end(),
                  [](const RunToStart& run) { return run.options.priority.has_value(); });
  if (!has_priorities && scenario.at_once_max.empty() && scenario.rates.empty() &&
      !has_turns(*scenario.flow.plan()))
    return {};
  return TurnsCheck(scenario, runs).check(history);
}

}  // namespace pawl::lab
