#include <pawl/fork.hpp>
#include <pawl/ids.hpp>
#include <pawl/limits.hpp>
#include <pawl/run_diff.hpp>

#include "runtime/attempt.hpp"
#include "runtime/child_run.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/nearest_name.hpp"
#include "runtime/part_name.hpp"
#include "runtime/replayed.hpp"
#include "runtime/start_facts.hpp"
#include "runtime/validate.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace pawl {

namespace {

/// What becomes of a step in the fork.
enum class Fate { shared, set, excluded, again };

Record shared_record(const std::string& step, RecordKind kind, AttemptEnd end, std::string body) {
  Record record;
  record.kind = kind;
  record.end = end;
  record.step = step;
  record.body = std::move(body);
  if (kind == RecordKind::output) record.output_digest = digest_of(record.body);
  return record;
}

/// Whether a person must decide about an attempt of it, or of a step of its child, that gave no
/// answer.
bool may_not_repeat(const PlannedStep& step) {
  if (step.at_most_once && step.in_doubt != InDoubt::retry) return true;
  const std::shared_ptr<const Plan>& child = work_of(step).child;
  return child &&
         std::any_of(child->steps.begin(), child->steps.end(),
                     [](const PlannedStep& below) { return may_not_repeat(work_of(below)); });
}

class Forking {
 public:
  Forking(const RunFixture& run, const std::string& step, const ForkOptions& options,
          FlowMachine before, FlowMachine after)
      : run_(run),
        options_(options),
        from_(step),
        before_(std::move(before)),
        after_(std::move(after)),
        fork_{options.flow ? *options.flow : run.flow,
              after_.input(),
              run.folder,
              {},
              {},
              {},
              {},
              {},
              {}} {
    for (std::size_t i = 0; i < run_.records.size(); ++i) {
      const AttemptEnd end = run_.records[i].end;
      // What was told of an attempt after its end.
      if (run_.records[i].kind == RecordKind::receipt &&
          (end == AttemptEnd::late || end == AttemptEnd::diverged || end == AttemptEnd::succeeded))
        continue;
      places_[{run_.records[i].kind, run_.records[i].step}] = i;
    }
  }

  Result<RunFork> fork() {
    if (Result<void> named = check_names(); !named) return named.error();
    if (Result<void> begun = begin(); !begun) return begun.error();
    find_undone();
    for (std::size_t i = 0; i < after_.plan().steps.size(); ++i)
      if (Result<void> decided = decide(i); !decided) return decided.error();
    if (Result<void> fits = check_new_flow(); !fits) return fits.error();
    interrupt();
    return std::move(fork_);
  }

 private:
  Error refused(const std::string& why) const {
    return make_error(Errc::invalid_argument, "run " + run_.run + " cannot be forked so: " + why);
  }

  Result<void> check_name(const std::string& step) const {
    const Plan& plan = after_.plan();
    if (plan.index.count(step) > 0) return {};
    const PartName part = part_name_from(step);
    if (part.step != step && plan.index.count(part.step) > 0)
      return refused(step + " is a part of step " + part.step + "; name the step");
    std::vector<std::string_view> known;
    for (const auto& [name, place] : plan.index) known.push_back(name);
    return make_error(Errc::invalid_argument, "the flow " + plan.flow + " has no step \"" +
                                                  printable_text(step, 80) + "\"" +
                                                  did_you_mean(step, known));
  }

  Result<void> check_names() const {
    if (Result<void> known = check_name(from_); !known) return known.error();
    for (const auto& [step, output] : options_.set)
      if (Result<void> known = check_name(step); !known) return known.error();
    return {};
  }

  /// The `started` record, with the digests of the outputs that are set.
  Result<void> begin() {
    ForkedFrom from{run_.run, from_};
    for (const auto& [step, output] : options_.set) {
      Result<std::string> body = canonical_json(output, Limits::output_bytes_max);
      if (!body)
        return make_error(body.error().code,
                          "the output of step " + step + ": " + body.error().message);
      from.set.emplace(step, digest_of(*body));
      set_.emplace(step, std::move(*body));
    }
    fork_.body = start_body({options_.labels, {}, std::move(from), before_.start_facts().priority});
    Record started;
    started.body = fork_.body;
    return apply(std::move(started));
  }

  /// What was undone, or is to be once nothing runs any more, is not there to be shared.
  void find_undone() {
    const auto note = [this](std::size_t i) {
      undone_.insert(part_name_from(before_.name(i)).step);
    };
    for (std::size_t i = 0; i < before_.places(); ++i)
      if (before_.role(i) == Role::undo) note(i);
    const RunState state = before_.state();
    if (state == RunState::failing || state == RunState::cancelling)
      for (const std::size_t i : before_.places_to_undo()) note(i);
  }

  Result<void> apply(Record record) {
    record.seq = ++seq_;
    const Result<Commands> applied = after_.apply(Recorded{std::move(record)});
    if (applied) return {};
    return refused(applied.error().message);
  }

