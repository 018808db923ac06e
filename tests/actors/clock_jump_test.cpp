// The machine's clock is set by years, forth and back: while runs wait, and between two processes.
#include "support/catch.hpp"
#include "support/world.hpp"

using namespace pawl;

namespace {

constexpr std::int64_t years_ms = 10LL * 366 * 86'400'000;
constexpr std::int64_t hour_ms = 3'600'000;

const std::string hour_of_sleep =
    R"({"flow": "f", "steps": {"s": {"sleep_ms": 3600000}, "x": {"run": "x", "after": ["s"]}}})";

Steps steps_that_succeed() {
  return {{"x", [](const StepCall&) { return done(); }}};
}

bool is_in_order(World& world, const std::string& run = "r1") {
  std::int64_t last = 0;
  const auto stored = open_memory_view(world.file)->load(run).value();
  for (const Record& record : stored->records) {
    if (record.at_ms < last) return false;
    last = record.at_ms;
  }
  return !stored->records.empty();
}

bool has_ended(World& world, const std::string& run = "r1") {
  return world.records(run).find("; ended") != std::string::npos;
}

}  // namespace

TEST_CASE("clock: short sleeps, retries and timeouts of a living engine take as long as they say",
          "[actors]") {
  const std::int64_t jump_ms = GENERATE(years_ms, -years_ms);
  int attempts = 0;
  World* here = nullptr;
  World world(Steps{
      {"fails_once", [&](const StepCall&) { return ++attempts == 1 ? retry("once") : done(); }},
      {"hangs", [&](const StepCall&) { return here->executor->hang(), done(); }},
      {"x", [](const StepCall&) { return done(); }}});
  here = &world;
  std::string flow;
  SECTION("a sleep") {
    flow = R"({"flow": "f", "steps": {"s": {"sleep_ms": 900}}})";
  }
  SECTION("a retry") {
    flow = R"({"flow": "f", "steps": {"a": {"run": "fails_once", "retry": {"initial_ms": 900}}}})";
  }
  SECTION("a timeout") {
    flow = R"({"flow": "f", "steps": {"a": {"run": "hangs", "timeout_ms": 900,
      "retry": {"max_attempts": 1}}}})";
  }
  SECTION("a signal that does not come") {
    flow = R"({"flow": "f", "steps": {"a": {"await": "never", "timeout_ms": 900, "default": 1}}})";
  }
  world.start(flow);
  world.run_for(400);
  world.set_clock(jump_ms);
  world.run_for(499);
  CHECK_FALSE(has_ended(world));
  world.run_for(1);
  CHECK(has_ended(world));
  CHECK(is_in_order(world));
}

TEST_CASE("clock: a long sleep ends in its time, however far the clock is set back", "[actors]") {
  World world(steps_that_succeed());
  world.start(hour_of_sleep);
  world.run_for(hour_ms / 2);
  world.set_clock(-years_ms);
  world.run_for(hour_ms / 2 - 1);
  // Asked for, it is read back, and goes on with what is left.
  if (GENERATE(true, false)) world.core().watch("r1");
  world.run();
  CHECK_FALSE(has_ended(world));
  world.run_for(1);
  CHECK(has_ended(world));
  CHECK(is_in_order(world));
}

TEST_CASE("clock: set forward it may end a long sleep early, if the run is read back", "[actors]") {
  World world(steps_that_succeed());
  world.start(hour_of_sleep);
  world.run_for(hour_ms / 2);
  world.set_clock(years_ms);
  world.run_for(hour_ms / 4);
  CHECK_FALSE(has_ended(world));
  if (GENERATE(true, false)) {
    world.core().watch("r1");
    world.run();
    CHECK(has_ended(world));
  } else {
    // It is read back a little before its time.
    world.run_for(hour_ms / 4 - 500);
    CHECK_FALSE(has_ended(world));
    world.run_for(500);
    CHECK(has_ended(world));
  }
  CHECK(is_in_order(world));
}

TEST_CASE(
    "clock: between two processes the clock goes back ten years, and no run waits for longer "
    "than it was to",
    "[actors]") {
  const auto file = make_memory_file();
  const bool is_sleep = GENERATE(true, false);
  World before(steps_that_succeed(), 1, file);
  const std::string until = std::to_string(before.now_ms() + hour_ms);
  before.start(is_sleep ? hour_of_sleep
                        : R"({"flow": "f", "steps": {"s": {"until_ms": )" + until + "}}}");
  before.run_for(hour_ms / 2);
  before.crash();
  World after(steps_that_succeed(), 1, file, {}, before.now_ms() - years_ms);
  after.run_for(hour_ms - 1);
  CHECK_FALSE(has_ended(after));
  after.run_for(1);
  CHECK(has_ended(after));
  CHECK(is_in_order(after));
  // Another run of the same engine is no older than the first.
  after.start(R"({"flow": "g", "steps": {"x": {"run": "x"}}})", "r2");
  after.run();
  CHECK(has_ended(after, "r2"));
  const auto view = open_memory_view(file);
  CHECK(view->load("r2").value()->row.started_ms >= view->load("r1").value()->row.ended_ms);
}

TEST_CASE(
    "clock: between two processes the clock goes forth ten years: what waited is over, and "
    "back again nothing is stuck",
    "[actors]") {
  const auto file = make_memory_file();
  World before(steps_that_succeed(), 1, file);
  before.start(hour_of_sleep);
  before.run_for(hour_ms / 2);
  before.crash();
  World wrong(steps_that_succeed(), 1, file, {}, before.now_ms() + years_ms);
  wrong.run();
  CHECK(has_ended(wrong));
  wrong.start(hour_of_sleep, "r2");
  wrong.run();
  wrong.crash();
  World after(steps_that_succeed(), 1, file, {}, before.now_ms() + 1000);
  after.run_for(hour_ms - 1);
  CHECK_FALSE(has_ended(after, "r2"));
  after.run_for(1);
  CHECK(has_ended(after, "r2"));
  CHECK(is_in_order(after, "r2"));
}
