#include "actors/thread_pool.hpp"

#include <pawl/assert.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace pawl {

// Threads own this together with the pool, so that one that hangs outlives the pool without harm.
struct ThreadPool::Shared {
  explicit Shared(std::size_t pool_size) : size(pool_size) {}

  const std::size_t size;
  mutable std::mutex mutex;
  std::condition_variable work;
  std::condition_variable left;                // a thread has gone
  std::map<std::pair<int, JobId>, Job> queue;  // by priority, the highest first, and age
  std::map<JobId, bool> running;               // job to whether it was abandoned
  std::size_t threads = 0;                     // alive, hanging ones included
  std::size_t hanging = 0;
  JobId last_job = 0;
  bool closed = false;

  std::size_t serving() const { return threads - hanging; }

  static void spawn(const std::shared_ptr<Shared>& shared) {
    ++shared->threads;
    std::thread([shared] { serve(shared); }).detach();
  }

  static void serve(const std::shared_ptr<Shared>& shared) {
    std::unique_lock<std::mutex> lock(shared->mutex);
    for (;;) {
      shared->work.wait(lock, [&] { return shared->closed || !shared->queue.empty(); });
      if (shared->queue.empty()) break;  // closed
      const JobId id = shared->queue.begin()->first.second;
      Job job = std::move(shared->queue.begin()->second);
      shared->queue.erase(shared->queue.begin());
      shared->running.emplace(id, false);
      lock.unlock();
      job();
      job = nullptr;  // what it holds is released before anybody can see it as ended
      lock.lock();
      const bool was_abandoned = shared->running[id];
      shared->running.erase(id);
      if (!was_abandoned) continue;
      --shared->hanging;
      if (shared->serving() > shared->size) break;  // its place was filled meanwhile
    }
    --shared->threads;
    shared->left.notify_all();
  }
};

ThreadPool::ThreadPool(std::size_t size) : shared_(std::make_shared<Shared>(size)) {
  PAWL_ASSERT(size > 0);
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  for (std::size_t i = 0; i < size; ++i) Shared::spawn(shared_);
}

ThreadPool::~ThreadPool() {
  close();
}

Executor::JobId ThreadPool::post_by_priority(Job job, int priority) {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  const JobId id = ++shared_->last_job;
  if (shared_->closed) return id;
  shared_->queue.emplace(std::pair(-priority, id), std::move(job));
  shared_->work.notify_one();
  return id;
}

Executor::Abandoned ThreadPool::abandon(JobId job) {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  const auto found = shared_->running.find(job);
  if (found == shared_->running.end()) {
    auto& queue = shared_->queue;
    const auto queued = std::find_if(queue.begin(), queue.end(), [&](const auto& waiting) {
      return waiting.first.second == job;
    });
    if (queued != queue.end()) queue.erase(queued);
    return Abandoned::gone;
  }
  if (found->second) return Abandoned::replaced;
  found->second = true;
  ++shared_->hanging;
  if (shared_->closed || shared_->threads >= 2 * shared_->size) return Abandoned::exhausted;
  Shared::spawn(shared_);
  return Abandoned::replaced;
}

std::size_t ThreadPool::hanging() const {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  return shared_->hanging;
}

void ThreadPool::close() {
  std::map<std::pair<int, JobId>, Job> dropped;  // destroyed after the lock is released
  std::unique_lock<std::mutex> lock(shared_->mutex);
  shared_->closed = true;
  dropped.swap(shared_->queue);
  shared_->work.notify_all();
  shared_->left.wait(lock, [&] { return shared_->threads == shared_->running.size(); });
}

}  // namespace pawl
