#include "lab/checker.hpp"

#include <pawl/limits.hpp>

#include "lab/answers_check.hpp"
#include "lab/own_steps_check.hpp"
#include "lab/pause_check.hpp"
#include "lab/progress_check.hpp"
#include "lab/run_plan.hpp"
#include "lab/stored_facts.hpp"
#include "lab/turns_check.hpp"
#include "runtime/plan.hpp"
#include "store/record_slot.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

namespace pawl::lab {

namespace {

using StepKey = std::pair<std::string, std::string>;           // run, step
using AttemptKey = std::tuple<std::string, std::string, int>;  // and attempt

class Check {
 public:
  Check(const Scenario& scenario, const HistoryView& history, const std::vector<StoredRun>& runs)
      : scenario_(scenario), history_(history), runs_(runs) {
    for (const StoredRun& run : runs) {
      StoredFacts facts = facts_of(run);
      const Plan& plan = plan_of(run.row.run);
      if (has_own_steps(plan)) facts.excluded = excluded_steps(plan, run);
      stored_.emplace(run.row.run, std::move(facts));
    }
  }

  std::vector<Breach> run(bool stored_alone) {
    history_.each([&](const HistoryEvent& event) { take(event); });
    check_ends();
    check_stored();
    add(check_turns(scenario_, history_, runs_));
    if (stored_alone) add(check_stored_alone(scenario_, runs_));
    add(check_answers(history_, runs_));
    add(check_progress(scenario_, history_, runs_));
    for (const StoredRun& run : runs_)
      if (const Plan& plan = plan_of(run.row.run); has_own_steps(plan))
        add(check_own_steps(plan, run, signalled_[run.row.run]));
    return std::move(breaches_);
  }

 private:
  void breach(const char* invariant, std::string message) {
    for (const Breach& known : breaches_)
      if (known.invariant == invariant) return;
    breaches_.push_back({invariant, std::move(message)});
  }

  void add(std::vector<Breach> found) {
    for (Breach& one : found) breach(one.invariant.c_str(), std::move(one.message));
  }

  /// What is no run of the case is told of elsewhere.
  const Plan& plan_of(const std::string& run) const {
    const Plan* const plan = plan_of_run(scenario_, run);
    return plan == nullptr ? *scenario_.flow.plan() : *plan;
  }

  static bool has_own_steps(const Plan& plan) {
    return std::any_of(plan.steps.begin(), plan.steps.end(), [](const PlannedStep& step) {
      return step.kind != StepKind::task || step.has_default;
    });
  }

  static std::string name(const HistoryEvent& event) {
    return event.run + "/" + event.step +
           (event.attempt > 0 ? " (attempt " + std::to_string(event.attempt) + ")" : "");
  }

  bool is_cancelled(const std::string& run) const {
    const StoredFacts* facts = stored(run);
    return facts != nullptr && std::any_of(facts->run->records.begin(), facts->run->records.end(),
                                           [](const Record& record) {
                                             return record.kind == RecordKind::cancel_requested;
                                           });
  }

  const StoredFacts* stored(const std::string& run) const {
    const auto found = stored_.find(run);
    return found == stored_.end() ? nullptr : &found->second;
  }

  void take(const HistoryEvent& event) {
    if (std::optional<std::string> began = pauses_.take(event))
      breach("nothing_begins_while_paused", std::move(*began));
    switch (event.what) {
      case Happened::start_told:
        if (stored(event.run) == nullptr)
          breach("acknowledged_is_kept",
                 "the start of " + event.run + " was acknowledged and is not stored");
        break;
      case Happened::crashed:
      case Happened::runner_killed: ++crashes_; break;
      case Happened::body_began: take_body(event); break;
      case Happened::body_ended:
        if (event.text == "done") made_.insert({event.run, event.step, event.digest});
        if (event.text == "done" || event.text == "fail")
          part_ended_.insert({event.run, event.step});
        unclear_.erase({event.run, event.step});
        if (event.text != "retry") unclear_.insert({event.run, event.step});
        break;
      case Happened::completed: take_completion(event); break;
      case Happened::end_told: take_end(event); break;
      case Happened::read: take_read(event); break;
      case Happened::cancel_told: take_cancel(event); break;
      case Happened::signal_told: signalled_[event.run].insert(event.key); break;
      default: break;
    }
  }

