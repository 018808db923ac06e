#include <pawl/limits.hpp>
#include <pawl/retry_policy.hpp>

#include "support/catch.hpp"

using namespace pawl;

TEST_CASE("retry: waits grow by the factor up to the longest", "[runtime]") {
  const RetryPolicy policy{10, 200, 2000, 1000, 0};
  const auto [failures, expected] = GENERATE(table<int, std::int64_t>(
      {{1, 200}, {2, 400}, {3, 800}, {4, 1000}, {5, 1000}, {1'000'000, 1000}}));
  CHECK(delay_ms(policy, failures, 12345) == expected);
}

TEST_CASE("retry: a factor need not be whole", "[runtime]") {
  const RetryPolicy policy{10, 100, 1500, 100'000, 0};
  CHECK(longest_delay_ms(policy, 2) == 150);
  CHECK(longest_delay_ms(policy, 3) == 225);
  CHECK(longest_delay_ms(policy, 4) == 337);
}

TEST_CASE("retry: a constant wait stays constant, and no wait stays none", "[runtime]") {
  CHECK(longest_delay_ms({9, 50, 1000, 1000, 0}, 1'000'000'000) == 50);
  CHECK(longest_delay_ms({9, 0, 2000, 1000, 0}, 1'000'000'000) == 0);
  CHECK(longest_delay_ms({9, 1, 1001, 1000, 0}, 1'000'000'000) ==
        1);  // grows by less than a millisecond
}

TEST_CASE("retry: jitter only shortens, and by no more than its share", "[runtime]") {
  const RetryPolicy policy{10, 10'000, 2000, 60'000, 250};
  std::int64_t shortest = 10'000;
  std::int64_t longest = 0;
  for (std::uint64_t random = 0; random < 5000; ++random) {
    const std::int64_t delay = delay_ms(policy, 1, random * 0x9E3779B97F4A7C15u);
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
  }
  CHECK(shortest >= 7500);
  CHECK(shortest < 7600);
  CHECK(longest <= 10'000);
  CHECK(longest > 9900);
}

TEST_CASE("retry: the largest policy does not overflow", "[runtime]") {
  const RetryPolicy policy{Limits::attempts_max, Limits::delay_ms_max, 1'000'000,
                           Limits::delay_ms_max, 1000};
  CHECK(longest_delay_ms(policy, Limits::attempts_max) == Limits::delay_ms_max);
  CHECK(delay_ms(policy, 2, ~0ull) >= 0);
}
