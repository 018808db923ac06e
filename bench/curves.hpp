/// What `./dev bench --plots` draws.
#pragma once

#include <string>

namespace pawl::bench {

/// Measures the curves and writes each to `folder` as lines of numbers, `latency.dat`, `rate.dat`,
/// `flat.dat` and `steady.dat`, with the names of the columns in a first line that begins with '#'.
/// Takes about half an hour more than `steady_s`. Gives the program's exit status.
int write_curves(const std::string& folder, int flat_steps, int steady_s);

}  // namespace pawl::bench
