// Child flows: runs that stand for a step of another run.
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

#include <map>
#include <string>

using namespace pawl;

namespace {

const std::string order = R"({"flow": "order", "steps": {
  "a": {"run": "x", "with": {"say": 3}},
  "pay": {"child": {"flow": "pay", "input": {"n": 0}, "steps": {
      "reserve": {"run": "x", "with": {"say": "{{input.n}}"}},
      "charge": {"run": "y", "after": ["reserve"]}},
      "output": {"sum": "{{steps.charge.output}}"}},
    "with": {"n": "{{steps.a.output}}"}},
  "b": {"run": "x", "with": {"say": "{{steps.pay.output.sum}}"}}}})";

/// `x` says what it is told to; `y` does what the test wants, and says 7 else.
Steps steps(std::function<StepResult(const StepCall&)> y = nullptr) {
  return Steps{{"x", [](const StepCall& call) { return done(call.with.value("say", json())); }},
               {"y", [y](const StepCall& call) { return y ? y(call) : done(7); }}};
}

StoredRun stored(const World& world, const std::string& run) {
  const auto found = open_memory_view(world.file)->load(run).value();
  REQUIRE(found.has_value());
  return *found;
}

}  // namespace

TEST_CASE("children: a child's output is its step's, and both ends are written at once",
          "[actors]") {
  World world(steps());
  const Run run = world.start(order);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(run.wait().output == json{{"b", 7}});
  CHECK(world.records() == "started; output a#1; opened pay#1; output pay#1; output b#1; ended");
  CHECK(world.records("r1.pay") == "started; output reserve#1; output charge#1; ended");
  CHECK(stored(world, "r1.pay").input == R"({"n":3})");
  // One after the other in the log, of one transaction.
  const std::int64_t ended = stored(world, "r1.pay").records.back().seq;
  CHECK(stored(world, "r1").records[3].seq == ended + 1);
  CHECK(world.count_events(EventKind::run_ended) == 2);
}

TEST_CASE("children: a child's failure fails its step, and says why", "[actors]") {
  World world(steps([](const StepCall&) { return fail("card declined"); }));
  const Run run = world.start(order);
  REQUIRE(world.run_to_rest());
  const Outcome end = run.wait();
  CHECK(end.state == RunState::failed);
  CHECK(end.error->code == Errc::child_failed);
  CHECK(end.error->step == "pay");
  CHECK(end.error->message == "its run r1.pay failed: step_failed, step charge: card declined");
}

TEST_CASE("children: cancelling the parent cancels its child, and ends after it", "[actors]") {
  World* here = nullptr;
  World world(steps([&](const StepCall& call) {
    if (call.attempt == 1) here->core().cancel("r1");
    return retry("not yet");
  }));
  here = &world;
  const Run run = world.start(order);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().state == RunState::cancelled);
  CHECK(stored(world, "r1.pay").row.state == RunState::cancelled);
  CHECK(stored(world, "r1.pay").records.back().seq < stored(world, "r1").records.back().seq);
}

TEST_CASE("children: cancelling the child fails the parent's step", "[actors]") {
  World* here = nullptr;
  World world(steps([&](const StepCall& call) {
    if (call.attempt == 1) here->core().cancel("r1.pay");
    return retry("not yet");
  }));
  here = &world;
  const Run run = world.start(order);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().state == RunState::failed);
  CHECK(run.wait().error->message == "its run r1.pay was cancelled");
}

TEST_CASE("children: an id that belongs to another run fails the step, and harms nobody",
          "[actors]") {
  World world(steps());
  const Run other = world.start(R"({"flow": "pay", "steps": {"q": {"run": "x"}}})", "r1.pay");
  REQUIRE(world.run_to_rest());
  const Run run = world.start(order);
  REQUIRE(world.run_to_rest());
  CHECK(other.wait().succeeded());
  CHECK(run.wait().state == RunState::failed);
  CHECK(run.wait().error->code == Errc::run_differs);
  CHECK(world.records() == "started; output a#1; fatal pay#1; ended");
}

TEST_CASE("children: nobody else can start a child's run, not even the same", "[actors]") {
  World world(steps());
  const Run run = world.start(order);
  REQUIRE(world.run_to_rest());
  const StoredRun child = stored(world, "r1.pay");
  const Run again = world.start(*child.flow, "r1.pay", json::parse(child.input));
  REQUIRE(world.run_to_rest());
  REQUIRE_FALSE(again.started().has_value());
  CHECK(again.started().error().code == Errc::run_differs);
  CHECK(again.started().error().message.find("step pay of run r1") != std::string::npos);
}

