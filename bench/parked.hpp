/// What runs cost that only wait.
#pragma once

#include <pawl/json.hpp>

namespace pawl::bench {

/// Starts `runs` runs that sleep for days, and opens the store anew with all of them; then 50,000
/// that get due at 10,000 a second, and measures how late each of those goes on. Gives memory,
/// times and rates as one line of JSON.
json measure_parked(int runs);

}  // namespace pawl::bench
