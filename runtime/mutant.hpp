/// Mutants: seeded bugs that a test build can switch on one at a time, to show that the tests would
/// notice.
#pragma once

#include <string_view>

namespace pawl {

#ifdef PAWL_MUTANTS
/// Whether the bug `name` is switched on: by `set_mutant`, or the environment variable PAWL_MUTANT.
bool mutant(std::string_view name);

/// Switches one bug on, and all others off; none with an empty name.
///
/// Threads: while nothing of pawl runs.
void set_mutant(std::string_view name);
#else
/// In every normal build: no such bug exists, and the compiler removes the branch.
constexpr bool mutant(std::string_view) {
  return false;
}
#endif

}  // namespace pawl
