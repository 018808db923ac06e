// What holds a run back: pauses, and outputs of one step that differ.
#include "runtime/flow_machine.hpp"
#include "runtime/mutant.hpp"
#include "runtime/pause.hpp"
#include "runtime/unlawful.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

namespace {

std::string told(const std::string& step, int attempt) {
  return "attempt " + std::to_string(attempt) + " of step " + step +
         " gave another output than the stored one, which stands";
}

}  // namespace

Result<void> FlowMachine::take_pause(const Record& record) {
  const Result<PausedBy> by = paused_by(record);
  if (!by) return unlawful(record, "is not readable");
  const bool paused = record.kind == RecordKind::paused;
  if (paused && !resumed_ && mutant("pause_forgotten_at_restart")) return {};
  was_paused_ = true;
  // What children that there were before have been told is not known from these records.
  for (Step& step : steps_)
    if (!resumed_ && step.phase == Phase::child) step.child_held.reset();
  if (!record.step.empty()) {
    const auto is_meant = [&](const Divergence& other) {
      return other.step == record.step && other.attempt == record.attempt;
    };
    divergences_.erase(std::remove_if(divergences_.begin(), divergences_.end(), is_meant),
                       divergences_.end());
  } else if (*by == PausedBy::parent) {
    paused_by_parent_ = paused;
  } else {
    paused_by_person_ = paused;
  }
  return {};
}

bool FlowMachine::is_moot(const Record& record) const {
  const Result<PausedBy> by = paused_by(record);
  const bool paused = record.kind == RecordKind::paused;
  if (!by || (!paused && record.kind != RecordKind::unpaused)) return false;
  if (cancelling_) return true;
  if (!paused && *by == PausedBy::person) return unpausing().empty();
  return paused == (*by == PausedBy::parent ? paused_by_parent_ : paused_by_person_);
}

std::vector<Record> FlowMachine::unpausing() const {
  std::vector<Record> records;
  if (!held()) return records;
  if (paused_by_person_) records.push_back(pause_record(false, PausedBy::person));
  for (const Divergence& divergence : divergences_) {
    Record record = pause_record(false, PausedBy::person);
    record.step = divergence.step;
    record.attempt = divergence.attempt;
    records.push_back(std::move(record));
  }
  return records;
}

std::optional<RunError> FlowMachine::why_paused() const {
  if (!held()) return std::nullopt;
  if (!divergences_.empty())
    return RunError{Errc::diverged, divergences_.front().step,
                    told(divergences_.front().step, divergences_.front().attempt) +
                        "; find out which is right, then unpause the run to go on with that one, "
                        "or fork it with the other, or cancel it"};
  return RunError{Errc::paused, "",
                  paused_by_person_ ? "somebody paused it; unpause it to go on"
                                    : "it was paused with its parent; unpause that one"};
}

/// An answer that was not used told another output, or may turn out to have.
void FlowMachine::take_other_output(std::size_t i, const Record& record) {
  if (record.output_digest == Digest{} || outcome_ || undoing_) return;
  if (steps_[i].definition->on_divergence == OnDivergence::keep) return;
  other_outputs_[i].emplace_back(record.attempt, record.output_digest);
  if (steps_[i].phase == Phase::succeeded) check_divergence(i);
}

/// The step has its output: whether an attempt gave another one.
void FlowMachine::check_divergence(std::size_t i) {
  const auto others = other_outputs_.find(i);
  if (others == other_outputs_.end()) return;
  const Digest stored = digest_of(steps_[i].output->dump());
  for (const auto& [attempt, digest] : std::exchange(others->second, {})) {
    if (digest == stored) continue;
    if (steps_[i].definition->on_divergence == OnDivergence::pause) {
      const Divergence found{name(i), attempt};
      const auto is_known = [&](const Divergence& known) {
        return known.step == found.step && known.attempt == found.attempt;
      };
      // The same answer may be told twice: as it came, and as it is stored.
      if (std::any_of(divergences_.begin(), divergences_.end(), is_known)) continue;
      was_paused_ = true;
      divergences_.push_back(found);
    } else if (!failure_) {
      failure_ = RunError{Errc::diverged, name(i), told(name(i), attempt)};
    }
  }
}

/// A wait that ends while the run is paused is asked for again afterwards.
void FlowMachine::postpone_wait(const TimerOver& over) {
  const Phase phase = steps_[over.step].phase;
  if (over.attempt > 0 && phase == Phase::backoff) to_wait_.push_back(over.step);
  if (over.attempt == 0 && (phase == Phase::sleeping || phase == Phase::awaiting))
    ready_.push_back(over.step);
}

/// What a pause asks for; what its end asks for is as at any time.
void FlowMachine::issue_holds(Commands& commands) {
  if (!was_paused_ || cancelling_ || (!held() && count(Phase::child) == 0)) return;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (step.phase == Phase::child && step.child_held != held() && !mutant("child_not_paused")) {
      step.child_held = held();
      commands.emplace_back(HoldChild{*child_run(i), held()});
    }
    if (held() && !mutant("pause_ignored") && step.phase == Phase::open &&
        !std::exchange(step.withdrawn, true))
      commands.emplace_back(WithdrawAttempt{i, step.attempt, step.started});
  }
}

}  // namespace pawl
