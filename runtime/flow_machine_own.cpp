// The steps that no attempt performs, because the machine does itself: branches and values, which
// it computes, sleeps and awaits.
#include <pawl/limits.hpp>

#include "runtime/flow_machine.hpp"
#include "runtime/mutant.hpp"
#include "runtime/unlawful.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace pawl {

namespace {

constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::max();

Record own_record(const std::string& step, RecordKind kind, AttemptEnd end) {
  Record record;
  record.kind = kind;
  record.end = end;
  record.step = step;
  return record;
}

}  // namespace

Result<void> FlowMachine::take_own_output(const Record& record, std::size_t i) {
  const PlannedStep& plan = *steps_[i].definition;
  const Phase phase = steps_[i].phase;
  if (phase == Phase::failed || phase == Phase::excluded)
    return unlawful(record, "comes after the step has failed, or was excluded");
  const bool is_performed = plan.kind == StepKind::task || plan.kind == StepKind::child;
  if (is_performed && !sharing_ && phase != Phase::computing && phase != Phase::stopped &&
      phase != Phase::blocked)
    return unlawful(record, "is a default, and the step has not failed");
  std::shared_ptr<const json> value = record.value;
  if (!value) {
    json parsed = json::parse(record.body, nullptr, false);
    if (parsed.is_discarded()) return unlawful(record, "is not JSON");
    value = std::make_shared<const json>(std::move(parsed));
  }
  if (plan.kind == StepKind::branch && !value->is_boolean())
    return unlawful(record, "is a branch's decision, and neither true nor false");
  if (plan.kind == StepKind::await && record.input_digest != Digest{}) {
    std::deque<Signal>& waiting = signals_[plan.signal];
    const auto taken = std::find_if(waiting.begin(), waiting.end(), [&](const Signal& signal) {
      return signal.id == record.input_digest;
    });
    if (taken == waiting.end()) return unlawful(record, "took a signal that nobody has sent");
    if (!mutant("signal_taken_again")) waiting.erase(taken);
  }
  succeed(i, std::move(value), record);
  return {};
}

/// Whether a step can have failed without an attempt that did: one that no attempt performs, a task
/// whose default cannot be computed, or one whose failure a fork shares.
bool FlowMachine::may_fail_by_itself(const Step& step, const Record& record) const {
  const StepKind kind = step.definition->kind;
  if (step.phase == Phase::succeeded || step.phase == Phase::excluded) return false;
  if (step.phase == Phase::pending && kind != StepKind::value) return false;
  if (kind != StepKind::task) return true;
  // A cancel, or another step's failure, may stand before the default's.
  return record.attempt == 0 && (sharing_ || step.phase == Phase::computing ||
                                 step.phase == Phase::stopped || step.phase == Phase::failed);
}

void FlowMachine::take_own_failure(const Record& record, std::size_t i) {
  if (steps_[i].phase == Phase::stopped || steps_[i].phase == Phase::failed) return;
  Error error = error_from_body(record.body);
  const Errc code = error.code;
  // A child whose run could not be started may have a default.
  if (steps_[i].phase == Phase::opening)
    give_up_task(i, code, std::move(error));
  else
    fail_step(i, code, std::move(error));
}

Result<void> FlowMachine::take_signal(const Record& record) {
  json body = json::parse(record.body, nullptr, false);
  if (!body.is_object() || !body.contains("name") || !body["name"].is_string() ||
      !body.contains("payload"))
    return unlawful(record, "is not readable");
  const Digest id = digest_of(record.step);
  // The same signal may be told twice: its sender repeats it until it is acknowledged.
  if (!signals_seen_.insert(id).second && !mutant("signal_counts_twice")) return {};
  if (!resumed_ && mutant("signal_forgotten_at_restart")) return {};
  signals_[body["name"].get<std::string>()].push_back(
      {id, std::make_shared<const json>(std::move(body["payload"])), false});
  signals_changed_ = true;
  return {};
}

void FlowMachine::begin_own(std::size_t i) {
  Step& step = steps_[i];
  switch (plan_->steps[i].kind) {
    case StepKind::task: break;
    case StepKind::child: begin_child(i); break;
    case StepKind::map: begin_map(i); break;
    case StepKind::branch:
    case StepKind::fail:
    case StepKind::value: move_to(step, Phase::computing); break;
    case StepKind::sleep: begin_sleep(i); break;
    case StepKind::await: begin_await(i); break;
  }
  ready_.push_back(i);
}

/// A time that does not fit is the step's failure, which is written like any other: see issue_own.
void FlowMachine::begin_sleep(std::size_t i) {
  Step& step = steps_[i];
  move_to(step, Phase::sleeping);
  const bool until = plan_->steps[i].until;
  const Result<json> time = evaluate(i);
  const std::int64_t max_ms = until ? Limits::time_ms_max : Limits::delay_ms_max;
  const bool fits = time && time->is_number_integer() && *time >= 0 && *time <= max_ms;
  if (!fits) {
    step.error = time ? make_error(Errc::invalid_argument,
                                   "the time must be a whole number of milliseconds from 0 "
                                   "to " +
                                       std::to_string(max_ms) + ", and is " +
                                       (time->is_number() ? time->dump() : time->type_name()))
                      : time.error();
    return;
  }
  const auto given_ms = time->get<std::int64_t>();
  step.due_ms = until ? given_ms : step.ready_ms + given_ms;
  step.longest_ms = until ? never_ms : given_ms;
  if (mutant("sleep_from_restart") && !until && !resumed_) step.due_ms += 1'000'000'000'000;
}

