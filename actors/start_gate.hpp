/// StartGate: bounds how many starts may wait for their answer, so that whoever submits faster than
/// the disk writes fills no memory.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace pawl {

/// Threads: any.
class StartGate {
 public:
  /// Given: `starts_max`, at least 1.
  explicit StartGate(std::size_t starts_max) : free_(starts_max) {}

  /// Takes a place, waiting for one.
  void enter() {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return free_ > 0; });
    --free_;
  }

  /// Takes a place if there is one.
  bool try_enter() {
    const std::lock_guard lock(mutex_);
    if (free_ == 0) return false;
    --free_;
    return true;
  }

  void leave() {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
    }
    left_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  std::size_t free_;
};

}  // namespace pawl
