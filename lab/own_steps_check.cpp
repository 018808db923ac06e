#include "lab/own_steps_check.hpp"

#include <pawl/limits.hpp>
#include <pawl/signal.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace pawl::lab {

namespace {

/// Whoever is stalled wakes when some other timer has gone off, which may take as long as a timer
/// can.
constexpr std::int64_t late_ms = 2 * Limits::delay_ms_max;

/// A stored run, its JSON read.
class Facts {
 public:
  Facts(const Plan& plan, const StoredRun& run)
      : plan_(plan), run_(run), values_(plan.steps.size()), records_(plan.steps.size(), nullptr) {
    input_ = json::parse(run.input, nullptr, false);
    for (const Record& record : run.records) {
      if (record.kind == RecordKind::started) started_ms_ = record.at_ms;
      if (record.kind == RecordKind::signal) signals_.emplace(digest_of(record.step), &record);
      const auto step = plan.index.find(record.step);
      if (record.kind != RecordKind::output || step == plan.index.end()) continue;
      records_[step->second] = &record;
      values_[step->second] = json::parse(record.body, nullptr, false);
    }
  }

  bool has(std::size_t step) const { return records_[step] != nullptr; }

  const json& value(std::size_t step) const { return values_[step]; }

  const Record& record(std::size_t step) const { return *records_[step]; }

  /// No earlier than this could the step begin.
  std::int64_t ready_ms(std::size_t step) const {
    std::int64_t ready = started_ms_;
    for (const std::size_t need : plan_.steps[step].needs)
      if (has(need)) ready = std::max(ready, record(need).at_ms);
    return ready;
  }

  Result<json> evaluate(std::size_t step) const {
    std::vector<const json*> outputs(values_.size(), nullptr);
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (has(i)) outputs[i] = &values_[i];
    return plan_.steps[step].body.evaluate({input_, run_.row.run, outputs}, Limits::with_bytes_max);
  }

  const Record* signal(const Digest& id) const {
    const auto found = signals_.find(id);
    return found == signals_.end() ? nullptr : found->second;
  }

 private:
  const Plan& plan_;
  const StoredRun& run_;
  json input_;
  std::int64_t started_ms_ = 0;
  std::vector<json> values_;
  std::vector<const Record*> records_;
  std::map<Digest, const Record*> signals_;
};

std::vector<bool> excluded(const Plan& plan, const Facts& facts) {
  std::vector<bool> out(plan.steps.size());
  const auto is_out = [&](std::size_t step) { return out[step]; };
  // Steps stand behind what they need.
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlannedStep& step = plan.steps[i];
    for (const auto& [branch, side] : step.guards)
      out[i] = out[i] || (facts.has(branch) && facts.value(branch) != side);
    out[i] = out[i] || std::any_of(step.firm_needs.begin(), step.firm_needs.end(), is_out) ||
             (!step.needs.empty() && std::all_of(step.needs.begin(), step.needs.end(), is_out));
  }
  return out;
}

class OwnStepsCheck {
 public:
  OwnStepsCheck(const Plan& plan, const StoredRun& run)
      : plan_(plan), run_(run), facts_(plan, run) {}

  std::vector<Breach> check(const std::set<std::string>& acknowledged) {
    const std::vector<bool> out = excluded(plan_, facts_);
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      if (!facts_.has(i)) continue;
      if (out[i]) breach("excluded_never_runs", i, "has an output although it is excluded");
      check_step(i);
    }
    for (const std::string& id : acknowledged)
      if (facts_.signal(digest_of(id)) == nullptr)
        breaches_.push_back({"signals_are_kept", "the signal " + id + " of " + run_.row.run +
                                                     " was acknowledged and is not stored"});
    return std::move(breaches_);
  }

 private:
  void breach(const char* invariant, std::size_t step, const std::string& what) {
    breaches_.push_back(
        {invariant, run_.row.run + "/" + plan_.steps[step].name.str() + " " + what});
  }

  void check_step(std::size_t i) {
    const PlannedStep& step = plan_.steps[i];
    switch (step.kind) {
      case StepKind::task:
      case StepKind::child:
        if (facts_.record(i).attempt == 0) check_default(i);
        return;
      case StepKind::map: return;  // see check_parts
      case StepKind::fail: return breach("own_steps_follow", i, "has an output, and only fails");
      case StepKind::branch:
      case StepKind::value: return check_follows(i);
      case StepKind::sleep: return check_sleep(i);
      case StepKind::await: return check_await(i);
    }
  }

  void check_default(std::size_t i) {
    const PlannedStep& step = plan_.steps[i];
    int failures = 0;
    bool gave_up = false;
    for (const Record& r : run_.records) {
      if (r.step != step.name.str() || r.kind != RecordKind::receipt) continue;
      failures += r.end == AttemptEnd::failed || r.end == AttemptEnd::timed_out ? 1 : 0;
      gave_up = gave_up || r.end == AttemptEnd::fatal || step.in_doubt == InDoubt::fail;
    }
    if (!step.has_default) return;  // somebody who has found out gave it
    if (!gave_up && failures < step.retry.max_attempts)
      breach("own_steps_follow", i, "took its default while it had attempts left");
    check_follows(i);
  }

  void check_follows(std::size_t i) {
    const Result<json> expected = facts_.evaluate(i);
    if (!expected || *expected != facts_.value(i))
      breach("own_steps_follow", i, "does not follow from the stored outputs before it");
  }

  void check_sleep(std::size_t i) {
    const Result<json> time = facts_.evaluate(i);
    if (!time || !time->is_number_integer())
      return breach("own_steps_follow", i, "slept for a time that is none");
    const auto given_ms = time->get<std::int64_t>();
    const std::int64_t due_ms = plan_.steps[i].until ? given_ms : facts_.ready_ms(i) + given_ms;
    if (facts_.record(i).at_ms < due_ms) breach("sleeps_last", i, "woke before its time");
    if (facts_.record(i).at_ms > due_ms + late_ms) breach("sleeps_last", i, "overslept");
  }

  void check_await(std::size_t i) {
    const PlannedStep& step = plan_.steps[i];
    const Record& output = facts_.record(i);
    if (output.input_digest == Digest{}) {
      const Result<json> expected = facts_.evaluate(i);
      if (!step.has_default || !expected || *expected != facts_.value(i))
        breach("own_steps_follow", i, "has neither a signal's payload nor its default");
      if (output.at_ms < facts_.ready_ms(i) + step.timeout_ms)
        breach("sleeps_last", i, "took its default before its time");
      return;
    }
    if (!taken_.insert(output.input_digest).second)
      breach("signals_count_once", i, "took a signal that another step took too");
    const Record* signal = facts_.signal(output.input_digest);
    if (signal == nullptr || signal_name(*signal) != step.signal ||
        json::parse(signal->body, nullptr, false)["payload"] != facts_.value(i))
      breach("own_steps_follow", i, "has an output that is no stored signal's payload");
  }

  const Plan& plan_;
  const StoredRun& run_;
  Facts facts_;
  std::vector<Breach> breaches_;
  std::set<Digest> taken_;
};

}  // namespace

std::set<std::string> excluded_steps(const Plan& plan, const StoredRun& run) {
  const std::vector<bool> out = excluded(plan, Facts(plan, run));
  std::set<std::string> names;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i]) names.insert(plan.steps[i].name.str());
  return names;
}

std::vector<Breach> check_own_steps(const Plan& plan, const StoredRun& run,
                                    const std::set<std::string>& acknowledged) {
  return OwnStepsCheck(plan, run).check(acknowledged);
}

}  // namespace pawl::lab
