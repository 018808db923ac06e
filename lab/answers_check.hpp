/// What must hold of what steps answered, as history and store show it.
#pragma once

#include "lab/checker.hpp"

#include <vector>

namespace pawl::lab {

/// Gives the first breach of each invariant.
std::vector<Breach> check_answers(const HistoryView& history, const std::vector<StoredRun>& runs);

}  // namespace pawl::lab
