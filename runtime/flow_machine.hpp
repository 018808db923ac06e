/// FlowMachine: one run's state, derived from its records alone; every rule about what may happen
/// next.
#pragma once

#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include "runtime/machine_events.hpp"
#include "runtime/place.hpp"
#include "runtime/plan.hpp"
#include "runtime/start_facts.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// An attempt that was open in an earlier epoch: its effect may have happened, nobody knows.
struct OpenAttemptRef {
  std::size_t step;
  int attempt;
};

/// The machine's places are numbered. The first are the plan's steps, in its order; the elements of
/// a map follow when it begins, undos when the run begins to undo.
///
/// Invariants:
/// 1. The state depends on the plan, the input and the records applied, in their order; nothing
///    else is read.
/// 2. A step's attempts are numbered without gaps; at most one is open at a time.
/// 3. A step starts only when every step that it needs has a durable output or is excluded.
/// 4. Each attempt is started at most once by one machine.
/// 5. After the `ended` record there is no command, and only receipts that end no attempt are
///    lawful: `late`, `diverged`, `succeeded`.
///
/// The phases of a step, and what moves it on:
///
///     pending      the last output that it needs    → open (a task; backoff, if at_most_once),
///                                                     computing (a branch or a value), mapping,
///                                                     sleeping, awaiting, opening (a child), or
///                                                     excluded
///     mapping      the last end of an element       → computing, or failed
///     computing    output, fatal                    → succeeded, failed
///                  (a task too, whose last attempt failed and that has a default)
///     sleeping     output, after TimerOver          → succeeded
///     awaiting     output, after signal, TimerOver  → succeeded, or without a default: failed
///     open         output                           → succeeded
///                  failed, timed_out                → backoff, or after the last allowed: failed
///                  interrupted                      → backoff
///                  fatal                            → failed; blocked, if `inputs_differ`
///                  lost                             → open, or after too many in a row: blocked
///                  lost, timed_out, if at_most_once → blocked, failed, or backoff: see InDoubt
///                  cancelled                        → stopped
///     backoff      TimerOver                      → opening
///                  StepTypeMissing                  → unstartable
///     opening      opened                           → open, or of a child: child
///     child        output                           → succeeded
///                  fatal, cancelled                 → failed
///     blocked      unblocked                        → backoff, due at once
///
///     backoff, opening, blocked, unstartable, computing, sleeping and awaiting, when the run is
///     cancelled                                                                  → stopped
///     child, by a receipt `cancelled`, when the run is cancelled                 → stopped
///     open, by a receipt that leads to another attempt, when the run is to stop  → stopped
///
/// A task that would fail, and whose flow says `on_failure` `ask`, is blocked instead.
///
/// An element is pending until fewer than `max_parallel` elements before it are under way. A run
/// that fails or is cancelled when something is to be undone writes `undoing` once nothing runs any
/// more. Its undos follow one after the other, the latest output first; one that fails for good is
/// blocked, and starts from its first attempt when it is unblocked.
///
/// A step is excluded when a branch that guards it decided against it or is excluded itself, when a
/// step whose output it cannot do without is excluded, or when all that it waits for is. A chain of
/// values is computed at once, ahead of its records, which are written in its order.
///
/// A child is a run of its own. The attempt that stands for it is opened when that run starts, by
/// the same commit, and ended when it ends, by the same commit; so whether there is such a run is
/// known from these records. A run that is to stop cancels its children and waits for their ends.
///
/// A signal waits until a step that awaits its name takes it, the oldest first; the step's output
/// says which it took. Its record may come before or after anything else.
///
/// The records of a fork begin with what it shares: outputs, and the failures of elements, of
/// attempt 0, which settle a task as if an attempt had; and the signals that were taken. They were
/// another run's, and are not undone. The first record of another sort ends them.
///
/// While a run is paused nothing begins: what is open and has not begun is withdrawn, and of what
/// would follow (waits, records of its own, undos, the end) nothing is asked for until `unpaused`
/// comes, or a cancel. Time and records go on. Its children are paused with it. Outputs that differ
/// may pause it too: see OnDivergence.
///
/// A backoff may also be followed by `opened` at once: in a replay, where nobody tells that it is
/// over. A cancel may overtake an `opened` that is being written: such an attempt is counted, and
/// its step stays stopped. A failed run starts nothing that opens after its failure.
///
/// Threads: one at a time.
class FlowMachine {
 public:
  FlowMachine(std::shared_ptr<const Plan> plan, RunId run, json input);

