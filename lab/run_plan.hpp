/// RunPlan: which plan a run of a case follows: the scenario's, or that of a child within it.
#pragma once

#include <pawl/lab.hpp>

#include "runtime/plan.hpp"

#include <string>

namespace pawl::lab {

/// The plan of a run that the scenario starts, or of a child below one; null for a run that does
/// not belong there.
const Plan* plan_of_run(const Scenario& scenario, const std::string& run);

/// Whether `run` is a child of `parent`, or of one of its children.
bool is_below(const std::string& run, const std::string& parent);

}  // namespace pawl::lab
