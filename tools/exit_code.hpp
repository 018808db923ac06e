/// The command's exit codes, one meaning each.
#pragma once

#include <pawl/error.hpp>
#include <pawl/run_state.hpp>

namespace pawl::tools {

enum class ExitCode {
  succeeded = 0,
  failed = 1,  ///< the run failed or was cancelled
  usage = 2,   ///< bad usage, unknown run, invalid flow, or the same id with another flow or input
  store = 3,   ///< the store refused or failed; or `verify` found something
  unfinished = 4,  ///< interrupted, waiting, blocked or paused: it can be resumed
};

ExitCode exit_code_of(Errc code);
ExitCode exit_code_of(RunState state);

}  // namespace pawl::tools
