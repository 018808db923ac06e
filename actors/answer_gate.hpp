/// AnswerGate: lets answers from step threads through to the actors until the engine closes, and
/// none afterwards.
#pragma once

#include <mutex>
#include <utility>

namespace pawl {

/// A thread that hangs in user code may answer after the actor system is gone: it holds the gate,
/// not the system.
///
/// Threads: any.
class AnswerGate {
 public:
  /// Runs `send`, which finds the system alive, or nothing.
  template <class Send>
  void pass(Send&& send) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (open_) std::forward<Send>(send)();
  }

  void close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = false;
  }

 private:
  std::mutex mutex_;
  bool open_ = true;
};

}  // namespace pawl
