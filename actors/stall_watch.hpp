/// StallWatch: tells which of an actor's writes the store has left unanswered for a while.
#pragma once

#include "actors/alarm.hpp"
#include "actors/reporter.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace pawl {

/// So long may the store take before it is told of as stalled.
inline constexpr std::chrono::seconds store_stall{5};

/// Costs a map's node per write, and a timer every five seconds.
///
/// Lifetime: part of its actor's state.
class StallWatch {
 public:
  using Id = std::uint64_t;

  /// A write was sent; if it is not `answered` in time, that is told once.
  ///
  /// Given: `about`, the event but for its kind.
  template <class Self>
  Id sent(Self* self, const std::shared_ptr<Reporter>& reporter, EngineEvent about) {
    about.kind = EventKind::store_stalled;
    const Alarm::TimePoint late_at = self->clock().now() + store_stall;
    waiting_.emplace(++last_, Waiting{late_at, std::move(about)});
    set_alarm(self, reporter);
    return last_;
  }

  void answered(Id id) { waiting_.erase(id); }

 private:
  struct Waiting {
    Alarm::TimePoint late_at;
    EngineEvent event;
  };

  template <class Self>
  void set_alarm(Self* self, const std::shared_ptr<Reporter>& reporter) {
    alarm_.set(self, waiting_.begin()->second.late_at, [this, self, reporter] {
      // By id they stand in the order of their times, too.
      while (!waiting_.empty() && waiting_.begin()->second.late_at <= self->clock().now()) {
        reporter->event(waiting_.begin()->second.event);
        waiting_.erase(waiting_.begin());
      }
      if (!waiting_.empty()) set_alarm(self, reporter);
    });
  }

  std::map<Id, Waiting> waiting_;
  Id last_ = 0;
  Alarm alarm_;
};

}  // namespace pawl