  Result<void> share(Record record) {
    if (Result<void> applied = apply(record); !applied) return applied.error();
    fork_.shared.push_back(std::move(record));
    return {};
  }

  /// The first that the step waits for and that runs again, if there is one.
  const PlannedStep* blocking(const PlannedStep& step) const {
    for (const std::size_t need : step.needs)
      if (fates_[need] == Fate::again) return &after_.plan().steps[need];
    return nullptr;
  }

  /// Given: the step after those that it waits for.
  Result<void> decide(std::size_t i) {
    const PlannedStep& step = after_.plan().steps[i];
    const std::string& name = step.name.str();
    if (after_.step_state(i) == StepState::excluded) {
      fates_.push_back(Fate::excluded);
      if (set_.count(name) == 0 && name != from_) return {};
      return refused("step " + name +
                     " is excluded by a branch; it neither runs nor has an output");
    }
    if (const auto set = set_.find(name); set != set_.end()) {
      if (const PlannedStep* again = blocking(step))
        return refused("step " + name + " cannot be given an output, for it depends on step " +
                       again->name.str() + ", which runs again");
      fates_.push_back(Fate::set);
      return share_set(i, name, set->second);
    }
    const bool on_set = std::any_of(step.needs.begin(), step.needs.end(),
                                    [&](std::size_t need) { return fates_[need] == Fate::set; });
    const auto old = run_.flow.plan()->index.find(name);
    const bool has_output = old != run_.flow.plan()->index.end() &&
                            before_.step_output(old->second) && undone_.count(name) == 0;
    if (name == from_ || blocking(step) != nullptr || on_set || !has_output) {
      fates_.push_back(Fate::again);
      return run_again(name, blocking(step) == nullptr);
    }
    fates_.push_back(Fate::shared);
    fork_.steps_shared.push_back(name);
    return share_step(i, name);
  }

  Result<void> share_set(std::size_t i, const std::string& name, const std::string& output) {
    const StepKind kind = after_.plan().steps[i].kind;
    if (kind == StepKind::branch && output != "true" && output != "false")
      return refused("the output of step " + name + " is a decision: true or false");
    if (kind == StepKind::map)
      if (Result<void> shared = share_elements(i, name, true); !shared) return shared.error();
    return share(shared_record(name, RecordKind::output, AttemptEnd::succeeded, output));
  }

  Result<void> share_step(std::size_t i, const std::string& name) {
    const StepKind kind = after_.plan().steps[i].kind;
    if (kind == StepKind::map)
      if (Result<void> shared = share_elements(i, name, false); !shared) return shared.error();
    const Record& stored = stored_output(name);
    if (kind == StepKind::await && stored.input_digest != Digest{})
      for (const Record& signal : run_.records)
        if (signal.kind == RecordKind::signal && digest_of(signal.step) == stored.input_digest)
          if (Result<void> shared = share(
                  shared_record(signal.step, RecordKind::signal, AttemptEnd::none, signal.body));
              !shared)
            return shared.error();
    return share_output(stored, name);
  }

  /// Where the run's log has a record like that, the last such; its end if it has none.
  std::size_t place_of(const Record& record) const {
    const auto found = places_.find({record.kind, record.step});
    return found == places_.end() ? run_.records.size() : found->second;
  }

  const Record& stored_output(const std::string& part) const {
    const auto found = places_.find({RecordKind::output, part});
    PAWL_ASSERT(found != places_.end());  // the machine has it
    return run_.records[found->second];
  }

  Result<void> share_output(const Record& stored, const std::string& part) {
    Record record = shared_record(part, RecordKind::output, AttemptEnd::succeeded, stored.body);
    record.started_ms = stored.started_ms;
    record.duration_ms = stored.duration_ms;
    // Of an await it names the signal; of an attempt it is about parameters that another run had.
    if (stored.attempt == 0) record.input_digest = stored.input_digest;
    return share(std::move(record));
  }

  /// A map's elements, so that none is left to be done; its own output follows.
  Result<void> share_elements(std::size_t map, const std::string& name, bool is_set) {
    for (std::size_t index = 0;; ++index) {
      const std::string part = PartName{name, index, false}.str();
      if (!after_.find(part)) return {};
      const std::optional<std::size_t> old = before_.find(part);
      const bool has_output = old && before_.step_output(*old);
      const bool failed = old && !has_output && after_.plan().steps[map].collect &&
                          before_.step_state(*old) == StepState::failed &&
                          before_.step_error(*old).has_value();
      if (!has_output && !failed)
        return refused("step " + name + " is a map, and its element " + std::to_string(index) +
                       (is_set ? " has not ended: only when all have can its output be given"
                               : " has no output"));
      const Result<void> shared =
          has_output ? share_output(stored_output(part), part)
                     : share(shared_record(part, RecordKind::receipt, AttemptEnd::fatal,
                                           error_body(before_.step_error(*old)->code,
                                                      before_.step_error(*old)->message)));
      if (!shared) return shared.error();
    }
  }

