/// Shrinking: the simplest case that still breaks the same promise.
#pragma once

#include "lab/case_runner.hpp"

#include <string>

namespace pawl::lab {

/// Leaves out of `lab_case` what is not needed for a breach of `invariant`: runs, lives, faults,
/// bad weather, chance, and the length of its lives.
LabCase shrink(const Scenario& scenario, LabCase lab_case, const std::string& invariant);

}  // namespace pawl::lab
