/// Clock and RandomSource: where time and chance come from, so that a test can replace both.
#pragma once

#include <cstdint>

namespace pawl {

/// Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Milliseconds since the Unix epoch (UTC). May jump when somebody sets the machine's clock.
  virtual std::int64_t now_ms() const = 0;

  /// Microseconds since some moment; never goes back. For durations.
  virtual std::int64_t steady_us() const = 0;
};

/// Threads: any.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual std::uint64_t next() = 0;
};

}  // namespace pawl
