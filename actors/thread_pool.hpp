/// ThreadPool: the threads that user functions run on; bounded, and not brought down by one that
/// hangs.
#pragma once

#include <pawl/executor.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// Invariants:
/// 1. At most `size` jobs are under way that have not been abandoned, and at most `2 * size` in
/// all.
/// 2. There is one thread more than that, for one may do what its job has left (`after_job`).
/// 3. An abandoned job's thread takes no further job while its place is filled by another.
/// 4. Of the jobs that wait, one of the highest priority is taken first, of equal ones the oldest.
/// 5. `close` waits for no job: threads that hang are left to themselves and touch nothing of the
/// pool afterwards.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(std::size_t size);
  ~ThreadPool() override;

  JobId post(Job job) override { return post_by_priority(std::move(job), 0); }

  JobId post_by_priority(Job job, int priority) override;
  std::vector<JobId> post_all(std::vector<Posting> jobs) override;
  Abandoned abandon(JobId job) override;
  std::size_t hanging() const override;

  /// Runs `work` on this thread when its job has returned, instead of the next job, which others
  /// take meanwhile. It must not throw.
  ///
  /// Returns: false on a thread that runs no pool's job, or whose job has left something already.
  static bool after_job(std::function<void()> work);

  /// Whether this thread, which does what its job has left, has a job to take: one that was posted
  /// by it meanwhile, for which no other thread was called.
  static bool is_called();

  /// Drops the jobs that have not begun and waits until the idle threads have ended. Jobs under way
  /// go on.
  void close();

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;
};

}  // namespace pawl
