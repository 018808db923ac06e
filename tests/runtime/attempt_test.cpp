#include "runtime/attempt.hpp"

#include <pawl/limits.hpp>
#include <pawl/run_state.hpp>

#include "support/catch.hpp"

using namespace pawl;

namespace {

AttemptFacts facts_after(int failures) {
  AttemptFacts facts;
  facts.step = "pay";
  facts.attempt = failures + 1;
  facts.failures = failures;
  facts.retry = RetryPolicy{3, 200, 2000, 30'000, 0};
  facts.input_digest = digest_of("in");
  facts.started_ms = 1000;
  facts.duration_ms = 50;
  facts.now_ms = 1050;
  return facts;
}

constexpr auto none = Cancellation::Reason::none;

}  // namespace

TEST_CASE("attempt: an answer done is the step's output", "[runtime]") {
  const Record record = conclude(facts_after(0), done({{"b", 1}, {"a", "x"}}), none);
  CHECK(record.kind == RecordKind::output);
  CHECK(record.end == AttemptEnd::succeeded);
  CHECK(record.body == R"({"a":"x","b":1})");
  CHECK(record.output_digest == digest_of(record.body));
  CHECK(*record.value == json::parse(record.body));
  CHECK(record.step == "pay");
  CHECK(record.attempt == 1);
  CHECK(record.started_ms == 1000);
  CHECK(record.duration_ms == 50);
  CHECK(record.input_digest == digest_of("in"));
}

TEST_CASE("attempt: a failure tells when the next attempt is due", "[runtime]") {
  const Record first = conclude(facts_after(0), retry("gateway down"), none);
  CHECK(first.kind == RecordKind::receipt);
  CHECK(first.end == AttemptEnd::failed);
  CHECK(first.due_ms == 1050 + 200);
  CHECK(error_from_body(first.body).code == Errc::step_failed);
  CHECK(error_from_body(first.body).message == "gateway down");
  CHECK(conclude(facts_after(1), retry(""), none).due_ms == 1050 + 400);
}

TEST_CASE("attempt: the last allowed failure has no next attempt", "[runtime]") {
  CHECK(conclude(facts_after(2), retry(""), none).due_ms == 0);
  CHECK(conclude_timed_out(facts_after(2), 10).due_ms == 0);
  CHECK(conclude_timed_out(facts_after(1), 10).due_ms == 1050 + 400);
}

TEST_CASE("attempt: a fatal answer is told as such", "[runtime]") {
  const Record record = conclude(facts_after(0), fail("no such card"), none);
  CHECK(record.end == AttemptEnd::fatal);
  CHECK(record.due_ms == 0);
  CHECK(error_from_body(record.body).message == "no such card");
}

TEST_CASE("attempt: an output that cannot be stored is fatal, and says why", "[runtime]") {
  const Record broken = conclude(facts_after(0), done("\xff"), none);
  CHECK(broken.end == AttemptEnd::fatal);
  CHECK(error_from_body(broken.body).code == Errc::invalid_json);
  const Record large =
      conclude(facts_after(0), done(std::string(Limits::output_bytes_max, 'x')), none);
  CHECK(large.end == AttemptEnd::fatal);
  CHECK(error_from_body(large.body).code == Errc::too_large);
}

TEST_CASE("attempt: one that was asked to stop is told by the reason, unless it is done",
          "[runtime]") {
  const auto reason = Cancellation::Reason::interrupted;
  CHECK(conclude(facts_after(0), retry("stopped"), reason).end == AttemptEnd::interrupted);
  CHECK(conclude(facts_after(0), fail("stopped"), reason).end == AttemptEnd::interrupted);
  CHECK(conclude(facts_after(0), done(1), reason).kind == RecordKind::output);
  CHECK(conclude(facts_after(0), retry("stopped"), Cancellation::Reason::cancelled).end ==
        AttemptEnd::cancelled);
}

TEST_CASE("attempt: messages from outside are made storable", "[runtime]") {
  const Record record =
      conclude(facts_after(0), retry("bad \xff byte" + std::string(10'000, 'x')), none);
  const std::string message = error_from_body(record.body).message;
  CHECK(message.size() < Limits::error_bytes_max + 100);
  CHECK(message.substr(0, 4) == "bad ");
}

TEST_CASE("attempt: a late answer leaves its digest and no output", "[runtime]") {
  const Record record = conclude_late(conclude(facts_after(0), done(1), none), false);
  CHECK(record.kind == RecordKind::receipt);
  CHECK(record.end == AttemptEnd::late);
  CHECK(record.output_digest == digest_of("1"));
  CHECK(record.body.find("not used") != std::string::npos);
  const Record failed = conclude_late(conclude(facts_after(0), retry("x"), none), false);
  CHECK(failed.end == AttemptEnd::late);
  CHECK(failed.due_ms == 0);
}

TEST_CASE("attempt: refused parameters are told with their place", "[runtime]") {
  const Record record =
      conclude_refused(facts_after(0), make_error(Errc::unresolved_reference, "gone", "/steps/a"));
  CHECK(record.end == AttemptEnd::fatal);
  CHECK(error_from_body(record.body).code == Errc::unresolved_reference);
  CHECK(error_from_body(record.body).message == "the step's parameters: /steps/a: gone");
}

TEST_CASE("attempt: an error's body reads back", "[runtime]") {
  const Error error = error_from_body(error_body(Errc::too_large, "a \"quoted\" message"));
  CHECK(error.code == Errc::too_large);
  CHECK(error.message == "a \"quoted\" message");
  CHECK(error_from_body("not JSON").code == Errc::corrupt);
  CHECK(error_from_body("[]").code == Errc::corrupt);
}

TEST_CASE("attempt: every code, kind and state has a word of its own that reads back",
          "[runtime]") {
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i)
    CHECK(errc_from(to_string(static_cast<Errc>(i))) == static_cast<Errc>(i));
  for (int i = 1; is_run_state(i); ++i)
    CHECK(run_state_from(to_string(static_cast<RunState>(i))) == static_cast<RunState>(i));
  CHECK_FALSE(is_record_kind(0));
  CHECK(is_record_kind(7));
  CHECK_FALSE(is_record_kind(12));
  CHECK(is_attempt_end(9));
  CHECK_FALSE(is_attempt_end(10));
}

TEST_CASE("attempt: one that was silent for too long has timed out, and says so", "[runtime]") {
  const Record record = conclude_silent(facts_after(0), 30'000);
  CHECK(record.end == AttemptEnd::timed_out);
  CHECK(record.due_ms == 1250);
  CHECK(error_from_body(record.body).code == Errc::deadline);
  CHECK(error_from_body(record.body).message ==
        "no heartbeat: it reported no progress for 30000 ms");
  CHECK(conclude_silent(facts_after(2), 30'000).due_ms == 0);
}
