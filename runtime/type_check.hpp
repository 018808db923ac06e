/// TypeCheck: whether a step's type is known to the program, and takes its parameters.
#pragma once

#include <pawl/error.hpp>
#include <pawl/json.hpp>
#include <pawl/step_type.hpp>

#include <string>
#include <vector>

namespace pawl {

/// What is wrong with a name that may have dots, as those of flows and step types may; empty if it
/// is good.
std::string dotted_name_complaint(const char* what, const std::string& name);

/// Adds what is wrong with a step's `run` and `with`.
///
/// Given: `types`, or null, which leaves everything but the name's form unchecked; `pointer`, where
///        the step, or its undo, stands.
void check_type(const std::string& name, const json& with, const StepTypes* types,
                const std::string& pointer, std::vector<Problem>& problems);

}  // namespace pawl