  /// Takes one event and says what to do now.
  ///
  /// Errors: Errc::corrupt for a record that cannot follow those before it; the machine is
  /// unchanged then.
  Result<Commands> apply(const Event& event);

  /// The attempts that were open when an epoch before `epoch` ended. They need `lost` receipts
  /// before `Resumed`.
  std::vector<OpenAttemptRef> attempts_open_before(std::int64_t epoch) const;

  RunState state() const;

  /// With states that have one: why the run failed, was cancelled, or is blocked.
  std::optional<RunError> error() const;

  /// With an ended run: its end.
  const std::optional<Outcome>& outcome() const { return outcome_; }

  /// With an ended run: from its start to its end.
  std::int64_t duration_ms() const { return ended_at_ms_ - started_at_ms_; }

  /// Blocked for a person: after a crash loop, in doubt, or an undo that failed.
  bool is_blocked(std::size_t i) const { return !outcome_ && steps_[i].phase == Phase::blocked; }

  /// Whether the run is blocked for the step of that name, so that its output can be given.
  ///
  /// Errors: Errc::invalid_argument.
  Result<void> check_resolvable(const std::string& step) const;

  /// Whether this `paused` or `unpaused` would change nothing.
  bool is_moot(const Record& record) const;

  /// The records that let the run go on that somebody, or outputs that differ, paused.
  std::vector<Record> unpausing() const;

  /// The records that let everything go on that is blocked for a person.
  std::vector<Record> unblocking() const;

  /// What has been done and could be undone, in the order in which that would happen. No undos yet.
  std::vector<std::size_t> places_to_undo() const;

  std::size_t places() const { return steps_.size(); }

  Role role(std::size_t i) const { return steps_[i].role; }

  /// Of an element its map; of an undo what it undoes.
  std::size_t owner(std::size_t i) const { return steps_[i].owner; }

  /// Of an element: its place in the array.
  std::size_t element(std::size_t i) const { return steps_[i].index; }

  /// The name in records: a step's own, `NAME[2]` for an element, `NAME:undo` for an undo.
  const std::string& name(std::size_t i) const {
    return steps_[i].role == Role::step ? plan_->steps[i].name.str() : steps_[i].name;
  }

  /// The place of that name, if there is one by now.
  std::optional<std::size_t> find(const std::string& name) const;

  /// What is to be done there.
  const PlannedStep& definition(std::size_t i) const { return *steps_[i].definition; }

  StepState step_state(std::size_t step) const;

  /// The step's last error, if its last attempt failed.
  const Rare<Error>& step_error(std::size_t step) const { return steps_[step].error; }

  /// A step's output; null before it succeeded.
  const std::shared_ptr<const json>& step_output(std::size_t step) const {
    return steps_[step].output;
  }

  /// The resolved parameters of a step that was started. Made anew by each call: many attempts may
  /// wait to be performed, and each may have a copy of the whole input.
  ///
  /// Errors: of `Template::resolve`; they are the attempt's fatal end.
  Result<json> parameters(std::size_t step) const;

  /// What `one_at_a_time` of a step that was started resolves to, if it has one.
  ///
  /// Errors: as `parameters`; Errc::invalid_argument for a key of another type, Errc::too_large.
  Result<std::optional<std::string>> turn_key(std::size_t step) const;

