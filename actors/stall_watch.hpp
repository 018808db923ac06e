/// StallWatch: tells which of an actor's writes the store has left unanswered for a while.
#pragma once

#include "actors/alarm.hpp"
#include "actors/reporter.hpp"

#include <chrono>
#include <cstdint>
#include <map>
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

  /// A write was sent; if it is not `answered` in time, that is told once, to its `news`.
  template <class Self>
  Id sent(Self* self, WriteNews news) {
    const Alarm::TimePoint late_at = self->clock().now() + store_stall;
    waiting_.emplace(++last_, Waiting{late_at, std::move(news)});
    set_alarm(self);
    return last_;
  }

  void answered(Id id) { waiting_.erase(id); }

 private:
  struct Waiting {
    Alarm::TimePoint late_at;
    WriteNews news;
  };

  template <class Self>
  void set_alarm(Self* self) {
    alarm_.set(self, waiting_.begin()->second.late_at, [this, self] {
      // By id they stand in the order of their times, too.
      while (!waiting_.empty() && waiting_.begin()->second.late_at <= self->clock().now()) {
        waiting_.begin()->second.news(EventKind::store_stalled, "");
        waiting_.erase(waiting_.begin());
      }
      if (!waiting_.empty()) set_alarm(self);
    });
  }

  std::map<Id, Waiting> waiting_;
  Id last_ = 0;
  Alarm alarm_;
};

}  // namespace pawl
