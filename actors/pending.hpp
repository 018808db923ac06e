/// Pending: a value that comes later, for threads that wait and for callbacks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace pawl {

/// Threads: any.
template <class T>
class Pending {
 public:
  using Callback = std::function<void(const T&)>;

  /// The first value counts.
  void set(const T& value) {
    std::vector<Callback> callbacks;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (value_) return;
      value_ = value;
      callbacks.swap(callbacks_);
    }
    changed_.notify_all();
    for (const Callback& callback : callbacks) callback(value);
  }

  T wait() const {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return value_.has_value(); });
    return *value_;
  }

  std::optional<T> wait_for(std::chrono::milliseconds timeout) const {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return value_.has_value(); });
    return value_;
  }

  std::optional<T> value() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return value_;
  }

  /// Calls `callback` with the value: on the thread that sets it, or at once if it is there.
  void on_set(Callback callback) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!value_) return callbacks_.push_back(std::move(callback));
    const T value = *value_;
    lock.unlock();
    callback(value);
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<T> value_;
  std::vector<Callback> callbacks_;
};

}  // namespace pawl
