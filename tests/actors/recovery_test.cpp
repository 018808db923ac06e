// What a new owner makes of what an old one left.
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

namespace recovery_test {

using namespace pawl;

namespace {

const std::string fork_join = R"({"flow": "fork", "steps": {
  "a": {"run": "x"}, "b": {"run": "x", "after": ["a"]}, "c": {"run": "x", "after": ["a"]},
  "d": {"run": "x", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}}}})";
const std::string one = R"({"flow": "one", "steps": {"a": {"run": "x"}}})";

/// The world outside: it sees every body that runs, in whichever process.
struct Outside {
  Steps steps() {
    return Steps{{"x", [this](const StepCall& call) {
                    ++bodies[call.step];
                    keys[call.step].insert(call.key);
                    return done({{"step", call.step}, {"attempt", call.attempt}});
                  }}};
  }

  std::map<std::string, int> bodies;
  std::map<std::string, std::set<std::string>> keys;
};

std::uint64_t seed() {
  return GENERATE(range<std::uint64_t>(1, 11));
}

}  // namespace

TEST_CASE("recovery: a crash after any message loses nothing and repeats only what was under way",
          "[actors]") {
  // Every number of messages until the run is done, and a few orders of messages for each.
  const int messages = GENERATE(range(0, 70));
  Outside outside;
  const auto file = make_memory_file();
  bool acknowledged = false;
  std::set<std::string> completed;
  {
    World before(outside.steps(), seed(), file);
    const Run run = before.start(fork_join);
    for (int i = 0; i < messages && before.step(); ++i) {
    }
    acknowledged = before.records() != "no run";
    for (const EngineEvent& event : before.events)
      if (event.kind == EventKind::step_completed) completed.insert(event.step);
    before.crash();
  }
  const std::map<std::string, int> bodies_before = outside.bodies;
  World after(outside.steps(), 1, file);
  REQUIRE(after.run_to_rest());
  if (!acknowledged) {
    CHECK(after.records() == "no run");
    return;
  }
  const Run run = after.core().watch("r1");
  REQUIRE(after.run_to_rest());
  CHECK(run.wait().succeeded());
  for (const char* step : {"a", "b", "c", "d"}) {
    CAPTURE(step, after.records());
    CHECK(outside.bodies[step] >= 1);
    CHECK(outside.bodies[step] <= 2);
    CHECK(outside.keys[step] == std::set<std::string>{std::string("r1/") + step});
    if (completed.count(step) > 0) CHECK(outside.bodies[step] == bodies_before.at(step));
  }
}

TEST_CASE("recovery: crash upon crash, the run still comes to its end", "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  std::mt19937_64 chance(GENERATE(range<std::uint64_t>(1, 41)));
  int crashes = 0;
  for (bool ended = false; !ended; ++crashes) {
    REQUIRE(crashes < 200);
    World world(outside.steps(), chance(), file);
    if (crashes == 0) world.start(fork_join);
    const auto messages = crashes == 0 ? 5 + chance() % 40 : chance() % 60;
    for (std::uint64_t i = 0; i < messages && world.step(); ++i) {
    }
    const std::string records = world.records();
    ended = records == "no run" || records.find("ended") != std::string::npos;
    world.crash();
  }
  for (const auto& [step, count] : outside.bodies) CHECK(count <= 1 + crashes);
  for (const auto& [step, keys] : outside.keys) CHECK(keys.size() == 1);
}

TEST_CASE(
    "recovery: attempts that were open get a lost receipt, all in one transaction, before anything "
    "starts",
    "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    World before(outside.steps(), 1, file);
    before.start(
        R"({"flow": "wide", "steps": {"a": {"run": "x"}, "b": {"run": "x"}, "c": {"run": "x"}}})");
    while (before.records() == "no run") REQUIRE(before.step());
    before.crash();
  }
  World after(outside.steps(), 1, file);
  while (after.disk->batch_sizes.empty()) REQUIRE(after.step());
  CHECK(after.disk->batch_sizes == std::vector<std::size_t>{3});
  CHECK(after.records() == "started; lost a#1; lost b#1; lost c#1");
  CHECK(outside.bodies.empty());
  REQUIRE(after.run_to_rest());
  CHECK(after.records().find("output a#2") != std::string::npos);
}

