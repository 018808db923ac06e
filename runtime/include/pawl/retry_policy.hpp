/// RetryPolicy: how often an attempt is repeated, and how long to wait before.
#pragma once

#include <cstdint>

namespace pawl {

/// All arithmetic is on integers, so that every machine and compiler waits equally long.
struct RetryPolicy {
  int max_attempts = 3;           ///< attempts, not retries; at least 1
  std::int64_t initial_ms = 200;  ///< before the second attempt
  std::int64_t factor_permille =
      2000;  ///< each wait is this many thousandths of the one before; at least 1000
  std::int64_t max_ms = 30'000;  ///< no wait is longer
  std::int64_t jitter_permille =
      100;  ///< up to this share of the wait is left out, at random; at most 1000

  bool operator==(const RetryPolicy& other) const;
};

/// How long to wait after the `failures`-th failed attempt (1 for the first).
///
/// Given:   `random`, any number from the run's random source; it picks the jitter.
/// Returns: milliseconds, at most `longest_delay_ms(policy, failures)`.
std::int64_t delay_ms(const RetryPolicy& policy, int failures, std::uint64_t random);

/// The same without jitter, which only ever shortens a wait.
std::int64_t longest_delay_ms(const RetryPolicy& policy, int failures);

}  // namespace pawl
