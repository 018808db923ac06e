/// The time that passes.
#pragma once

#include <chrono>

namespace pawl::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

}  // namespace pawl::bench