  /// A step that runs again, or for the first time.
  ///
  /// Given: `settable`, whether it could be given an output instead.
  Result<void> run_again(const std::string& name, bool settable) {
    bool begun = false;
    for (std::size_t i = 0; i < before_.places(); ++i) {
      if (part_name_from(before_.name(i)).step != name || before_.role(i) == Role::undo) continue;
      const StepKind kind = before_.definition(i).kind;
      if (kind != StepKind::task && kind != StepKind::child) continue;
      begun = begun || before_.attempts(i) > 0 || before_.step_output(i);
      if (name == from_) continue;
      if (const char* why = unclear(i))
        return refused("step " + name + why + "; " + (settable ? "give its output, or " : "") +
                       "fork from it if it may run again");
    }
    if (begun) fork_.steps_again.push_back(name);
    if (undone_.count(name) > 0) fork_.steps_undone.push_back(name);
    return {};
  }

  /// Why nobody can say whether the effect of what may happen only once has happened, if nobody
  /// can.
  const char* unclear(std::size_t i) const {
    if (!may_not_repeat(before_.definition(i)) || before_.step_output(i)) return nullptr;
    const StepState state = before_.step_state(i);
    if (state == StepState::running && before_.attempts(i) > 0)
      return before_.definition(i).child
                 ? " has a child with a step that may run at most once, and "
                   "is under way"
                 : " may run at most once, and is under way";
    const bool in_doubt = before_.step_error(i) && before_.step_error(i)->code == Errc::in_doubt;
    // One that was unblocked waits: somebody has found out.
    return in_doubt && state != StepState::waiting
               ? " may run at most once, and nobody knows whether it did"
               : nullptr;
  }

  /// Whether what is shared would have come to be with the new flow.
  Result<void> check_new_flow() const {
    if (!options_.flow) return {};
    std::vector<Problem> problems = missing_input(*options_.flow->plan(), after_.input());
    if (!problems.empty())
      return Error{Errc::invalid_input, "the run's input lacks what the new flow needs", run_.run,
                   std::move(problems)};
    const std::set<std::string> shared(fork_.steps_shared.begin(), fork_.steps_shared.end());
    // What the fork begins with, with the old flow, in the order in which it came to be.
    RunFixture part{run_.flow, run_.run, run_.input, run_.folder, fork_.shared};
    std::stable_sort(
        part.records.begin(), part.records.end(),
        [this](const Record& a, const Record& b) { return place_of(a) < place_of(b); });
    Record started;
    started.body = fork_.body;
    part.records.insert(part.records.begin(), std::move(started));
    const Result<RunDiff> diff = diff_run(part, *options_.flow);
    if (!diff) return diff.error();
    for (const DiffFinding& finding : diff->findings)
      if (finding.breaks && shared.count(finding.step) > 0)
        return refused("step " + finding.step +
                       " would be shared, and does not fit the new flow: " + finding.message +
                       "; fork from it, or from a step before it");
    return {};
  }

  void interrupt() {
    for (const OpenAttemptRef& open :
         after_.attempts_open_before(std::numeric_limits<std::int64_t>::max()))
      fork_.interrupted.push_back(
          conclude_unanswered(after_.name(open.step), open.attempt, AttemptEnd::interrupted));
  }

  const RunFixture& run_;
  const ForkOptions& options_;
  const std::string& from_;
  FlowMachine before_;  // the run
  FlowMachine after_;   // the fork, as far as it is made
  RunFork fork_;
  std::map<std::string, std::string> set_;  // canonical, by step
  std::vector<Fate> fates_;                 // by step of the fork's plan, as far as decided
  std::map<std::pair<RecordKind, std::string>, std::size_t> places_;  // in the run's log
  std::set<std::string> undone_;
  std::int64_t seq_ = 0;
};

}  // namespace

Result<RunFork> fork_run(const RunFixture& run, const std::string& step, const std::string& id,
                         const ForkOptions& options) {
  const Result<RunId> fork_id = RunId::parse(id);
  if (!fork_id) return fork_id.error();
  if (id == run.run)
    return make_error(Errc::invalid_argument, "a fork needs an id of its own, not its run's", id);
  if (Result<void> labels = check_labels(options.labels); !labels)
    return make_error(labels.error().code, labels.error().message, id);
  const std::shared_ptr<const Plan>& plan = (options.flow ? *options.flow : run.flow).plan();
  if (Result<void> fits = check_child_ids(*plan, id); !fits) return fits.error();
  Result<FlowMachine> before = replayed(run);
  if (!before) return before.error();
  json input = options.flow ? plan->input_defaults : json::object();
  input.update(run.input);
  if (const Result<std::string> text = canonical_json(input, Limits::input_bytes_max); !text)
    return make_error(text.error().code, "the input: " + text.error().message, id);
  FlowMachine after(plan, *fork_id, std::move(input));
  return Forking(run, step, options, std::move(*before), std::move(after)).fork();
}

}  // namespace pawl
