/// What must hold of attempts that wait for each other: keys, limits and rates of step types, and
/// priorities, as far as a history shows it. Knows nothing of the queue.
#pragma once

#include <pawl/store.hpp>

#include "lab/checker.hpp"

#include <vector>

namespace pawl::lab {

/// Gives the first breach of each invariant.
///
/// Given: `runs`, what is stored after the last life.
std::vector<Breach> check_turns(const Scenario& scenario, const HistoryView& history,
                                const std::vector<StoredRun>& runs);

}  // namespace pawl::lab
