/// Whether a store full of ended runs is as fast as an empty one.
#pragma once

#include <pawl/json.hpp>

namespace pawl::bench {

/// Measures 1,000 flows of 10 steps on an empty store, fills it with `steps` finished steps, opens
/// it, measures the same again, and once more while the old runs are pruned.
json measure_flatness(int steps);

}  // namespace pawl::bench
