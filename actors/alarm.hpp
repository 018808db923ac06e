/// Alarm: an actor's wake-up call. CAF's delayed messages cannot be taken back; this keeps at most
/// a few of them on the way, however often the time changes.
#pragma once

#include "actors/actor_manners.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

namespace pawl {

/// Lifetime: part of its actor's state.
class Alarm {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Calls `ring` on `self` at `at`, or earlier if it was set for an earlier time: `ring` looks
  /// whether it is time, and sets the alarm again if it is not.
  template <class Self>
  void set(Self* self, TimePoint at, std::function<void()> ring) {
    if (at_ && *at_ <= at) return;
    at_ = at;
    const std::uint64_t number = ++number_;
    later(self, at - self->clock().now(), [this, number, ring = std::move(ring)] {
      if (number != number_) return;  // it was set for an earlier time since, and has rung then
      at_.reset();
      ring();
    });
  }

 private:
  std::optional<TimePoint> at_;  // of the next ring
  std::uint64_t number_ = 0;
};

}  // namespace pawl
