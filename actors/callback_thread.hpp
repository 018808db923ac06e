/// CallbackThread: where users' callbacks run, so that they may call the engine without waiting for
/// themselves.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace pawl {

/// Threads: any; `close` not from a callback.
class CallbackThread {
 public:
  CallbackThread();
  ~CallbackThread();

  /// Runs `callback` after those posted before. After `close`: at once, on the caller's thread.
  /// What it throws is dropped.
  void post(std::function<void()> callback);

  /// Runs what was posted, and ends the thread.
  void close();

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::function<void()>> queue_;
  bool closed_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace pawl
