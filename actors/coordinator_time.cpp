// The coordinator's time: waits of its runs, and when it looks for runs that are due.
#include "actors/actor_manners.hpp"
#include "actors/coordinator.hpp"
#include "actors/worker_policy.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace pawl {

namespace {

/// No timer is set for longer. A run that waits for longer is parked, and looked at then.
constexpr std::int64_t timer_ms_max = 10LL * 366 * 86'400'000;

/// So many that are over are dealt with together; the others a moment later.
constexpr std::size_t timers_max = 256;

}  // namespace

void Coordinator::carry_out(LiveRun& run, const AwaitTimer& wait) {
  if (closing_) return;
  const PlannedStep& step = run.machine->definition(wait.step);
  if (step.kind == StepKind::task && !config_.performers->has(step.type)) {
    const Result<Commands> commands = run.machine->apply(StepTypeMissing{wait.step});
    if (commands) carry_out(run, *commands);
    return;
  }
  const std::int64_t left_ms = std::clamp<std::int64_t>(wait.due_ms - config_.seams.clock->now_ms(),
                                                        0, std::min(wait.longest_ms, timer_ms_max));
  const TimePoint at = self_->clock().now() + std::chrono::milliseconds(left_ms);
  run.timers.push_back(
      timers_.emplace(at, Timer{run.machine->run().str(), wait.step, wait.attempt}));
  set_alarm(at);
}

void Coordinator::park(LiveRun& run, RunState state, std::int64_t due_ms) {
  ++writes_;
  unwritten_parks_.push_back(ParkRun{run.key, state, due_ms});
  if (!gathers_) write_parks();
}

void Coordinator::set_alarm(TimePoint at) {
  alarm_.set(self_, at, [this] { on_alarm(); });
}

/// Looks for due runs in time before that one, or earlier.
void Coordinator::search_before(std::int64_t due_ms) {
  const std::int64_t left_ms = due_ms - config_.seams.clock->now_ms() - ahead_ms / 2;
  const TimePoint at = self_->clock().now() + std::chrono::milliseconds(std::clamp<std::int64_t>(
                                                  left_ms, 0, timer_ms_max));
  scan_at_ = scan_at_ ? std::min(*scan_at_, at) : at;
  set_alarm(*scan_at_);
}

/// The store may have runs as due that nobody knows of.
void Coordinator::search_all_soon() {
  search_all_ = true;
  const TimePoint at = self_->clock().now() + std::chrono::seconds(1);
  scan_at_ = scan_at_ ? std::min(*scan_at_, at) : at;
  set_alarm(*scan_at_);
}

void Coordinator::on_alarm() {
  const TimePoint now = self_->clock().now();
  gather([&] {
    for (std::size_t n = 0; n < timers_max && !timers_.empty() && timers_.begin()->first <= now;
         ++n) {
      const Timer over = timers_.begin()->second;
      LiveRun& run = live_.at(over.run);  // what is dropped takes its timers along
      run.timers.erase(std::find(run.timers.begin(), run.timers.end(), timers_.begin()));
      timers_.erase(timers_.begin());
      tell(run, TimerOver{over.step, over.attempt});
    }
  });
  if (scan_at_ && *scan_at_ <= now) {
    scan_at_.reset();
    search_timed_ = true;
    scan_if_room();
  }
  if (turn_at_ && *turn_at_ <= now) {
    turn_at_.reset();
    start_queued();
  }
  if (!timers_.empty()) set_alarm(timers_.begin()->first);
  if (turn_at_) set_alarm(*turn_at_);
  if (scan_at_) set_alarm(*scan_at_);
}

}  // namespace pawl
