/// What of an output may be shown.
#pragma once

#include <pawl/json.hpp>

#include "runtime/flow_machine.hpp"
#include "runtime/plan.hpp"

namespace pawl {

/// A step's output without what it marks secret; of a map that is marked in each element.
json shown_output(const PlannedStep& step, const json& output, Role role);

/// What a step, or a part of it, reported of itself: nobody knows which of its parameters or how
/// much of its output to come is in there, so where the step marks anything secret, nothing is
/// shown.
json shown_progress(const PlannedStep& step, const json& progress);

/// A run's output without what its flow marks secret. Without an `output` of its own the run shows
/// its last steps' outputs, and hides what they hide.
json shown_run_output(const Plan& plan, const json& output);

}  // namespace pawl
