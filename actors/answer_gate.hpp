/// AnswerGate: lets answers from step threads through to the actors until the engine closes, and
/// none afterwards.
#pragma once

#include <condition_variable>
#include <cstddef>
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

  /// The same for what takes longer: others pass meanwhile, and whoever closes the gate waits for
  /// it.
  template <class Work>
  void stay(Work&& work) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!open_) return;
      ++staying_;
    }
    const Leaving leaving{*this};
    std::forward<Work>(work)();
  }

  /// To be called from outside.
  void close() {
    std::unique_lock<std::mutex> lock(mutex_);
    open_ = false;
    left_.wait(lock, [this] { return staying_ == 0; });
  }

 private:
  struct Leaving {
    AnswerGate& gate;

    ~Leaving() {
      const std::lock_guard<std::mutex> lock(gate.mutex_);
      --gate.staying_;
      gate.left_.notify_all();
    }
  };

  std::mutex mutex_;
  std::condition_variable left_;
  bool open_ = true;
  std::size_t staying_ = 0;
};

}  // namespace pawl
