/// Retention: which ended runs a store need not keep. An unfinished run stays whatever its age. A
/// child's run goes with its parent's, never before it, and counts as a part of it.
#pragma once

#include <pawl/error.hpp>
#include <pawl/store.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace pawl {

/// What is to be removed: ended runs of which all of it holds, those that ended first before the
/// others. One of the first two must be given.
struct PruneOptions {
  std::optional<std::int64_t> ended_before_ms = {};  ///< only runs that ended earlier
  std::optional<std::size_t> keep_newest = {};       ///< but for so many, those that ended last
  std::size_t limit = std::numeric_limits<std::size_t>::max();  ///< at most so many runs
};

/// What a prune came to.
struct Pruned {
  std::size_t runs = 0;  ///< removed
  bool more = false;     ///< there may be more that could go
};

/// What an engine keeps by itself: whatever is older, or more, is removed now and then.
struct Retention {
  std::optional<std::int64_t> max_age_ms = {};  ///< since the run's end
  std::optional<std::size_t> max_runs = {};     ///< ended runs; those that ended first go first
  std::int64_t check_every_ms = 60'000;
};

/// Errors: Errc::invalid_argument where nothing says what may go: a prune never means everything by
///         default.
Result<void> check(const PruneOptions& options);

/// The next transaction's worth of a prune that has removed `removed` runs so far.
PruneRuns next_portion(const PruneOptions& options, std::size_t removed);

/// The ones of `runs`, which are all of a store as `list` gives them, that a prune without bounds
/// on its size removes, in their order. Children, which go with their parents, are not among them.
std::vector<RunRow> prunable(std::vector<RunRow> runs, const PruneRuns& prune);

}  // namespace pawl
