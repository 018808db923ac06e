/// Validation: everything that is wrong with a flow, at once.
#pragma once

#include <pawl/step_type.hpp>

#include "runtime/plan.hpp"

#include <vector>

namespace pawl {

/// All problems of `draft`, its own included, ordered by JSON pointer; at most
/// `Limits::problems_max`.
///
/// Given: `types`, the step types that the program knows, or null to leave types unchecked.
std::vector<Problem> validate(const FlowDraft& draft, const StepTypes* types);

/// What a run's merged input lacks: one problem per reference to the input that is neither optional
/// nor satisfied.
std::vector<Problem> missing_input(const Plan& plan, const json& input);

}  // namespace pawl
