#include <pawl/retention.hpp>

#include <algorithm>
#include <utility>

namespace pawl {

Result<void> check(const PruneOptions& options) {
  if (options.ended_before_ms || options.keep_newest) return {};
  return make_error(Errc::invalid_argument,
                    "nothing says what may be removed: give an age, or how many to keep");
}

PruneRuns next_portion(const PruneOptions& options, std::size_t removed) {
  PruneRuns portion;
  if (options.ended_before_ms) portion.ended_before_ms = *options.ended_before_ms;
  portion.keep_newest = options.keep_newest.value_or(0);
  portion.runs_max = std::min(portion.runs_max, options.limit - std::min(options.limit, removed));
  return portion;
}

std::vector<RunRow> prunable(std::vector<RunRow> runs, const PruneRuns& prune) {
  const auto stays = [](const RunRow& run) { return !is_ended(run.state) || !run.parent.empty(); };
  runs.erase(std::remove_if(runs.begin(), runs.end(), stays), runs.end());
  std::sort(runs.begin(), runs.end(), [](const RunRow& a, const RunRow& b) {
    return std::pair(a.ended_ms, a.key) < std::pair(b.ended_ms, b.key);
  });
  runs.resize(runs.size() - std::min(runs.size(), prune.keep_newest));
  const auto first_to_stay = std::find_if(runs.begin(), runs.end(), [&](const RunRow& run) {
    return run.ended_ms >= prune.ended_before_ms;
  });
  runs.erase(first_to_stay, runs.end());
  return runs;
}

}  // namespace pawl
