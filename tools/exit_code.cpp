#include "tools/exit_code.hpp"

namespace pawl::tools {

ExitCode exit_code_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
    case Errc::invalid_json:
    case Errc::invalid_flow:
    case Errc::invalid_input:
    case Errc::unknown_run:
    case Errc::run_differs:
    case Errc::too_large: return ExitCode::usage;
    case Errc::run_ended:
    case Errc::attempt_ended:
    case Errc::step_failed:
    case Errc::attempts_exhausted:
    case Errc::child_failed:
    case Errc::unresolved_reference:
    case Errc::diverged:
    case Errc::cancelled: return ExitCode::failed;
    case Errc::in_doubt:
    case Errc::inputs_differ:
    case Errc::undo_failed:
    case Errc::paused:
    case Errc::crash_loop:
    case Errc::unknown_step_type:
    case Errc::closed:
    case Errc::deadline: return ExitCode::unfinished;
    case Errc::in_use:
    case Errc::fenced:
    case Errc::store_moved:
    case Errc::rolled_back:
    case Errc::io:
    case Errc::full:
    case Errc::busy:
    case Errc::corrupt:
    case Errc::foreign_file:
    case Errc::newer_format:
    case Errc::engine_lost:
    case Errc::internal: return ExitCode::store;
  }
  return ExitCode::store;
}

ExitCode exit_code_of(RunState state) {
  switch (state) {
    case RunState::succeeded: return ExitCode::succeeded;
    case RunState::failed:
    case RunState::cancelled: return ExitCode::failed;
    case RunState::running:
    case RunState::waiting:
    case RunState::blocked:
    case RunState::paused:
    case RunState::failing:
    case RunState::cancelling: return ExitCode::unfinished;
  }
  return ExitCode::unfinished;
}

}  // namespace pawl::tools
