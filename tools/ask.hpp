/// How commands that change a run reach it: through its store's owner, or as its owner for a
/// moment.
#pragma once

#include <pawl/control.hpp>
#include <pawl/store.hpp>

#include "tools/console.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace pawl::tools {

/// The store, owned for a moment without an engine, which would go on with the run.
///
/// Errors: Errc::in_use when there is another owner.
Result<std::unique_ptr<Store>> own_store(const Settings& settings);

/// Does what is asked `here`, as the store's owner, or has the owner do it.
///
/// Given: `here`, which fails with Errc::in_use when there is another owner.
Result<RunState> ask(const Settings& settings, const ControlQuestion& question,
                     const std::function<Result<RunState>()>& here);

/// Tells what became of the run.
ExitCode tell(Console& console, const std::string& run, const Result<RunState>& state);

}  // namespace pawl::tools
