/// A long load: whether rate, log, store and memory stay where they are.
#pragma once

#include <pawl/json.hpp>

namespace pawl::bench {

/// For `seconds`, 1,000 flows of 10 steps at once, one following the other, of which the store
/// keeps the newest 100,000. Gives one line of JSON, with the course in `samples`, 60 of them.
json measure_steadiness(int seconds);

}  // namespace pawl::bench
