/// The step types that the pawl command knows.
#pragma once

#include <pawl/steps.hpp>

#include "tools/spawner.hpp"

#include <memory>

namespace pawl::tools {

/// Given: `spawner`, which starts the programs of `shell`; null where nothing will run.
Steps builtin_steps(std::shared_ptr<Spawner> spawner);

}  // namespace pawl::tools