  void take_body(const HistoryEvent& event) {
    // An attempt that timed out, or was lost, before its code ran is nobody's any more; its code
    // may run all the same.
    const StoredFacts* facts = stored(event.run);
    const bool given_up =
        facts != nullptr && facts->given_up.count({event.step, event.attempt}) > 0;
    if (!given_up && completed_.count({event.run, event.step}) > 0)
      breach("nothing_runs_after_its_completion",
             name(event) + " ran although its completion had been told");
    if (!given_up && ends_.count(event.run) > 0)
      breach("nothing_runs_after_its_completion",
             name(event) + " ran although the end of its run had been told");
    if (facts != nullptr && facts->excluded.count(event.step) > 0)
      breach("excluded_never_runs", name(event) + " ran although a branch excludes it");
    ++bodies_[{event.run, event.step}];
    if (!attempts_.insert({event.run, event.step, event.attempt}).second)
      breach("attempt_runs_once", name(event) + " ran twice under one number");
    const auto [key, is_new] = keys_.emplace(StepKey{event.run, event.step}, event.key);
    if (!is_new && key->second != event.key)
      breach("one_key",
             name(event) + " has the key " + event.key + ", an earlier attempt had " + key->second);
    const auto [owner, is_first] = owners_.emplace(event.key, StepKey{event.run, event.step});
    if (!is_first && owner->second != StepKey{event.run, event.step})
      breach("one_key",
             name(event) + " has the key of " + owner->second.first + "/" + owner->second.second);
    check_part(event);
    check_input(event);
  }

  /// What holds of elements of maps, and of parts that may run at most once.
  void check_part(const HistoryEvent& event) {
    const Plan& plan = plan_of(event.run);
    const PartName name = part_name_from(event.step);
    const PlannedStep* const definition = definition_of(plan, name);
    if (definition == nullptr) return;
    // Only an attempt that answered "retry" vouches that nothing has happened.
    if (!unclear_.insert({event.run, event.step}).second && definition->at_most_once &&
        definition->in_doubt != InDoubt::retry)
      breach("runs_at_most_once",
             this->name(event) + " ran although an earlier attempt may have had its effect");
    if (!name.element || name.undo) return;
    const std::size_t max = plan.steps[plan.index.at(name.step)].max_parallel;
    std::size_t ended = 0;
    for (std::size_t i = 0; max > 0 && i < *name.element; ++i)
      ended += has_ended(event.run, PartName{name.step, i, false}.str()) ? 1 : 0;
    // Without an answer of its code an element ends for good only by a timeout.
    if (max > 0 && *name.element >= ended + max && definition->timeout_ms == 0 &&
        definition->heartbeat_ms == 0)
      breach("max_parallel_is_kept", this->name(event) + " ran although only " +
                                         std::to_string(ended) +
                                         " of the elements before it had ended");
  }

  /// Whether an element's code has answered for good, or its attempts were used up.
  bool has_ended(const std::string& run, const std::string& part) const {
    if (part_ended_.count({run, part}) > 0) return true;
    const StoredFacts* facts = stored(run);
    return facts != nullptr && facts->outputs.count(part) == 0 && facts->receipts.count(part) > 0;
  }

  /// The parameters must be those that the stored outputs give.
  void check_input(const HistoryEvent& event) {
    const StoredFacts* facts = stored(event.run);
    const PartName name = part_name_from(event.step);
    if (facts == nullptr || definition_of(plan_of(event.run), name) == nullptr) return;
    const auto [known, is_new] = inputs_.emplace(StepKey{event.run, event.step}, Digest{});
    if (is_new) known->second = input_of(*facts, name);
    if (known->second != event.digest)
      breach("inputs_are_durable",
             this->name(event) + " was given other parameters than the stored outputs give");
  }

  Digest input_of(const StoredFacts& facts, const PartName& part) {
    const Result<json> with =
        stored_parameters(plan_of(facts.run->row.run), part, facts, values_of(facts));
    return with ? digest_of(with->dump()) : Digest{};
  }

  const StoredValues& values_of(const StoredFacts& facts) {
    const auto [known, is_new] = values_.try_emplace(facts.run->row.run);
    if (is_new) known->second = stored_values(plan_of(facts.run->row.run), facts);
    return known->second;
  }

