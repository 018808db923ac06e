// Runs that somebody pauses, or that outputs which differ do; and their children.
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

#include <map>
#include <string>

namespace pause_test {

using namespace pawl;

namespace {

const std::string chain = R"({"flow": "f", "steps": {
  "a": {"run": "x"}, "b": {"run": "x", "after": ["a"]}, "c": {"run": "x", "after": ["b"]}}})";

const std::string parent = R"({"flow": "f", "steps": {
  "c": {"child": {"flow": "in", "steps": {
    "x": {"run": "x"}, "y": {"run": "x", "after": ["x"]}}}},
  "d": {"run": "x", "after": ["c"]}}})";

std::uint64_t seed() {
  return GENERATE(range<std::uint64_t>(1, 31));
}

RunState noted(const World& world, const std::string& run) {
  return open_memory_view(world.file)->load(run).value()->row.state;
}

}  // namespace

TEST_CASE("pause: nothing begins once it is acknowledged, until the run is unpaused", "[actors]") {
  World* here = nullptr;
  std::map<std::string, int> bodies;
  bool acknowledged = false;
  PendingPtr<Result<RunState>> pausing;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       if (acknowledged) ++bodies["after"];
                       ++bodies[call.step];
                       if (call.step == "b" && !pausing) {
                         pausing = here->core().pause("r1");
                         pausing->on_set([&](const Result<RunState>&) { acknowledged = true; });
                       }
                       return done(call.step);
                     }}},
              seed());
  here = &world;
  const Run run = world.start(chain);
  REQUIRE(world.run_to_rest());
  REQUIRE(pausing);
  CHECK(pausing->wait().value() == RunState::paused);
  CHECK(bodies["after"] == 0);
  CHECK(run.wait().state == RunState::paused);
  CHECK(run.wait().error->code == Errc::paused);
  CHECK(noted(world, "r1") == RunState::paused);

  acknowledged = false;
  const auto unpaused = world.core().unpause("r1");
  const Run later = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(unpaused->wait().has_value());
  CHECK(later.wait().succeeded());
  CHECK(bodies["b"] == 1);
  CHECK(bodies["c"] == 1);
}

TEST_CASE("pause: what waits for its turn is taken back, and costs no attempt", "[actors]") {
  World* here = nullptr;
  EngineOptions options;
  options.at_once_max = {{"x", 1}};
  int bodies = 0;
  World world(Steps{{"x",
                     [&](const StepCall&) {
                       if (++bodies == 1) here->executor->hang();
                       return done();
                     }}},
              seed(), make_memory_file(), options);
  here = &world;
  const Run run = world.start(R"({"flow": "f", "steps": {
    "a": {"run": "x", "timeout_ms": 0, "retry": {"max_attempts": 1}},
    "b": {"run": "x", "timeout_ms": 0, "retry": {"max_attempts": 1}},
    "c": {"run": "x", "timeout_ms": 0, "retry": {"max_attempts": 1}}}})");
  REQUIRE(world.run_to_rest());
  const auto paused = world.core().pause("r1");
  REQUIRE(world.run_to_rest());
  CHECK(paused->wait().value() == RunState::paused);
  CHECK(bodies == 1);
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(bodies == 1);
  CHECK(run.wait().state == RunState::paused);
  world.core().unpause("r1");
  const Run later = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.wait().succeeded());
  CHECK(bodies == 3);
}

TEST_CASE("pause: another engine finds the run paused and leaves it alone", "[actors]") {
  const auto file = make_memory_file();
  int bodies = 0;
  const auto steps = [&] {
    return Steps{{"x", [&](const StepCall&) { return ++bodies, done(); }}};
  };
  {
    World world(steps(), seed(), file);
    world.start(
        R"({"flow": "f", "steps": {"w": {"await": "go"}, "a": {"run": "x", "after": ["w"]}}})");
    REQUIRE(world.run_to_rest());
    world.core().pause("r1");
    world.core().signal("r1", {"go", 1, "s1"});
    REQUIRE(world.run_to_rest());
  }
  CHECK(bodies == 0);
  World world(steps(), 1, file, {}, 1'700'000'100'000);
  REQUIRE(world.run_to_rest());
  CHECK(bodies == 0);
  const Run found = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(found.wait().state == RunState::paused);
  world.core().unpause("r1");
  const Run later = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.wait().succeeded());
  CHECK(bodies == 1);
}

