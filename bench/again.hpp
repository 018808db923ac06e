/// This program, run once more in a process of its own.
#pragma once

#include <pawl/json.hpp>

#include <string>

namespace pawl::bench {

/// Runs it with `arguments` and gives the line of JSON that it prints; null if it failed.
json run_again(const std::string& arguments);

}  // namespace pawl::bench
