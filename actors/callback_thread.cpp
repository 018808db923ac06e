#include "actors/callback_thread.hpp"

#include <utility>

namespace pawl {

namespace {

void call_guarded(const std::function<void()>& callback) {
  try {
    callback();
  } catch (...) {
  }
}

}  // namespace

CallbackThread::CallbackThread() : thread_([this] { serve(); }) {}

CallbackThread::~CallbackThread() {
  close();
}

void CallbackThread::post(std::function<void()> callback) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closed_) {
      queue_.push_back(std::move(callback));
      work_.notify_one();
      return;
    }
  }
  call_guarded(callback);
}

void CallbackThread::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    work_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void CallbackThread::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::function<void()> callback = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    call_guarded(callback);
    lock.lock();
  }
}

}  // namespace pawl
