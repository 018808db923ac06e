/// Ticket: a question from outside the actors that is answered exactly once, even if they die over
/// it.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

namespace pawl {

/// Threads: any; `answer` is called on the thread that answers, or that drops the last reference.
template <class T>
class Ticket {
 public:
  /// Given: `answer` takes the answer; `if_dropped` is the answer when nobody gives one;
  ///        `is_awaited`, whether anybody would hear it, which once false stays so. Always,
  ///        without.
  Ticket(std::function<void(const T&)> answer, T if_dropped, std::function<bool()> is_awaited = {})
      : answer_(std::move(answer)),
        if_dropped_(std::move(if_dropped)),
        is_awaited_(std::move(is_awaited)) {}

  ~Ticket() { answer(if_dropped_); }

  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  /// The first answer counts.
  void answer(const T& value) {
    if (!answered_.exchange(true)) answer_(value);
  }

  bool is_awaited() const { return !is_awaited_ || is_awaited_(); }

 private:
  std::function<void(const T&)> answer_;
  T if_dropped_;
  std::function<bool()> is_awaited_;
  std::atomic<bool> answered_{false};
};

}  // namespace pawl
