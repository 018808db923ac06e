/// Executor: where the user's functions run, so that a test can run them in its own order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace pawl {

/// Threads: every member may be called from any thread.
class Executor {
 public:
  using Job = std::function<void()>;
  using JobId = std::uint64_t;

  /// A job, and how it ranks among those that wait for a thread.
  struct Posting {
    Job job;
    int priority = 0;
  };

  enum class Abandoned {
    replaced,   ///< the job's thread was given up; another took its place
    exhausted,  ///< no further thread is allowed: as long as jobs hang, there are fewer threads for
                ///< the others
    gone,       ///< the job has ended, or had never begun and will not
  };

  virtual ~Executor() = default;

  /// Runs `job` some time, on a thread of the executor's choosing. Jobs must not throw.
  virtual JobId post(Job job) = 0;

  /// The same; of jobs that wait for a thread, those of a higher `priority` go first, if the
  /// executor can do that.
  virtual JobId post_by_priority(Job job, int priority) {
    static_cast<void>(priority);
    return post(std::move(job));
  }

  /// The same for several, in this order: an executor may spare its threads being woken for each.
  ///
  /// Returns: their ids, in this order.
  virtual std::vector<JobId> post_all(std::vector<Posting> jobs) {
    std::vector<JobId> ids;
    ids.reserve(jobs.size());
    for (Posting& one : jobs) ids.push_back(post_by_priority(std::move(one.job), one.priority));
    return ids;
  }

  /// Says that nobody waits for this job any more. If it hangs, the executor makes up for its
  /// thread.
  virtual Abandoned abandon(JobId job) = 0;

  /// How many jobs hang: were abandoned and have not ended.
  virtual std::size_t hanging() const = 0;
};

}  // namespace pawl
