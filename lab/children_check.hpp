/// ChildrenCheck: what must hold between stored runs and those of their children.
#pragma once

#include "lab/checker.hpp"

#include <string>
#include <vector>

namespace pawl::lab {

/// What is wrong with the children among the runs of a case.
std::vector<Breach> check_children(const Scenario& scenario, const std::vector<StoredRun>& runs);

}  // namespace pawl::lab