TEST_CASE("pause: twice writes once, and an ended run says how it ended", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}});
  world.start(R"({"flow": "f", "steps": {"w": {"await": "go"}}})");
  REQUIRE(world.run_to_rest());
  for (int i = 0; i < 3; ++i) {
    const auto paused = world.core().pause("r1");
    REQUIRE(world.run_to_rest());
    CHECK(paused->wait().value() == RunState::paused);
  }
  CHECK(world.records() == "started; paused");
  for (int i = 0; i < 2; ++i) {
    const auto unpaused = world.core().unpause("r1");
    REQUIRE(world.run_to_rest());
    CHECK(unpaused->wait().value() == RunState::waiting);
  }
  CHECK(world.records() == "started; paused; unpaused");
  world.core().signal("r1", {"go", 1, "s1"});
  REQUIRE(world.run_to_rest());
  const auto late = world.core().pause("r1");
  REQUIRE(world.run_to_rest());
  CHECK(late->wait().value() == RunState::succeeded);
}

TEST_CASE("pause: a cancel goes through", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}});
  const Run run = world.start(R"({"flow": "f", "steps": {"w": {"await": "go"}}})");
  REQUIRE(world.run_to_rest());
  world.core().pause("r1");
  REQUIRE(world.run_to_rest());
  const auto cancelled = world.core().cancel("r1");
  REQUIRE(world.run_to_rest());
  CHECK(cancelled->wait().has_value());
  CHECK(noted(world, "r1") == RunState::cancelled);
}

TEST_CASE("pause: a child is paused with its parent, or has come to its end before", "[actors]") {
  std::map<RunState, int> ends;
  for (std::uint64_t picked = 1; picked <= 60; ++picked) {
    World* here = nullptr;
    bool pauses = true;
    World world(Steps{{"x",
                       [&](const StepCall&) {
                         if (std::exchange(pauses, false)) here->core().pause("r1");
                         return done();
                       }}},
                picked);
    here = &world;
    world.start(parent);
    REQUIRE(world.run_to_rest());
    CHECK(noted(world, "r1") == RunState::paused);
    ++ends[noted(world, "r1.c")];
  }
  CHECK(ends[RunState::paused] > 0);
  CHECK(ends[RunState::succeeded] > 0);
  CHECK(ends.size() == 2);
}

TEST_CASE("pause: a child is paused and goes on with its parent, across engines too", "[actors]") {
  World* here = nullptr;
  const auto file = make_memory_file();
  std::map<std::string, int> bodies;
  bool pauses = true;
  const auto steps = [&] {
    return Steps{{"x", [&](const StepCall& call) {
                    ++bodies[call.step];
                    if (std::exchange(pauses, false)) here->core().pause("r1");
                    return done();
                  }}};
  };
  const std::uint64_t picked = seed();
  const int end_after = GENERATE(0, 3, 8, 20, 1000);
  const bool closes = GENERATE(false, true);
  {
    World world(steps(), picked, file);
    here = &world;
    world.start(parent);
    for (int i = 0; pauses && world.step_or_wait(); ++i) {
    }
    for (int i = 0; i < end_after && world.step_or_wait(); ++i) {
    }
    if (!closes) world.crash();
    if (closes) world.core().close(false);
    world.run_for(10);
  }
  World world(steps(), picked, file, {}, 1'700'000'100'000);
  here = &world;
  REQUIRE(world.run_to_rest());
  const StoredRun stored = open_memory_view(file)->load("r1").value().value();
  const bool was_paused =
      std::any_of(stored.records.begin(), stored.records.end(),
                  [](const Record& record) { return record.kind == RecordKind::paused; });
  if (!was_paused) {  // the crash came before
    CHECK(noted(world, "r1") == RunState::succeeded);
    return;
  }
  CHECK(noted(world, "r1") == RunState::paused);
  CHECK(bodies["d"] == 0);
  // Until its own pause is durable the child goes on, and may be faster.
  const RunState child_state = noted(world, "r1.c");
  CHECK((child_state == RunState::paused || child_state == RunState::succeeded));
  const auto child = world.core().unpause("r1.c");
  REQUIRE(world.run_to_rest());
  CHECK(child->wait().value() == child_state);

  world.core().unpause("r1");
  const Run run = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(bodies["d"] == 1);
}

