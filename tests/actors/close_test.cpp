// How an engine stops: what finishes, what is told to stop, and what the next engine finds.
#include "support/catch.hpp"
#include "support/world.hpp"

namespace close_test {

using namespace pawl;

namespace {

const std::string two =
    R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x", "after": ["a"]}}})";

std::uint64_t seed() {
  return GENERATE(range<std::uint64_t>(1, 11));
}

}  // namespace

TEST_CASE("close: with nothing under way it is answered at once", "[actors]") {
  World world(Steps{});
  const auto closed = world.core().close(false);
  world.run();
  CHECK(closed->value().has_value());
  CHECK(closed->wait().empty());
}

TEST_CASE(
    "close: a running step is told to stop, and its receipt says interrupted and does not count",
    "[actors]") {
  World* here = nullptr;
  bool saw = false;
  const auto file = make_memory_file();
  const std::string flow =
      R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"max_attempts": 1}}}})";
  {
    World world(Steps{{"x",
                       [&](const StepCall& call) {
                         here->executor->hang();
                         saw = call.cancelled();
                         return retry("stopped half-way");
                       }}},
                seed(), file);
    here = &world;
    const Run run = world.start(flow);
    world.run();
    const auto closed = world.core().close(false);
    world.run();
    CHECK_FALSE(closed->value().has_value());
    const auto still_running = world.core().close(true);
    world.run();
    CHECK(still_running->wait() == std::vector<std::string>{"r1/a"});
    world.executor->let_go();
    world.run();
    CHECK(closed->value().has_value());
    CHECK(saw);
    CHECK(world.records() == "started; interrupted a#1");
    CHECK_FALSE(run.wait_for(0).has_value());
  }
  World next(Steps{{"x", [](const StepCall&) { return done(); }}}, seed(), file);
  REQUIRE(next.run_to_rest());
  CHECK(next.records() == "started; interrupted a#1; opened a#2; output a#2; ended");
}

TEST_CASE("close: what a step still completes is kept, and nothing new starts", "[actors]") {
  World* here = nullptr;
  int bodies = 0;
  const auto file = make_memory_file();
  {
    World world(
        Steps{{"x", [&](const StepCall&) { return ++bodies, here->executor->hang(), done(); }}},
        seed(), file);
    here = &world;
    world.start(two);
    world.run();
    const auto closed = world.core().close(false);
    world.run();
    world.executor->let_go();
    world.run();
    CHECK(closed->value().has_value());
  }
  CHECK(bodies == 1);
  World next(Steps{{"x", [](const StepCall&) { return done(); }}}, seed(), file);
  REQUIRE(next.run_to_rest());
  // b was opened by a's output and never begun: nothing of it may look as if it had been lost.
  CHECK(next.records() == "started; output a#1; interrupted b#1; opened b#2; output b#2; ended");
}

TEST_CASE("close: at any moment, it leaves no attempt open and the next engine goes on",
          "[actors]") {
  const int messages = GENERATE(range(0, 50, 2));
  const auto file = make_memory_file();
  std::map<std::string, int> bodies;
  const Steps steps{{"x", [&](const StepCall& call) { return ++bodies[call.step], done(); }}};
  {
    World world(steps, seed(), file);
    world.start(two);
    for (int i = 0; i < messages; ++i) world.step();
    const auto closed = world.core().close(false);
    world.run();
    REQUIRE(closed->value().has_value());
  }
  World next(steps, 1, file);
  REQUIRE(next.run_to_rest());
  if (next.records() == "no run") return;
  CHECK(next.records().find("lost") == std::string::npos);
  CHECK(next.records().find("ended") != std::string::npos);
  CHECK(bodies == std::map<std::string, int>{{"a", 1}, {"b", 1}});
}

TEST_CASE("close: whoever waits is told, and whoever asks later", "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x", [&](const StepCall&) { return here->executor->hang(), done(); }}},
              seed());
  here = &world;
  const Run run = world.start(two);
  world.run();
  const auto closed = world.core().close(false);
  world.run();
  const Run later = world.start(two, "r2");
  const Run found = world.core().watch("r1");
  const auto cancelled = world.core().cancel("r1");
  world.run();
  CHECK(later.started().error().code == Errc::closed);
  CHECK(found.started().error().code == Errc::closed);
  CHECK(cancelled->wait().error().code == Errc::closed);
  world.core().stop();
  world.run();
  CHECK(run.wait().error->code == Errc::closed);
}

TEST_CASE("close: attempts that wait for a step runner have not begun", "[actors]") {
  World* here = nullptr;
  EngineOptions options;
  options.attempts_max = 1;
  World world(Steps{{"x", [&](const StepCall&) { return here->executor->hang(), done(); }}}, 1,
              make_memory_file(), options);
  here = &world;
  world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x"}, "c": {"run": "x"}}})");
  world.run();
  const auto closed = world.core().close(false);
  world.run();
  CHECK(world.records() == "started; interrupted b#1; interrupted c#1");
  world.executor->let_go();
  world.run();
  CHECK(closed->value().has_value());
}

}  // namespace close_test
