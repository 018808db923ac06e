/// EndsBox: where the ends of attempts lie, from whatever thread they come, until the store takes
/// them into its next commit.
#pragma once

#include <pawl/record.hpp>
#include <pawl/store.hpp>

#include "actors/dispatch.hpp"
#include "actors/take_all.hpp"

#include <caf/actor_control_block.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace pawl {

/// What ends during a commit is in the next one, whatever else waits to be written, for the store
/// empties the box when a commit begins. One message wakes the store, however many ends there are.
///
/// Threads: any.
class EndsBox {
 public:
  /// An attempt has ended, and its record must become durable.
  struct End {
    DispatchPtr dispatch;
    std::shared_ptr<Record> record;
    std::shared_ptr<Progress> progress;  ///< goes with it; null if there is none
  };

  /// Given: `wake`, called by the thread that leaves the first end since the last `take`. To be set
  ///        before the first end is left.
  void on_first(std::function<void()> wake) { wake_ = std::move(wake); }

  /// Errors: throws what `wake` throws; then the end is there, and the next one that is left wakes.
  void put(End end) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ends_.push_back(std::move(end));
      if (std::exchange(is_woken_, true)) return;
    }
    wake();
  }

  /// The same for those whose write has failed.
  void put_again(const std::vector<End>& ends) {
    if (ends.empty()) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ends_.insert(ends_.end(), ends.begin(), ends.end());
      if (std::exchange(is_woken_, true)) return;
    }
    wake();
  }

  /// Gives what is there, in its order. The store's.
  std::vector<End> take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_woken_ = false;
    return take_all(ends_);
  }

  bool is_empty() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ends_.empty();
  }

  /// Whoever was to wake the store could not: the next end wakes it.
  void not_woken() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_woken_ = false;
  }

  /// The step runner that wants to know what was written: the last one that there was.
  void set_runner(caf::weak_actor_ptr runner) {
    const std::lock_guard<std::mutex> lock(mutex_);
    runner_ = std::move(runner);
  }

  caf::strong_actor_ptr runner() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return runner_.lock();
  }

 private:
  void wake() {
    try {
      wake_();
    } catch (...) {
      not_woken();
      throw;
    }
  }

  std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::vector<End> ends_;
  bool is_woken_ = false;  // the store, since the last `take`
  caf::weak_actor_ptr runner_;
};

}  // namespace pawl
