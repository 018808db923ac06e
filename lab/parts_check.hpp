/// What must hold of maps and undos, as far as a stored run shows it. Knows the flow's language and
/// nothing of the machine.
#pragma once

#include <pawl/store.hpp>

#include "lab/checker.hpp"
#include "runtime/plan.hpp"

#include <vector>

namespace pawl::lab {

std::vector<Breach> check_parts(const Plan& plan, const StoredRun& run);

}  // namespace pawl::lab
