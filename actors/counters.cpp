#include "actors/counters.hpp"

#include <algorithm>
#include <vector>

namespace pawl {

void Counters::note_commit(std::int64_t batch, std::int64_t duration_us) {
  const std::int64_t n = commits.fetch_add(1);
  commit_us_[static_cast<std::size_t>(n) % commit_us_.size()] = duration_us;
  writes += batch;
  if (batch > batch_max) batch_max = batch;
}

EngineStats Counters::stats() const {
  EngineStats stats;
  for (std::size_t i = 1; i < live_runs.size(); ++i) {
    const auto state = static_cast<RunState>(i);
    if (is_ended(state))
      stats.ended_runs[state] = ended_runs[i];
    else
      stats.live_runs[state] = live_runs[i];
  }
  stats.steps_completed = steps_completed;
  stats.attempts_running = attempts_running;
  stats.writes_waiting = writes_waiting;
  stats.commits = commits;
  stats.writes = writes;
  stats.batch_max = batch_max;
  stats.wal_bytes = wal_bytes;
  const std::size_t known = std::min(static_cast<std::size_t>(stats.commits), commit_us_.size());
  std::vector<std::int64_t> durations(commit_us_.begin(),
                                      commit_us_.begin() + static_cast<std::ptrdiff_t>(known));
  std::sort(durations.begin(), durations.end());
  if (!durations.empty()) {
    stats.commit_us_p50 = durations[durations.size() / 2];
    stats.commit_us_p99 = durations[durations.size() * 99 / 100];
  }
  return stats;
}

json EngineStats::to_json_value() const {
  const auto by_state = [](const std::map<RunState, std::int64_t>& counts) {
    json object = json::object();
    for (const auto& [state, count] : counts) object[std::string(to_string(state))] = count;
    return object;
  };
  return json{{"live_runs", by_state(live_runs)},
              {"ended_runs", by_state(ended_runs)},
              {"steps_completed", steps_completed},
              {"attempts_running", attempts_running},
              {"writes_waiting", writes_waiting},
              {"commits", commits},
              {"writes", writes},
              {"batch_max", batch_max},
              {"commit_us_p50", commit_us_p50},
              {"commit_us_p99", commit_us_p99},
              {"wal_bytes", wal_bytes},
              {"threads_hanging", threads_hanging}};
}

}  // namespace pawl
