#include <pawl/assert.hpp>
#include <pawl/retry_policy.hpp>

#include <algorithm>

namespace pawl {

bool RetryPolicy::operator==(const RetryPolicy& other) const {
  return max_attempts == other.max_attempts && initial_ms == other.initial_ms &&
         factor_permille == other.factor_permille && max_ms == other.max_ms &&
         jitter_permille == other.jitter_permille;
}

std::int64_t longest_delay_ms(const RetryPolicy& policy, int failures) {
  PAWL_ASSERT(failures >= 1);
  std::int64_t delay = std::min(policy.initial_ms, policy.max_ms);
  if (policy.factor_permille == 1000) return delay;
  for (int i = 1; i < failures && delay < policy.max_ms; ++i) {
    // Limits::delay_ms_max times the largest factor stays far below 2^63.
    const std::int64_t next = delay * policy.factor_permille / 1000;
    if (next == delay) break;  // too small to grow
    delay = std::min(next, policy.max_ms);
  }
  return delay;
}

std::int64_t delay_ms(const RetryPolicy& policy, int failures, std::uint64_t random) {
  const std::int64_t longest = longest_delay_ms(policy, failures);
  const std::int64_t spread =
      longest / 1000 * policy.jitter_permille + longest % 1000 * policy.jitter_permille / 1000;
  return longest - static_cast<std::int64_t>(random % (static_cast<std::uint64_t>(spread) + 1));
}

}  // namespace pawl
