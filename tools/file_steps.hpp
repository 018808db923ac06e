/// The step types `file.read` and `file.write`.
#pragma once

#include <pawl/step.hpp>
#include <pawl/step_type.hpp>

namespace pawl::tools {

StepResult read_file_step(const StepCall& call);
StepTypeInfo read_file_info();

/// Writes atomically: whoever looks finds the old file or the new one, and after a power loss too.
StepResult write_file_step(const StepCall& call);
StepTypeInfo write_file_info();

}  // namespace pawl::tools