void FlowMachine::begin_await(std::size_t i) {
  Step& step = steps_[i];
  move_to(step, Phase::awaiting);
  signals_changed_ = true;
  step.longest_ms = plan_->steps[i].timeout_ms;
  step.has_due = step.longest_ms > 0;
  step.due_ms = step.has_due ? step.ready_ms + step.longest_ms : never_ms;
}

void FlowMachine::take_timer_over(std::size_t i, Commands& commands) {
  Step& step = steps_[i];
  if (step.asked) return;
  const PlannedStep& plan = *steps_[i].definition;
  if (step.phase == Phase::sleeping) return issue_output(i, nullptr, Digest{}, commands);
  if (step.phase != Phase::awaiting) return;
  if (!plan.has_default)
    return issue_failure(
        i,
        make_error(Errc::deadline, "no signal \"" + plan.signal + "\" came within " +
                                       std::to_string(plan.timeout_ms) + " ms"),
        commands);
  Result<json> fallback = evaluate(i);
  if (!fallback) return issue_failure(i, fallback.error(), commands);
  issue_output(i, std::move(*fallback), Digest{}, commands);
}

/// What began since: its records and its timers.
void FlowMachine::issue_own(Commands& commands) {
  for (const std::size_t i : ready_) {
    const Step& step = steps_[i];
    if (step.asked) continue;
    if (step.phase == Phase::computing) issue_computed(i, commands);
    if (step.phase == Phase::opening && step.definition->kind == StepKind::child)
      issue_child(i, commands);
    const bool waits = step.phase == Phase::sleeping || step.phase == Phase::mapping;
    if (waits && step.error)
      issue_failure(i, *step.error, commands);
    else if (step.phase == Phase::sleeping || (step.phase == Phase::awaiting && step.has_due))
      commands.emplace_back(AwaitTimer{i, 0, step.due_ms, step.longest_ms});
  }
  if (std::exchange(signals_changed_, false)) issue_signalled(commands);
}

/// Computes a step, and after a value the values that only wait for it.
void FlowMachine::issue_computed(std::size_t i, Commands& commands) {
  std::vector<std::size_t> computing{i};
  std::size_t ahead_bytes = 0;
  while (!computing.empty()) {
    const std::size_t next = computing.back();
    computing.pop_back();
    Step& step = steps_[next];
    if (step.asked) continue;
    const bool is_map = step.definition->kind == StepKind::map;
    Result<json> value = is_map ? collect_elements(next) : evaluate(next);
    if (value && step.definition->kind == StepKind::fail)
      value = make_error(Errc::step_failed,
                         value->is_string() ? value->get<std::string>() : value->dump());
    if (!value) {
      issue_failure(next, value.error(), commands);
      continue;
    }
    issue_output(next, std::move(*value), Digest{}, commands);
    if (!step.computed || step.definition->kind != StepKind::value) continue;
    computed_[next] = step.computed.get();
    // What is queued is held in memory: the rest of a long chain follows its records.
    ahead_bytes += std::get<WriteRecord>(commands.back()).record.body.size();
    if (ahead_bytes > Limits::with_bytes_max) continue;
    for (const std::size_t dependent : plan_->steps[next].dependents)
      if (computable(dependent)) computing.push_back(dependent);
  }
}

/// Whether a value that has not begun yet could be computed from what was computed ahead.
bool FlowMachine::computable(std::size_t i) const {
  const PlannedStep& plan = *steps_[i].definition;
  return plan.kind == StepKind::value && steps_[i].phase == Phase::pending && plan.guards.empty() &&
         std::all_of(plan.needs.begin(), plan.needs.end(),
                     [this](std::size_t need) { return computed_[need] != nullptr; });
}

/// Steps that await take the signals that have come, in the plan's order the oldest first.
void FlowMachine::issue_signalled(Commands& commands) {
  if (count(Phase::awaiting) == 0) return;
  for (std::size_t i = 0; i < plan_->steps.size(); ++i) {
    if (steps_[i].phase != Phase::awaiting || steps_[i].asked) continue;
    const auto queue = signals_.find(plan_->steps[i].signal);
    if (queue == signals_.end()) continue;
    const auto next = std::find_if(queue->second.begin(), queue->second.end(),
                                   [](const Signal& signal) { return !signal.taken; });
    if (next == queue->second.end()) continue;
    next->taken = !mutant("signal_taken_twice");
    issue_output(i, *next->payload, next->id, commands);
  }
}

void FlowMachine::issue_output(std::size_t i, json value, const Digest& signal,
                               Commands& commands) {
  Result<std::string> text = canonical_json(value, Limits::output_bytes_max);
  if (!text) return issue_failure(i, text.error(), commands);
  Record record = own_record(name(i), RecordKind::output, AttemptEnd::succeeded);
  record.body = std::move(*text);
  record.output_digest = digest_of(record.body);
  record.input_digest = signal;
  record.value = std::make_shared<const json>(std::move(value));
  steps_[i].asked = true;
  steps_[i].computed = record.value;
  commands.emplace_back(WriteRecord{std::move(record)});
}

void FlowMachine::issue_failure(std::size_t i, const Error& error, Commands& commands) {
  Record record = own_record(name(i), RecordKind::receipt, AttemptEnd::fatal);
  record.body =
      error_body(error.code, (error.where.empty() ? "" : error.where + ": ") + error.message);
  // A child's default is of attempt 0: its failure must be of another.
  if (steps_[i].phase == Phase::opening) record.attempt = 1;
  steps_[i].asked = true;
  commands.emplace_back(WriteRecord{std::move(record)});
}

Result<json> FlowMachine::evaluate(std::size_t i) const {
  return steps_[i].definition->body.evaluate(scope_of(i, computed_), Limits::with_bytes_max);
}

}  // namespace pawl
