/// The record that an attempt leaves: pure rules from what the step answered to what is written.
#pragma once

#include <pawl/record.hpp>
#include <pawl/retry_policy.hpp>
#include <pawl/step.hpp>

#include <cstdint>

namespace pawl {

/// What is known of an attempt when it ends.
struct AttemptFacts {
  std::string step;
  int attempt = 1;
  int failures = 0;  ///< counted attempts that failed before this one
  RetryPolicy retry;
  bool at_most_once = false;
  Digest input_digest;
  std::int64_t started_ms = 0;
  std::int64_t duration_ms = 0;
  std::int64_t now_ms = 0;   ///< the wait before a next attempt counts from here
  std::uint64_t random = 0;  ///< picks the jitter of that wait
};

/// The record of an attempt that answered in time: an output, or a receipt that says why there is
/// none.
///
/// Given: `reason`, why the attempt had been asked to stop, if it had. A stopped attempt that still
/// gives an output
///        counts as done.
Record conclude(const AttemptFacts& facts, StepResult result, Cancellation::Reason reason);

/// The receipt of an attempt that gave no answer within `timeout_ms`.
Record conclude_timed_out(const AttemptFacts& facts, std::int64_t timeout_ms);

/// The receipt of an attempt that neither ended nor reported progress for `heartbeat_ms`.
Record conclude_silent(const AttemptFacts& facts, std::int64_t heartbeat_ms);

/// The receipt of an attempt that could not be performed: its parameters were refused.
Record conclude_refused(const AttemptFacts& facts, const Error& why);

/// The receipt of an answer that came after its attempt had ended: `answer` is what `conclude` made
/// of it.
Record conclude_late(Record answer, bool keep_output);

/// The receipt of an attempt whose process died or closed before it ended.
Record conclude_unanswered(const std::string& step, int attempt, AttemptEnd end);

}  // namespace pawl