TEST_CASE("pause: of a child by itself whoever waits for the parent is told", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  const Run run = world.start(R"({"flow": "f", "steps": {
    "c": {"child": {"flow": "in", "steps": {"w": {"await": "go"}}}}}})");
  REQUIRE(world.run_to_rest());
  world.core().pause("r1.c");
  REQUIRE(world.run_to_rest());
  REQUIRE(run.wait_for(0).has_value());
  CHECK(run.wait().state == RunState::blocked);
  CHECK(run.wait().error->message ==
        "its child run r1.c is paused: somebody paused it; unpause it to go on");
  world.core().unpause("r1.c");
  world.core().signal("r1.c", {"go", 1, "s1"});
  const Run later = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.wait().succeeded());
}

TEST_CASE("divergence: a late answer that differs pauses the run, wherever the run is by then",
          "[actors]") {
  World* here = nullptr;
  const bool parked = GENERATE(false, true);
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       if (call.step == "a" && call.attempt == 1) here->executor->hang();
                       return done(call.step + std::to_string(call.attempt));
                     }}},
              seed());
  here = &world;
  const Run run = world.start(
      R"({"flow": "f", "steps": {
    "a": {"run": "x", "timeout_ms": 100, "on_divergence": "pause", "retry": {"initial_ms": 10}},
    "w": {"await": "go", "after": ["a"]}, "b": {"run": "x", "after": ["w"]}}})");
  world.run_for(parked ? 60'000 : 300);
  CHECK_FALSE(run.wait_for(0).has_value());
  world.executor->let_go();
  world.run_for(5000);
  REQUIRE(run.wait_for(0).has_value());
  CHECK(run.wait().state == RunState::paused);
  CHECK(run.wait().error->code == Errc::diverged);
  CHECK(run.wait().error->step == "a");
  world.core().signal("r1", {"go", 1, "s1"});
  world.run_for(5000);
  CHECK(noted(world, "r1") == RunState::paused);
  CHECK(world.records().find("b#1") == std::string::npos);
  const auto unpaused = world.core().unpause("r1");
  const Run later = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.wait().succeeded());
}

TEST_CASE("divergence: with fail a late answer that differs fails the run", "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       if (call.step == "a" && call.attempt == 1) here->executor->hang();
                       return done(call.attempt);
                     }}},
              seed());
  here = &world;
  const Run run = world.start(R"({"flow": "f", "steps": {
    "a": {"run": "x", "timeout_ms": 100, "on_divergence": "fail", "retry": {"initial_ms": 10}},
    "w": {"await": "go", "after": ["a"]}}})");
  world.run_for(300);
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().state == RunState::failed);
  CHECK(run.wait().error->code == Errc::diverged);
}

TEST_CASE("divergence: an attempt after a dead step runner that gives another output is heard of",
          "[actors]") {
  // The output is stored, its step runner dies before it tells, and the attempt is made again.
  World* here = nullptr;
  const bool is_paused = GENERATE(false, true);
  int bodies = 0;
  World world(Steps{{"x",
                     [&](const StepCall&) {
                       ++bodies;
                       if (is_paused) here->core().pause("r1");
                       Record output;
                       output.kind = RecordKind::output;
                       output.end = AttemptEnd::succeeded;
                       output.step = "a";
                       output.attempt = 1;
                       output.body = "1";
                       output.output_digest = digest_of(output.body);
                       const Write write = AppendRecord{1, std::make_shared<Record>(output)};
                       (void)open_memory_store(here->file)->write({&write}, 1).value();
                       here->own_the_file_again();
                       return done(2);
                     }}},
              seed());
  here = &world;
  const Run run = world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x", "on_divergence": "pause"}, "w": {"await": "go", "after": ["a"]}}})");
  REQUIRE(world.run_to_rest());
  CHECK(bodies == 1);
  CHECK(world.count_events(EventKind::output_diverged) == 1);
  REQUIRE(run.wait_for(0).has_value());
  CHECK(run.wait().state == RunState::paused);
  CHECK(run.wait().error->code == Errc::diverged);
  world.core().unpause("r1");
  world.core().signal("r1", {"go", 1, "s1"});
  const Run later = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.wait().succeeded());
}

}  // namespace pause_test
