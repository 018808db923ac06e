#include "actors/dispatch.hpp"

#include <pawl/limits.hpp>
#include <pawl/point.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace pawl {

namespace {

/// Calls the user's code, which may do anything.
StepResult call_guarded(const StepBody::Function& body, const StepCall& call) {
  try {
    return body(call);
  } catch (const std::exception& thrown) {
    return unclear(std::string("threw: ") + thrown.what());
  } catch (...) {
    return unclear("threw something that is no std::exception");
  }
}

}  // namespace

Result<void> begin_body(Dispatch& dispatch, const EngineSeams& seams) {
  Result<std::string> input = canonical_json(dispatch.call.with, Limits::with_bytes_max);
  dispatch.started_ms = seams.clock->now_ms();
  if (input) dispatch.input_digest = digest_of(*input);
  // A clock at its first microsecond must not look like an attempt that has not begun.
  const std::int64_t now_us = seams.clock->steady_us();
  dispatch.began_us.store(now_us == 0 ? 1 : now_us, std::memory_order_release);
  if (!input) return input.error();
  if (dispatch.expected_input != Digest{} && dispatch.input_digest != dispatch.expected_input)
    return make_error(Errc::inputs_differ, "they are not those of its earlier attempts");
  return {};
}

std::optional<Record> claim_or_conclude(Dispatch& dispatch) {
  if (dispatch.claim()) return std::nullopt;
  dispatch.began_us.store(0, std::memory_order_release);  // it has not begun, and never will
  return conclude_unanswered(dispatch.call.step, dispatch.call.attempt, AttemptEnd::interrupted);
}

EngineEvent event_of(EventKind kind, const Dispatch& dispatch) {
  EngineEvent event;
  event.kind = kind;
  event.run = dispatch.call.run;
  event.step = dispatch.call.step;
  event.type = dispatch.type;
  event.attempt = dispatch.call.attempt;
  return event;
}

AttemptFacts facts_of(const Dispatch& dispatch, const EngineSeams& seams) {
  AttemptFacts facts;
  facts.step = dispatch.call.step;
  facts.attempt = dispatch.call.attempt;
  facts.failures = dispatch.failures;
  facts.retry = dispatch.retry;
  facts.at_most_once = dispatch.at_most_once;
  facts.now_ms = seams.clock->now_ms();
  facts.random = seams.random->next();
  if (const std::int64_t began_us = dispatch.began_us.load(std::memory_order_acquire)) {
    facts.started_ms = dispatch.started_ms;
    facts.input_digest = dispatch.input_digest;
    facts.duration_ms = (seams.clock->steady_us() - began_us) / 1000;
  }
  return facts;
}

Record perform(const StepBody::Function& body, Dispatch& dispatch, const EngineSeams& seams) {
  const Result<void> begun = begin_body(dispatch, seams);
  if (!begun) return conclude_refused(facts_of(dispatch, seams), begun.error());
  const StepCall& call = dispatch.call;
  if (std::optional<Record> withdrawn = claim_or_conclude(dispatch)) return std::move(*withdrawn);
  point("step.before_body", call.run, call.step, call.attempt);
  StepResult result = call_guarded(body, call);
  point("step.after_body", call.run, call.step, call.attempt);
  return conclude(facts_of(dispatch, seams), std::move(result), dispatch.cancellation().reason());
}

}  // namespace pawl
