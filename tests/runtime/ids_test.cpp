#include <pawl/digest.hpp>
#include <pawl/ids.hpp>
#include <pawl/limits.hpp>

#include "support/catch.hpp"

#include <sstream>

using namespace pawl;
using namespace std::string_literals;

TEST_CASE("ids: a run id keeps to its alphabet", "[runtime]") {
  for (const std::string& good : {"a"s, "0"s, "order-42"s, "A.b_c-d"s, std::string(128, 'x')}) {
    CAPTURE(good);
    CHECK(RunId::parse(good).value().str() == good);
  }
  for (const std::string& bad :
       {""s, "-a"s, ".a"s, "_a"s, "a b"s, "a/b"s, "ü"s, "a\n"s, std::string(129, 'x')}) {
    CAPTURE(bad);
    CHECK(RunId::parse(bad).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("ids: a step name keeps to its alphabet", "[runtime]") {
  for (const std::string& good : {"a"s, "_"s, "charge_card"s, "Step-2"s}) {
    CAPTURE(good);
    CHECK(StepName::parse(good).value().str() == good);
  }
  for (const std::string& bad :
       {""s, "2nd"s, "-a"s, "a.b"s, "a/b"s, "a b"s, std::string(129, 'x')}) {
    CAPTURE(bad);
    CHECK(StepName::parse(bad).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("ids: a complaint names the place and the rule", "[runtime]") {
  const std::string message = RunId::parse("ab cd").error().message;
  CHECK(message.find("position 2") != std::string::npos);
  CHECK(message.find("[A-Za-z0-9]") != std::string::npos);
}

TEST_CASE("ids: idempotency keys are stable and differ between steps and runs", "[runtime]") {
  const auto key = [](const char* run, const char* step) {
    return idempotency_key(RunId::parse(run).value(), StepName::parse(step).value().str());
  };
  CHECK(key("r1", "pay") == "r1/pay");
  CHECK(key("r1", "pay") == key("r1", "pay"));
  CHECK(key("r1", "ship") != key("r1", "pay"));
  CHECK(key("r2", "pay") != key("r1", "pay"));
}

TEST_CASE("ids: a generated run id is a run id, and sorts by time", "[runtime]") {
  const RunId early = generate_run_id(1'700'000'000'123, 7);
  const RunId late = generate_run_id(1'700'000'000'124, 0);
  CHECK(early.str() == "20231114-221320-123-00000007");
  CHECK(RunId::parse(early.str()).has_value());
  CHECK(early < late);
}

TEST_CASE("ids: an error code reads as its enumerator", "[runtime]") {
  std::ostringstream text;
  text << Errc::run_differs << ' ' << make_error(Errc::full, "make space", "a.db");
  CHECK(text.str() == "run_differs full: a.db: make space");
}

TEST_CASE("ids: a digest is XXH3-128 in its canonical form", "[runtime]") {
  CHECK(digest_of("").hex() ==
        "99aa06d3014798d86001c324468d497f");  // the specification's value for no bytes
  CHECK(digest_of("a") == digest_of("a"));
  CHECK(digest_of("a") != digest_of("b"));
}

TEST_CASE("ids: a result gives its value or throws its error", "[runtime]") {
  const Result<int> good = 3;
  const Result<int> bad = make_error(Errc::io, "broken", "file");
  CHECK(good.value() == 3);
  CHECK_FALSE(bad.has_value());
  CHECK_THROWS_AS(bad.value(), BadResult);
  CHECK_THROWS_WITH(bad.value(), "io: file: broken");
}
