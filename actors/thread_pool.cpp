#include "actors/thread_pool.hpp"

#include <pawl/assert.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <utility>

namespace pawl {

namespace {

/// Takes a lock that is held for moments only: being put to sleep and woken would take longer.
void lock_soon(std::unique_lock<std::mutex>& lock) {
  for (int i = 0; i < 100; ++i)
    if (lock.try_lock()) return;
  lock.lock();
}

}  // namespace

// Threads own this together with the pool, so that one that hangs outlives the pool without harm.
struct ThreadPool::Shared {
  /// What is known of the thread that looks.
  struct Here {
    const Shared* pool = nullptr;  // whose it is
    bool runs_job = false;
    bool is_called = false;      // see ThreadPool::is_called
    std::function<void()> work;  // that a job has left
  };

  static Here& here() {
    thread_local Here here;
    return here;
  }

  struct Waiting {
    JobId id;
    Job job;  // none if it was abandoned
  };

  /// A thread's.
  struct Seat {
    JobId job = 0;  // that it runs; 0 if none
    bool is_abandoned = false;
  };

  using Queue = std::map<int, std::deque<Waiting>, std::greater<>>;  // by priority

  explicit Shared(std::size_t pool_size) : size(pool_size) {}

  const std::size_t size;
  mutable std::mutex mutex;
  std::condition_variable work;
  std::condition_variable left;  // a thread has gone
  Queue queue;                   // no priority without a job
  std::list<Seat> seats;         // of the threads that are alive, hanging ones included
  std::size_t busy = 0;          // those that run a job
  std::size_t idle = 0;          // threads that wait for work and that nobody has called yet
  std::size_t hanging = 0;
  JobId last_job = 0;
  bool closed = false;

  /// Those that may run a job.
  std::size_t serving() const { return seats.size() - hanging; }

  bool has_room() const { return busy - hanging < size && busy < 2 * size; }

  bool has_job() const { return !queue.empty() && has_room(); }

  JobId add(Posting posting) {
    queue[posting.priority].push_back({++last_job, std::move(posting.job)});
    return last_job;
  }

  /// Calls as many idle threads as new jobs can run: not one for each. A thread that posts jobs
  /// while it does what its last one has left takes one itself.
  void call_for(std::size_t jobs) {
    jobs = has_room() ? std::min(jobs, size - (busy - hanging)) : 0;
    Here& poster = here();
    if (jobs > 0 && poster.pool == this && !poster.runs_job && !poster.is_called) {
      poster.is_called = true;
      --jobs;
    }
    for (; jobs > 0 && idle > 0; --jobs, --idle) work.notify_one();
  }

  /// Calls an idle thread, if there is something for it.
  void call_one() {
    if (idle == 0 || !has_job()) return;
    --idle;
    work.notify_one();
  }

  Waiting take() {
    const auto first = queue.begin();
    Waiting waiting = std::move(first->second.front());
    first->second.pop_front();
    if (first->second.empty()) queue.erase(first);
    return waiting;
  }

  static void spawn(const std::shared_ptr<Shared>& shared) {
    const auto seat = shared->seats.insert(shared->seats.end(), Seat());
    std::thread([shared, seat] { serve(shared, seat); }).detach();
  }

  static void serve(const std::shared_ptr<Shared>& shared, std::list<Seat>::iterator seat) {
    ::pthread_setname_np(::pthread_self(), "pawl.step");  // what debuggers and top show
    Here& me = here();
    me.pool = shared.get();
    std::unique_lock<std::mutex> lock(shared->mutex);
    for (;;) {
      while (!shared->closed && !shared->has_job()) {
        ++shared->idle;
        shared->work.wait(lock);
      }
      if (shared->closed) break;
      Waiting waiting = shared->take();
      if (!waiting.job) continue;
      seat->job = waiting.id;
      ++shared->busy;
      me.runs_job = true;
      lock.unlock();
      waiting.job();
      waiting.job = nullptr;  // what it holds is released before anybody can see it as ended
      lock_soon(lock);
      me.runs_job = false;
      seat->job = 0;
      --shared->busy;
      if (std::exchange(seat->is_abandoned, false)) --shared->hanging;
      if (me.work) {
        shared->call_one();
        lock.unlock();
        std::exchange(me.work, nullptr)();
        lock_soon(lock);
        me.is_called = false;
      }
      if (shared->serving() > shared->size + 1) {  // its place was filled meanwhile
        shared->call_one();
        break;
      }
    }
    shared->seats.erase(seat);
    shared->left.notify_all();
  }
};

ThreadPool::ThreadPool(std::size_t size) : shared_(std::make_shared<Shared>(size)) {
  PAWL_ASSERT(size > 0);
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  for (std::size_t i = 0; i < size + 1; ++i) Shared::spawn(shared_);
}

ThreadPool::~ThreadPool() {
  close();
}

Executor::JobId ThreadPool::post_by_priority(Job job, int priority) {
  std::vector<Posting> one;
  one.push_back({std::move(job), priority});
  return post_all(std::move(one)).front();
}

std::vector<Executor::JobId> ThreadPool::post_all(std::vector<Posting> jobs) {
  std::vector<JobId> ids;
  ids.reserve(jobs.size());
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  for (Posting& one : jobs)
    ids.push_back(shared_->closed ? ++shared_->last_job : shared_->add(std::move(one)));
  if (!shared_->closed) shared_->call_for(jobs.size());
  return ids;
}

Executor::Abandoned ThreadPool::abandon(JobId job) {
  Job dropped;  // destroyed after the lock is released
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  const auto found =
      std::find_if(shared_->seats.begin(), shared_->seats.end(),
                   [job](const Shared::Seat& seat) { return job != 0 && seat.job == job; });
  if (found == shared_->seats.end()) {
    for (auto& [priority, waiting] : shared_->queue)
      if (const auto queued =
              std::find_if(waiting.begin(), waiting.end(),
                           [job](const Shared::Waiting& one) { return one.id == job; });
          queued != waiting.end())
        dropped = std::exchange(queued->job, nullptr);
    return Abandoned::gone;
  }
  if (found->is_abandoned) return Abandoned::replaced;
  found->is_abandoned = true;
  ++shared_->hanging;
  if (shared_->closed || shared_->seats.size() > 2 * shared_->size) return Abandoned::exhausted;
  Shared::spawn(shared_);
  return Abandoned::replaced;
}

bool ThreadPool::after_job(std::function<void()> work) {
  Shared::Here& me = Shared::here();
  if (!me.runs_job || me.work) return false;
  me.work = std::move(work);
  return true;
}

bool ThreadPool::is_called() {
  return Shared::here().is_called;
}

std::size_t ThreadPool::hanging() const {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  return shared_->hanging;
}

void ThreadPool::close() {
  Shared::Queue dropped;  // destroyed after the lock is released
  std::unique_lock<std::mutex> lock(shared_->mutex);
  shared_->closed = true;
  dropped.swap(shared_->queue);
  shared_->work.notify_all();
  shared_->left.wait(lock, [&] { return shared_->seats.size() == shared_->busy; });
}

}  // namespace pawl
