#include "runtime/attempt.hpp"

#include <pawl/limits.hpp>

#include "runtime/mutant.hpp"

#include <memory>
#include <utility>

namespace pawl {

namespace {

Record receipt(const AttemptFacts& facts, AttemptEnd end) {
  Record record;
  record.kind = RecordKind::receipt;
  record.end = end;
  record.step = facts.step;
  record.attempt = facts.attempt;
  record.started_ms = facts.started_ms;
  record.duration_ms = facts.duration_ms;
  record.input_digest = facts.input_digest;
  return record;
}

/// A counted failure: says when the next attempt is due, if there is to be one.
Record failure(const AttemptFacts& facts, AttemptEnd end, Errc code, std::string_view message) {
  Record record = receipt(facts, end);
  record.body = error_body(code, message);
  const int failures = facts.failures + 1;
  if (failures < facts.retry.max_attempts)
    record.due_ms = facts.now_ms + delay_ms(facts.retry, failures, facts.random);
  return record;
}

}  // namespace

Record conclude(const AttemptFacts& facts, StepResult result, Cancellation::Reason reason) {
  if (result.kind == StepResult::Kind::done) {
    Result<std::string> text = canonical_json(result.output, Limits::output_bytes_max);
    if (!text) {
      Record refused = receipt(facts, AttemptEnd::fatal);
      refused.body =
          error_body(text.error().code, "the step's output was refused: " + text.error().message);
      return refused;
    }
    Record record = receipt(facts, AttemptEnd::succeeded);
    record.kind = RecordKind::output;
    record.body = std::move(*text);
    record.output_digest = digest_of(record.body);
    record.value = std::make_shared<const json>(std::move(result.output));
    if (mutant("empty_output_stored")) record.body = "null";
    return record;
  }
  // What may happen only once is not repeated unless its code vouches that nothing has happened.
  const bool in_doubt = facts.at_most_once && result.unclear && !mutant("throw_vouches");
  const bool refused = facts.at_most_once && result.kind == StepResult::Kind::fail;
  if (!refused &&
      (reason == Cancellation::Reason::interrupted || reason == Cancellation::Reason::cancelled)) {
    const bool cancelled = reason == Cancellation::Reason::cancelled;
    Record record = receipt(facts, cancelled ? AttemptEnd::cancelled : AttemptEnd::interrupted);
    record.body = error_body(cancelled  ? Errc::cancelled
                             : in_doubt ? Errc::in_doubt
                                        : Errc::closed,
                             result.message);
    return record;
  }
  if (result.kind == StepResult::Kind::retry)
    return failure(facts, AttemptEnd::failed, in_doubt ? Errc::in_doubt : Errc::step_failed,
                   result.message);
  Record record = receipt(facts, AttemptEnd::fatal);
  record.body = error_body(Errc::step_failed, result.message);
  return record;
}

Record conclude_timed_out(const AttemptFacts& facts, std::int64_t timeout_ms) {
  return failure(facts, AttemptEnd::timed_out, Errc::deadline,
                 "no answer within " + std::to_string(timeout_ms) + " ms");
}

Record conclude_silent(const AttemptFacts& facts, std::int64_t heartbeat_ms) {
  return failure(
      facts, AttemptEnd::timed_out, Errc::deadline,
      "no heartbeat: it reported no progress for " + std::to_string(heartbeat_ms) + " ms");
}

Record conclude_refused(const AttemptFacts& facts, const Error& why) {
  Record record = receipt(facts, AttemptEnd::fatal);
  record.body =
      error_body(why.code, "the step's parameters: " + (why.where.empty() ? "" : why.where + ": ") +
                               why.message);
  return record;
}

Record conclude_late(Record answer, bool keep_output) {
  if (answer.kind == RecordKind::output && !keep_output)
    answer.body =
        error_body(Errc::deadline, "an output came after the attempt had ended; it was not used");
  answer.kind = RecordKind::receipt;
  answer.end = AttemptEnd::late;
  answer.due_ms = 0;
  answer.value.reset();
  return answer;
}

Record conclude_unanswered(const std::string& step, int attempt, AttemptEnd end) {
  AttemptFacts facts;
  facts.step = step;
  facts.attempt = attempt;
  return receipt(facts, end);
}

}  // namespace pawl
