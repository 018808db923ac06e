/// How long a step's result takes to become durable and be told, at some number of runs at once.
#pragma once

#include <pawl/json.hpp>

namespace pawl::bench {

/// Runs `flows` flows of `steps` sequential steps at once. A step's latency is the time from its
/// function's return to the event that tells of its completion.
///
/// Given: `attempts_max`, as of EngineOptions; 0 for its default.
json measure_latency(int flows, int steps, int attempts_max = 0);

}  // namespace pawl::bench