TEST_CASE("recovery: attempts are counted over restarts", "[actors]") {
  int attempts = 0;
  const Steps steps{{"x", [&](const StepCall&) { return ++attempts, retry("no"); }}};
  const std::string flow =
      R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"max_attempts": 4}}}})";
  const auto file = make_memory_file();
  {
    World before(steps, seed(), file);
    before.start(flow);
    while (before.records().find("failed a#2") == std::string::npos) before.run_for(50);
    before.crash();
  }
  World after(steps, seed(), file);
  REQUIRE(after.run_to_rest());
  const Run run = after.core().watch("r1");
  REQUIRE(after.run_to_rest());
  CHECK(attempts == 4);
  CHECK(run.wait().error->code == Errc::attempts_exhausted);
}

TEST_CASE("recovery: a wait goes on where it was, and never takes longer than its policy says",
          "[actors]") {
  int attempts = 0;
  const Steps steps{{"x", [&](const StepCall&) { return ++attempts < 2 ? retry("no") : done(); }}};
  const std::string flow =
      R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"initial_ms": 20000, "max_ms": 20000}}}})";
  const auto file = make_memory_file();
  World before(steps, 1, file);
  before.start(flow);
  before.run();
  before.crash();
  const std::int64_t clock_jump_ms = GENERATE(0, 15'000, 100'000, -86'400'000);
  World after(steps, 1, file, {}, before.now_ms() + clock_jump_ms);
  const std::int64_t expected_ms = clock_jump_ms == 15'000    ? 5'000
                                   : clock_jump_ms == 100'000 ? 0
                                                              : 20'000;
  if (expected_ms > 0) {
    after.run_for(expected_ms - 1);
    CHECK(attempts == 1);
    after.run_for(1);
  }
  after.run();
  CHECK(attempts == 2);
  CHECK(after.records() == "started; failed a#1; opened a#2; output a#2; ended");
}

TEST_CASE("recovery: a cancel that was acknowledged survives the crash", "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    World before(outside.steps(), seed(), file);
    before.start(fork_join);
    while (before.records() == "no run") REQUIRE(before.step());
    const auto answer = before.core().cancel("r1");
    while (before.records().find("cancel_requested") == std::string::npos) REQUIRE(before.step());
    before.crash();
  }
  const auto bodies_before = outside.bodies;
  World after(outside.steps(), 1, file);
  REQUIRE(after.run_to_rest());
  const Run run = after.core().watch("r1");
  REQUIRE(after.run_to_rest());
  CHECK(run.wait().state == RunState::cancelled);
  CHECK(outside.bodies == bodies_before);
}

TEST_CASE("recovery: without recovery, only the runs that are asked for go on", "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    World before(outside.steps(), 1, file);
    before.start(one, "r1");
    before.start(one, "r2");
    while (before.records("r1") == "no run" || before.records("r2") == "no run")
      REQUIRE(before.step());
    before.crash();
  }
  EngineOptions options;
  options.recover = false;
  World after(outside.steps(), 1, file, options);
  REQUIRE(after.run_to_rest());
  const std::string untouched = after.records("r1");
  CHECK(untouched.find("lost") == std::string::npos);
  const Run run = after.core().watch("r2");
  REQUIRE(after.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(after.records("r1") == untouched);
}

TEST_CASE("recovery: a cancel without recovery ends the run and starts nothing", "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    World before(outside.steps(), 1, file);
    before.start(fork_join);
    while (before.records() == "no run") REQUIRE(before.step());
    before.crash();
  }
  outside.bodies.clear();
  EngineOptions options;
  options.recover = false;
  World after(Steps{}, 1, file, options);  // not even the step types are needed
  const auto answer = after.core().cancel("r1");
  const Run run = after.core().watch("r1");
  REQUIRE(after.run_to_rest());
  CHECK(answer->wait().value() == RunState::cancelling);
  CHECK(run.wait().state == RunState::cancelled);
  CHECK(after.records() == "started; lost a#1; cancel_requested; ended");
  CHECK(outside.bodies.empty());
}

TEST_CASE("recovery: a missing step type blocks its run and no other, until an engine has it",
          "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  Steps both = outside.steps();
  both.add("y", [](const StepCall&) { return done(); });
  {
    World before(both, 1, file);
    before.start(
        R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "y", "after": ["a"]}}})",
        "needs_y");
    before.start(one, "plain");
    while (before.records("needs_y") == "no run" || before.records("plain") == "no run")
      REQUIRE(before.step());
    before.crash();
  }
  {
    World without(outside.steps(), seed(), file);
    const Run blocked = without.core().watch("needs_y");
    const Run plain = without.core().watch("plain");
    REQUIRE(without.run_to_rest());
    CHECK(plain.wait().succeeded());
    CHECK(blocked.wait().state == RunState::blocked);
    CHECK(blocked.wait().error->code == Errc::unknown_step_type);
    CHECK(blocked.wait().error->step == "b");
    CHECK(without.count_events(EventKind::run_blocked) == 1);
    CHECK(open_memory_view(file)->load("needs_y").value()->row.state == RunState::blocked);
    without.crash();
  }
  World with(both, 1, file);
  const Run run = with.core().watch("needs_y");
  REQUIRE(with.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(with.records("needs_y").find("lost b") == std::string::npos);  // it was never begun
}