  void take_completion(const HistoryEvent& event) {
    const auto [known, is_new] = completed_.emplace(StepKey{event.run, event.step}, event.digest);
    if (!is_new && known->second != event.digest)
      breach("written_once", name(event) + " was told to be completed with two different outputs");
    const StoredFacts* facts = stored(event.run);
    const Record* output = nullptr;
    if (facts != nullptr)
      if (const auto found = facts->outputs.find(event.step); found != facts->outputs.end())
        output = found->second;
    if (output == nullptr)
      breach("completed_is_durable",
             name(event) + " was told to be completed, and no output of it is stored");
    else if (output->output_digest != event.digest || digest_of(output->body) != event.digest)
      breach("completed_is_durable",
             name(event) + " was told to be completed with another output than the stored one");
  }

  void take_end(const HistoryEvent& event) {
    ends_.insert(event.run);
    const StoredFacts* facts = stored(event.run);
    if (facts == nullptr || !facts->end)
      return breach("end_is_durable", "the end of " + event.run + " was told, and none is stored");
    if (to_string(facts->end->state) != event.text)
      breach("end_is_durable", event.run + " was told to be " + event.text + " and is stored as " +
                                   std::string(to_string(facts->end->state)));
    else if (event.digest != Digest{} && digest_of(facts->end->output.dump()) != event.digest)
      breach("end_is_durable", "another output of " + event.run + " was told than is stored");
  }

  /// What another process has read is there for ever.
  void take_read(const HistoryEvent& event) {
    const StoredFacts* facts = stored(event.run);
    const bool there =
        facts != nullptr &&
        std::any_of(facts->run->records.begin(), facts->run->records.end(), [&](const Record& r) {
          const bool kind =
              event.step.empty() ? r.kind == RecordKind::ended : r.kind == RecordKind::output;
          return kind && r.step == event.step && digest_of(r.body) == event.digest;
        });
    if (!there)
      breach("reads_are_durable",
             "a reader saw " +
                 (event.step.empty() ? "the end of " + event.run
                                     : "an output of " + event.run + "/" + event.step) +
                 " that is not stored");
  }

  void take_cancel(const HistoryEvent& event) {
    const StoredFacts* facts = stored(event.run);
    if (event.text == "running" || facts == nullptr)
      return;  // an honest "not yet" promises nothing
    // One that is failing, and undoes what it did, ends as failed whoever cancels it.
    const bool undoes = event.text == "failing" || event.text == "paused";
    const std::string state = event.text == "cancelling" ? "cancelled"
                              : undoes                   ? "failed"
                                                         : event.text;
    if (!facts->end && is_excused(event.run, undo_needs_a_person)) return;
    if (!facts->end || to_string(facts->end->state) != state)
      breach("cancel_is_kept",
             "a cancel of " + event.run + " was answered with " + event.text + ", and it is " +
                 (facts->end ? std::string(to_string(facts->end->state)) : "unfinished"));
  }

  void check_ends() {
    for (const RunToStart& run : scenario_.runs) {
      const StoredFacts* facts = stored(run.id);
      if (facts == nullptr)
        breach("everything_finishes", run.id + " was started again and again and is not stored");
      else if (!facts->end && !is_excused(run.id, needs_a_person))
        breach("everything_finishes", run.id + " has come to no end; it is noted as " +
                                          std::string(to_string(facts->run->row.state)));
    }
  }

  /// Whether a person is needed for the run, or for one of its children.
  bool is_excused(const std::string& run,
                  bool (*needs)(const Plan& plan, const StoredFacts& facts)) const {
    return std::any_of(stored_.begin(), stored_.end(), [&](const auto& known) {
      const auto& [id, facts] = known;
      return (id == run || is_below(id, run)) && !facts.end && needs(plan_of(id), facts);
    });
  }

  void check_stored() {
    for (const auto& [id, facts] : stored_) {
      const Plan* const plan = plan_of_run(scenario_, id);
      if (plan == nullptr)
        breach("nothing_from_nowhere", "the run " + id + " is stored, and nobody started it");
      for (const auto& [step, count] : facts.outputs_seen)
        if (count > 1)
          breach("written_once",
                 id + "/" + step + " has " + std::to_string(count) + " stored outputs");
      for (const auto& [step, output] : facts.outputs)
        if (made_.count({id, step, output->output_digest}) == 0 && output->attempt > 0 &&
            !is_child(plan_of(id), step))
          breach("nothing_from_nowhere",
                 "the stored output of " + id + "/" + step + " was made by no attempt");
      check_end(id, facts);
      check_counts(id, facts);
    }
  }