  /// Of a step that is a child whose run is under way: that run's id.
  std::optional<std::string> child_run(std::size_t step) const;

  /// How many of its children's runs are under way.
  std::size_t children_running() const { return count(Phase::child); }

  /// Where the run comes from, once its start was applied.
  const StartFacts& start_facts() const { return start_facts_; }

  /// When the run was started, once that was applied.
  std::int64_t started_at_ms() const { return started_at_ms_; }

  /// A step's number of attempts, the open one included.
  int attempts(std::size_t step) const { return steps_[step].attempt; }

  /// With `RunState::waiting`: when the first step goes on; the largest number when only a signal
  /// will do.
  std::int64_t due_ms() const;

  /// With a step that sleeps or awaits: when that ends by time, if it does.
  std::optional<std::int64_t> wait_end_ms(std::size_t step) const;

  /// The run's end is known and waits to be written: nothing else may be written before it.
  bool ending() const { return end_asked_; }

  /// How many attempts were started and have not ended.
  std::size_t attempts_running() const { return running_; }

  const Plan& plan() const { return *plan_; }

  const RunId& run() const { return run_; }

  const json& input() const { return input_; }

 private:
  /// An attempt whose answer was not used gave another output.
  struct Divergence {
    std::string step;
    int attempt;
  };

  using Phase = PlacePhase;
  using Step = Place;
  Result<void> take(const Record& record);
  Result<void> take_started(const Record& record);
  Result<void> take_output(const Record& record, std::size_t i);
  Result<void> take_receipt(const Record& record, std::size_t i);
  Result<void> take_opened(const Record& record, std::size_t i);
  Result<void> take_ended(const Record& record);
  Result<void> take_undoing(const Record& record);
  void take_unblocked(const Record& record);
  void take_cancel_request();
  Result<void> take_signal(const Record& record);

  // Pauses, and outputs that differ (flow_machine_hold.cpp).
  Result<void> take_pause(const Record& record);
  void take_other_output(std::size_t i, const Record& record);
  void check_divergence(std::size_t i);
  void postpone_wait(const TimerOver& over);
  void issue_holds(Commands& commands);
  std::optional<RunError> why_paused() const;

  bool paused() const { return paused_by_person_ || paused_by_parent_ || !divergences_.empty(); }

  bool held() const { return paused() && !cancelling_; }

  // Elements of maps, and undos (flow_machine_parts.cpp).
  std::size_t add_place(Role role, std::size_t owner, const PlannedStep& definition,
                        std::string name);
  void begin_map(std::size_t i);
  void begin_elements(std::size_t map);
  void end_element(std::size_t i);
  void fail_element(std::size_t i, Errc code);
  Result<json> collect_elements(std::size_t map) const;
  void undo_next();
  void issue_undos(Commands& commands);
  void issue_undoing(const Outcome& end, Commands& commands);
  Scope scope_of(std::size_t i, const std::vector<const json*>& outputs) const;

  /// Nothing new of it begins: the run is to stop, and it is not what undoes it.
  bool halted(const Step& step) const { return stopping() && step.role != Role::undo; }

  // Children (flow_machine_child.cpp).
  void begin_child(std::size_t i);
  Result<void> open_child(const Record& record, std::size_t i);
  Result<void> take_child_end(const Record& record, std::size_t i);
  void issue_child(std::size_t i, Commands& commands);
  void issue_child_cancels(Commands& commands);

  // Branches, values, sleeps and awaits (flow_machine_own.cpp).
  Result<void> take_own_output(const Record& record, std::size_t i);
  bool may_fail_by_itself(const Step& step, const Record& record) const;
  void take_own_failure(const Record& record, std::size_t i);
  void begin_own(std::size_t i);
  void begin_sleep(std::size_t i);
  void begin_await(std::size_t i);
  void take_timer_over(std::size_t i, Commands& commands);
  void issue_own(Commands& commands);
  void issue_computed(std::size_t i, Commands& commands);
  bool computable(std::size_t i) const;
  void issue_signalled(Commands& commands);
  void issue_output(std::size_t i, json value, const Digest& signal, Commands& commands);
  void issue_failure(std::size_t i, const Error& error, Commands& commands);
  Result<json> evaluate(std::size_t i) const;