TEST_CASE("recovery: a crash loop blocks its run, and a person can unblock it", "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  for (int crash = 0; crash <= 10; ++crash) {
    World world(outside.steps(), 1, file);
    if (crash == 0) {
      world.start(one);
      while (world.records() == "no run") REQUIRE(world.step());
    } else {
      // Dies as soon as the lost receipt is written, each time.
      const std::string before = world.records();
      while (world.records() == before) REQUIRE(world.step());
    }
    world.crash();
  }
  World world(outside.steps(), 1, file);
  const Run blocked = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(blocked.wait().state == RunState::blocked);
  CHECK(blocked.wait().error->code == Errc::crash_loop);
  CHECK(outside.bodies.empty());
  const auto answer = world.core().unblock("r1");
  REQUIRE(world.run_to_rest());
  CHECK(answer->wait().has_value());
  const Run run = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
}

TEST_CASE("recovery: a damaged run is told by name, and the others go on", "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    World before(outside.steps(), 1, file);
    before.start(one, "bad");
    before.start(one, "good");
    while (before.records("bad") == "no run" || before.records("good") == "no run")
      REQUIRE(before.step());
    before.crash();
  }
  {
    // An output before its time, as no pawl writes it.
    auto store = open_memory_store(file);
    Record nonsense;
    nonsense.kind = RecordKind::opened;
    nonsense.step = "a";
    nonsense.attempt = 7;
    const Write write =
        AppendRecord{store->load("bad").value()->row.key, std::make_shared<Record>(nonsense)};
    REQUIRE(store->write({&write}, 1).has_value());
  }
  World after(outside.steps(), seed(), file);
  const Run bad = after.core().watch("bad");
  const Run good = after.core().watch("good");
  REQUIRE(after.run_to_rest());
  CHECK(good.wait().succeeded());
  CHECK(bad.started().error().code == Errc::corrupt);
  bool told = false;
  for (const EngineEvent& event : after.events)
    told = told || (event.kind == EventKind::run_blocked && event.run == "bad" &&
                    event.message.find("does not open") != std::string::npos);
  CHECK(told);
  CHECK(bad.wait().error->code == Errc::corrupt);
  CHECK_FALSE(is_ended(bad.wait().state));
}

TEST_CASE("recovery: more unfinished runs than fit in memory are all brought to their end",
          "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    World before(outside.steps(), 1, file);
    for (int i = 0; i < 700; ++i) before.start(one, "r" + std::to_string(i));
    while (before.records("r699") == "no run") REQUIRE(before.step());
    before.crash();
  }
  EngineOptions options;
  options.live_runs_max = 50;
  World after(outside.steps(), 5, file, options);
  REQUIRE(after.run_to_rest());
  CHECK(open_memory_view(file)->count_unfinished().value() == 0);
}

TEST_CASE("recovery: runs that are blocked do not keep those behind them from going on",
          "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    const auto store = open_memory_store(file);
    for (int i = 0; i < 600; ++i)
      put(*store, start_run("y" + std::to_string(i), json::object(), "y"));
    put(*store, start_run("good"));
  }
  World after(outside.steps(), 3, file);
  REQUIRE(after.run_to_rest());
  CHECK(after.count_events(EventKind::run_blocked) == 600);
  CHECK(after.records("good").find("ended") != std::string::npos);
}

TEST_CASE("recovery: a run that cannot be read for a while goes on when it can", "[actors]") {
  Outside outside;
  const auto file = make_memory_file();
  {
    World before(outside.steps(), 1, file);
    before.start(one);
    while (before.records() == "no run") REQUIRE(before.step());
    before.crash();
  }
  World after(outside.steps(), seed(), file);
  after.disk->failure = GENERATE(Errc::io, Errc::full, Errc::busy);
  after.disk->failing_loads = GENERATE(1, 4);
  const bool is_asked_for = GENERATE(true, false);
  if (is_asked_for) after.core().watch("r1");
  REQUIRE(after.run_to_rest());
  CHECK(after.disk->failing_loads == 0);
  CHECK(after.records().find("ended") != std::string::npos);
  CHECK(after.count_events(EventKind::run_blocked) == 0);
}

}  // namespace recovery_test
