/// What must hold of the steps that no attempt performs, as far as a stored run shows it. Knows the
/// flow's language and nothing of the machine.
#pragma once

#include <pawl/store.hpp>

#include "lab/checker.hpp"
#include "runtime/plan.hpp"

#include <set>
#include <string>
#include <vector>

namespace pawl::lab {

/// The steps that the run's stored decisions exclude.
std::set<std::string> excluded_steps(const Plan& plan, const StoredRun& run);

/// Gives the first breach of each invariant.
///
/// Given: `acknowledged`, the ids of the run's signals whose senders were answered.
std::vector<Breach> check_own_steps(const Plan& plan, const StoredRun& run,
                                    const std::set<std::string>& acknowledged);

}  // namespace pawl::lab