  void move_to(Step& step, Phase phase);

  std::size_t count(Phase phase) const { return phase_counts_[static_cast<std::size_t>(phase)]; }

  void open(std::size_t i, int attempt);
  void succeed(std::size_t i, std::shared_ptr<const json> value, const Record& record);
  void settle(std::size_t i, const Record& record);
  void begin(std::size_t i);
  void begin_task(std::size_t i);
  bool must_exclude(std::size_t i) const;
  void close_attempt(Step& step);
  void stop(Step& step);
  void take_missing_type(std::size_t i);
  void give_up_task(std::size_t i, Errc code, Error error);
  void fail_step(std::size_t i, Errc code, Error error);
  void count_failure(std::size_t i, const Record& record, Error error);
  void count_lost(std::size_t i, const Record& record);
  void leave_in_doubt(std::size_t i, const std::string& why);
  void wait_for_next(std::size_t i, std::int64_t due_ms);

  void issue_starts(Commands& commands);
  void issue_end(Commands& commands);
  std::optional<Outcome> end_to_come() const;
  std::optional<std::size_t> blocked_undo() const;
  RunError why_blocked(std::size_t i) const;
  StartAttempt start_command(std::size_t i);
  Outcome success() const;

  bool stopping() const { return cancelling_ || failure_.has_value(); }

  bool all_settled() const {
    return steps_succeeded_ + count(Phase::excluded) == plan_->steps.size();
  }

  std::shared_ptr<const Plan> plan_;
  RunId run_;
  json input_;
  std::deque<Step> steps_;                     // by place
  std::map<std::string, std::size_t> places_;  // by name, of elements and undos
  std::size_t steps_succeeded_ = 0;            // of the plan's
  std::vector<const json*> outputs_;           // by step, for templates
  std::vector<const json*> computed_;          // outputs, and what was computed ahead of its record
  std::array<std::size_t, 15> phase_counts_{};
  std::size_t running_ = 0;         // attempts started and not ended
  std::vector<std::size_t> ready_;  // steps whose open attempt was not started yet
  std::vector<std::size_t>
      to_wait_;  // steps that entered backoff and whose wait was not asked for yet

  struct Signal {
    Digest id;
    std::shared_ptr<const json> payload;
    bool taken = false;  // by a step whose record was asked to be written
  };

  std::map<std::string, std::deque<Signal>> signals_;  // by name, the oldest first
  std::set<Digest> signals_seen_;
  bool signals_changed_ = false;  // a signal or an await has come
  std::int64_t epoch_ = 0;        // of the record that is being applied
  bool resumed_ = false;
  bool cancelling_ = false;
  bool cancel_asked_ = false;  // running attempts were asked to stop
  bool end_asked_ = false;
  std::optional<Outcome> undoing_;  // how the run will end once all is undone
  std::vector<std::size_t> undos_;  // in their order
  std::size_t undos_begun_ = 0;
  bool undoing_asked_ = false;  // its record was asked to be written
  std::optional<RunError> failure_;
  /// By place: of attempts whose answers were not used, and their digests.
  std::map<std::size_t, std::vector<std::pair<int, Digest>>> other_outputs_;
  bool paused_by_person_ = false;
  bool paused_by_parent_ = false;
  bool was_paused_ = false;
  std::vector<Divergence> divergences_;  // that it is paused for
  std::optional<Outcome> outcome_;
  StartFacts start_facts_;
  bool sharing_ = false;  // what comes was another run's, of which this one is a fork
  std::int64_t started_at_ms_ = 0;
  std::int64_t ended_at_ms_ = 0;
};

}  // namespace pawl