  /// Its output is that of its run: see check_children.
  static bool is_child(const Plan& plan, const std::string& step) {
    const PlannedStep* const definition = definition_of(plan, part_name_from(step));
    return definition != nullptr && definition->kind == StepKind::child;
  }

  void check_end(const std::string& id, const StoredFacts& facts) {
    const RunState noted = facts.run->row.state;
    if (facts.end ? noted != facts.end->state : is_ended(noted))
      breach("views_agree",
             id + " is noted as " + std::string(to_string(noted)) + ", its records say " +
                 (facts.end ? std::string(to_string(facts.end->state)) : "that it has not ended"));
    if (!facts.end) return;
    const Plan& plan = plan_of(id);
    std::size_t outputs = 0;
    for (const PlannedStep& planned : plan.steps)
      outputs += facts.outputs.count(planned.name.str());
    if (facts.end->succeeded() && outputs + facts.excluded.size() != plan.steps.size())
      breach("end_is_durable", id + " succeeded with " + std::to_string(outputs) + " outputs of " +
                                   std::to_string(plan.steps.size()) + " steps");
    if (!facts.end->error) return;
    const std::string& step = facts.end->error->step;
    const PlannedStep* const definition = definition_of(plan, part_name_from(step));
    const Errc code = facts.end->error->code;
    if (definition != nullptr && (code == Errc::attempts_exhausted || code == Errc::step_failed) &&
        definition->has_default)
      breach("own_steps_follow", id + "/" + step + " failed its run although it has a default");
    if (definition != nullptr && definition->asks && facts.end->state == RunState::failed)
      breach("a_person_is_asked", id + "/" + step + " failed its run and asked nobody");
    if (code != Errc::attempts_exhausted) return;
    const auto failures = facts.failures.find(step);
    const int counted = failures == facts.failures.end() ? 0 : failures->second;
    if (definition != nullptr && counted != definition->retry.max_attempts)
      breach("attempts_are_counted", id + "/" + step + " was given up after " +
                                         std::to_string(counted) + " counted failures of " +
                                         std::to_string(definition->retry.max_attempts));
  }

  void check_counts(const std::string& id, const StoredFacts& facts) {
    for (const auto& [key, count] : bodies_) {
      if (key.first != id) continue;
      const auto receipts = facts.receipts.find(key.second);
      const int ended = receipts == facts.receipts.end() ? 0 : receipts->second;
      if (count > 1 + ended)
        breach("bodies_are_counted", id + "/" + key.second + " ran " + std::to_string(count) +
                                         " times, with " + std::to_string(ended) +
                                         " receipts of attempts that gave no output");
    }
    for (const auto& [step, count] : facts.lost)
      if (count > crashes_)
        breach("bodies_are_counted", id + "/" + step + " has " + std::to_string(count) +
                                         " lost attempts after " + std::to_string(crashes_) +
                                         " crashes");
    for (const auto& [step, count] : facts.failures) {
      const PlannedStep* const definition = definition_of(plan_of(id), part_name_from(step));
      if (definition != nullptr && count > definition->retry.max_attempts)
        breach("attempts_are_counted", id + "/" + step + " failed " + std::to_string(count) +
                                           " times, and may " +
                                           std::to_string(definition->retry.max_attempts));
    }
  }

  const Scenario& scenario_;
  const HistoryView& history_;
  const std::vector<StoredRun>& runs_;
  std::map<std::string, StoredFacts> stored_;
  std::vector<Breach> breaches_;
  PauseCheck pauses_{[this](const std::string& run) { return is_cancelled(run); }};
  int crashes_ = 0;
  std::map<StepKey, Digest> completed_;
  std::map<StepKey, int> bodies_;
  std::map<StepKey, std::string> keys_;
  std::map<std::string, StepKey> owners_;
  std::map<StepKey, Digest> inputs_;
  std::map<std::string, StoredValues> values_;  // by run
  std::set<AttemptKey> attempts_;
  std::set<std::tuple<std::string, std::string, Digest>> made_;
  std::set<std::string> ends_;
  std::set<StepKey> part_ended_;  // whose code has answered for good
  std::set<StepKey> unclear_;     // whose code has begun, and did not answer "retry"
  std::map<std::string, std::set<std::string>> signalled_;  // acknowledged, by run
};

}  // namespace

std::vector<Breach> check_case(const Scenario& scenario, const HistoryView& history,
                               const std::vector<StoredRun>& runs, bool stored_alone) {
  return Check(scenario, history, runs).run(stored_alone);
}

}  // namespace pawl::lab
