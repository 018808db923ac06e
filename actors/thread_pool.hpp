/// ThreadPool: the threads that user functions run on; bounded, and not brought down by one that
/// hangs.
#pragma once

#include <pawl/executor.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// Invariants:
/// 1. At most `size` threads take jobs; at most `2 * size` exist.
/// 2. An abandoned job's thread takes no further job while its place is filled by another.
/// 3. Of the jobs that wait, one of the highest priority is taken first, of equal ones the oldest.
/// 4. `close` waits for no job: threads that hang are left to themselves and touch nothing of the
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

  /// Drops the jobs that have not begun and waits until the idle threads have ended. Jobs under way
  /// go on.
  void close();

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;
};

}  // namespace pawl