TEST_CASE("children: whoever waits for a parent is told that its child is blocked", "[actors]") {
  int lost = 0;
  const std::string flow = R"({"flow": "f", "steps": {"c": {"child": {"flow": "g", "steps": {
    "d": {"child": {"flow": "h", "steps": {"z": {"run": "y", "at_most_once": true,
                                           "retry": {"max_attempts": 2}}}}}}}}}})";
  World world(steps([&](const StepCall&) { return ++lost == 1 ? unclear("no answer") : done(1); }));
  const Run run = world.start(flow);
  REQUIRE(world.run_to_rest());
  const std::optional<Outcome> told = run.wait_for(0);
  REQUIRE(told.has_value());
  CHECK(told->state == RunState::blocked);
  CHECK(told->error->message.find("its child run r1.c.d is blocked for step z") == 0);
  // Asked again it says the same again.
  const Run again = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  REQUIRE(again.wait_for(0).has_value());
  CHECK(again.wait_for(0)->state == RunState::blocked);
  const Run last = world.core().watch("r1.c.d");
  world.core().unblock("r1.c.d");
  REQUIRE(world.run_to_rest());
  CHECK(stored(world, "r1").row.state == RunState::succeeded);
}

TEST_CASE("children: a parent waits on disk while its child does, and comes back for its end",
          "[actors]") {
  const std::string flow = R"({"flow": "f", "steps": {"c": {"child": {"flow": "g", "steps": {
    "nap": {"sleep_ms": 3600000}, "z": {"run": "y", "after": ["nap"]}}}}}})";
  World world(steps());
  const Run run = world.start(flow);
  world.run();
  CHECK(stored(world, "r1").row.state == RunState::waiting);
  CHECK(stored(world, "r1.c").row.state == RunState::waiting);
  for (const auto& [state, count] : world.core().stats().live_runs) CHECK(count == 0);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
}

TEST_CASE("children: they go on after a crash anywhere, and are started once", "[actors]") {
  for (std::size_t crash = 1; crash < 120; ++crash) {
    CAPTURE(crash);
    auto file = make_memory_file();
    {
      World before(steps(), 1, file);
      before.start(order);
      for (std::size_t i = 0; i < crash && before.step_or_wait(); ++i) {
      }
      before.crash();
    }
    World after(steps(), 2, file);
    const Run run = after.start(order);
    REQUIRE(after.run_to_rest());
    REQUIRE(run.wait().succeeded());
    const std::string records = after.records("r1");
    REQUIRE(records.find("opened pay#1") == records.rfind("opened pay#1"));
    REQUIRE(records.find("output pay#1") != std::string::npos);
  }
}

TEST_CASE("children: an engine that recovers nothing by itself brings them back with their parent",
          "[actors]") {
  const auto file = make_memory_file();
  {
    World before(steps(), 1, file);
    before.start(order);
    while (before.records("r1.pay").find("output reserve") == std::string::npos)
      REQUIRE(before.step_or_wait());
    before.crash();
  }
  EngineOptions options;
  options.recover = false;
  World after(steps(), 2, file, options);
  const Run run = after.start(order);
  REQUIRE(after.run_to_rest());
  REQUIRE(run.wait_for(0).has_value());
  CHECK(run.wait().succeeded());
}

TEST_CASE("children: a thousand of a map come back to one parent", "[actors]") {
  json flow = json::parse(R"({"flow": "f", "input": {"all": []}, "steps": {"each": {
    "map": "{{input.all}}", "child": {"flow": "g", "steps": {
      "nap": {"sleep_ms": 60000}, "v": {"value": "{{input.i}}", "after": ["nap"]}}},
    "with": {"i": "{{item}}"}}}})");
  json all = json::array();
  for (int i = 0; i < 1000; ++i) all.push_back(i);
  World world(steps());
  const Run run = world.start(flow.dump(), "r1", {{"all", all}});
  REQUIRE(world.run_to_rest(100'000));
  REQUIRE(run.wait().succeeded());
  CHECK(run.wait().output["each"][999]["v"] == 999);
}
