/// Executor: where the user's functions run, so that a test can run them in its own order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace pawl {

/// Threads: every member may be called from any thread.
class Executor {
 public:
  using Job = std::function<void()>;
  using JobId = std::uint64_t;

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

  /// Says that nobody waits for this job any more. If it hangs, the executor makes up for its
  /// thread.
  virtual Abandoned abandon(JobId job) = 0;

  /// How many jobs hang: were abandoned and have not ended.
  virtual std::size_t hanging() const = 0;
};

}  // namespace pawl
