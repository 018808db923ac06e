/// WorldExecutor: runs the user's functions when the world picks them, one at a time, on the
/// world's own thread.
#pragma once

#include <pawl/executor.hpp>

#include <cstddef>
#include <deque>
#include <set>
#include <utility>

namespace pawl::lab {

/// Threads: one.
class WorldExecutor final : public Executor {
 public:
  JobId post(Job job) override {
    jobs.emplace_back(++last_, std::move(job));
    return last_;
  }

  Abandoned abandon(JobId job) override {
    if (running_.count(job) > 0) {
      hanging_.insert(job);
      return Abandoned::replaced;
    }
    for (auto at = jobs.begin(); at != jobs.end(); ++at)
      if (at->first == job) {
        jobs.erase(at);
        break;
      }
    return Abandoned::gone;
  }

  std::size_t hanging() const override { return hanging_.size(); }

  /// Runs the job at this place of the queue. It may come back here, for a step that takes its time
  /// lets others go on.
  void run(std::size_t place) {
    const auto at = jobs.begin() + static_cast<std::ptrdiff_t>(place);
    const auto [id, job] = std::move(*at);
    jobs.erase(at);
    running_.insert(id);
    job();
    running_.erase(id);
    hanging_.erase(id);
  }

  std::deque<std::pair<JobId, Job>> jobs;

 private:
  std::set<JobId> running_;
  std::set<JobId> hanging_;
  JobId last_ = 0;
};

}  // namespace pawl::lab
