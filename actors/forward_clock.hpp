/// ForwardClock: a clock for waits and records that only goes forward, over restarts too.
#pragma once

#include <pawl/clock.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace pawl {

/// The machine's clock may be set back or forth at any time. This one never goes back, and never
/// stands still: it runs on with steady time where the machine's clock went back, and follows it
/// where it went forth. So a wait of 20 s takes 20 s at most, whatever became of the clock, and the
/// times of a run's records are in their order.
///
/// Threads: any.
class ForwardClock final : public Clock {
 public:
  /// Given: `at_least_ms`, the latest time that is known to have passed, such as the last record's.
  ForwardClock(std::shared_ptr<const Clock> clock, std::int64_t at_least_ms)
      : clock_(std::move(clock)),
        last_us_(at_least_ms * 1000),
        last_steady_us_(clock_->steady_us()) {}

  std::int64_t now_ms() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    // In this order: what passes in between, while the process is stopped for example, would be
    // counted twice otherwise, and every wait after it end that much too early.
    const std::int64_t machine_us = clock_->now_ms() * 1000;
    const std::int64_t steady_us = clock_->steady_us();
    last_us_ = std::max(machine_us, last_us_ + (steady_us - last_steady_us_));
    last_steady_us_ = steady_us;
    return last_us_ / 1000;
  }

  std::int64_t steady_us() const override { return clock_->steady_us(); }

 private:
  std::shared_ptr<const Clock> clock_;
  mutable std::mutex mutex_;
  mutable std::int64_t last_us_;
  mutable std::int64_t last_steady_us_;
};

}  // namespace pawl
