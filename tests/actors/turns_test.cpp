// Attempts that wait for each other: by a key, a priority or a rate. Every test holds for any order
// of messages.
#include <pawl/point.hpp>

#include "runtime/attempt.hpp"
#include "runtime/start_facts.hpp"
#include "support/catch.hpp"
#include "support/world.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace turns_test {

using namespace pawl;

namespace {

std::uint64_t seed() {
  return GENERATE(range<std::uint64_t>(1, 21));
}

/// Watches at every turn that no attempt whose end is not stored has the same key. Keys are the
/// runs' inputs `k`.
class KeyWatch {
 public:
  explicit KeyWatch(World& world) : world_(world) {
    current_ = this;
    arm_points([](const PointHit& hit) { current_->look(hit); });
  }

  ~KeyWatch() { arm_points(nullptr); }

  KeyWatch(const KeyWatch&) = delete;
  KeyWatch& operator=(const KeyWatch&) = delete;

  /// The next step runner that reaches this point dies there.
  std::string die_at;

  int overlaps = 0;
  int turns = 0;

 private:
  struct Attempt {
    std::string run;
    std::string step;
    int number;
  };

  void look(const PointHit& hit) {
    if (hit.point == die_at) {
      die_at.clear();
      throw std::runtime_error("a bug");
    }
    if (hit.point != "run.before_dispatch") return;
    ++turns;
    const Attempt next{std::string(hit.run), std::string(hit.step), hit.attempt};
    for (const Attempt& other : begun_)
      if (key_of(other) == key_of(next) && !has_ended(other)) ++overlaps;
    begun_.push_back(next);
  }

  StoredRun stored(const std::string& run) const {
    return open_memory_view(world_.file)->load(run).value().value();
  }

  json key_of(const Attempt& attempt) const {
    return json::parse(stored(attempt.run).input).at("k");
  }

  bool has_ended(const Attempt& attempt) const {
    for (const Record& record : stored(attempt.run).records)
      if (record.step == attempt.step && record.end != AttemptEnd::none &&
          (record.attempt == attempt.number || record.kind == RecordKind::output))
        return true;
    return false;
  }

  static inline KeyWatch* current_ = nullptr;

  World& world_;
  std::vector<Attempt> begun_;
};

std::string priority_of(const World& world, const std::string& run) {
  const StoredRun stored = open_memory_view(world.file)->load(run).value().value();
  return std::to_string(start_facts_of(stored.records).value().priority);
}

Run start(World& world, const std::string& flow, const std::string& run,
          std::optional<int> priority) {
  return world.core().submit(parse_flow(flow).value(), run, json::object(), {{}, priority});
}

const std::string flow_x = R"({"flow": "f", "input": {"k": 1}, "steps": {
  "a": {"run": "x", "one_at_a_time": "account-{{input.k}}", "retry": {"initial_ms": 10}},
  "b": {"run": "x", "one_at_a_time": "account-{{input.k}}"}}})";
const std::string flow_y = R"({"flow": "g", "input": {"k": 1}, "steps": {
  "a": {"run": "y", "one_at_a_time": "account-{{input.k}}"}}})";

}  // namespace

TEST_CASE("turns: of one key one attempt is under way, over runs, flows and step types",
          "[actors]") {
  World world(Steps{{"x",
                     [](const StepCall& call) {
                       return call.step == "a" && call.attempt == 1 ? retry("no") : done();
                     }},
                    {"y", [](const StepCall&) { return done(); }}},
              seed());
  KeyWatch watch(world);
  std::vector<Run> runs;
  for (int i = 0; i < 4; ++i) {
    runs.push_back(world.start(flow_x, "x" + std::to_string(i), {{"k", i % 2}}));
    runs.push_back(world.start(flow_y, "y" + std::to_string(i), {{"k", i % 2}}));
  }
  REQUIRE(world.run_to_rest());
  for (const Run& run : runs) CHECK(run.wait().succeeded());
  CHECK(watch.overlaps == 0);
  CHECK(watch.turns == 16);
}

TEST_CASE("turns: a step runner that dies holds its key until its receipt is stored", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  KeyWatch watch(world);
  watch.die_at = GENERATE(as<std::string>(), "step.before_write", "step.after_write");
  const Run first = world.start(flow_x, "r1");
  const Run second = world.start(flow_x, "r2");
  REQUIRE(world.run_to_rest());
  CHECK(first.wait().succeeded());
  CHECK(second.wait().succeeded());
  CHECK(watch.overlaps == 0);
}

TEST_CASE("turns: a key holds up nobody but its own, and elements of a map have each one",
          "[actors]") {
  World* here = nullptr;
  std::set<std::string> begun;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       begun.insert(call.key);
                       here->executor->hang();
                       return done();
                     }}},
              seed());
  here = &world;
  const Run run = world.start(R"({"flow": "f", "steps": {"m": {"map": ["p", "p", "q", "q", "r"],
    "run": "x", "one_at_a_time": "{{item}}", "timeout_ms": 0}}})");
  world.run();
  CHECK(begun == std::set<std::string>{"r1/m[0]", "r1/m[2]", "r1/m[4]"});
  world.executor->let_go();
  world.run();
  CHECK(begun.size() == 5);
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
}

TEST_CASE("turns: a key that cannot be used fails the step for good, and is not told", "[actors]") {
  int bodies = 0;
  World world(Steps{{"x", [&](const StepCall&) { return ++bodies, done(); }}}, seed());
  const std::string flow = R"({"flow": "f", "secret": ["input.k"], "steps": {
    "a": {"run": "x", "one_at_a_time": "{{input.k}}"}}})";
  const Run none = world.start(flow, "r1", {{"k", {{"card", "4711-0815"}}}});
  const Run length = world.start(flow, "r2", {{"k", std::string(300, '7')}});
  REQUIRE(world.run_to_rest());
  CHECK(none.wait().error->code == Errc::invalid_argument);
  CHECK(none.wait().error->step == "a");
  CHECK(none.wait().error->message ==
        "the step's parameters: /steps/a/one_at_a_time: a key is a string or a number; this one "
        "is an object: refer to a part of it, or put text beside the reference");
  CHECK(length.wait().error->code == Errc::too_large);
  CHECK(bodies == 0);
  for (const LogLine& line : world.log) {
    CHECK(line.text.find("4711") == std::string::npos);
    CHECK(line.text.find("7777") == std::string::npos);
  }
}

TEST_CASE("turns: whoever waits for a key can be cancelled, and interrupted", "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x", [&](const StepCall&) { return here->executor->hang(), done(); }}},
              seed());
  here = &world;
  const std::string flow =
      R"({"flow": "f", "steps": {"a": {"run": "x", "one_at_a_time": "k", "timeout_ms": 0}}})";
  const Run first = world.start(flow, "r1");
  world.run();
  const Run second = world.start(flow, "r2");
  const Run third = world.start(flow, "r3");
  world.run();
  const auto cancelled = world.core().cancel("r2");
  world.run();
  CHECK(second.wait().state == RunState::cancelled);
  CHECK(world.records("r2") == "started; cancel_requested; cancelled a#1; ended");
  const auto closed = world.core().close(false);
  world.run();
  CHECK(world.records("r3") == "started; interrupted a#1");
  world.executor->let_go();
  world.run();
  CHECK(closed->value().has_value());
  CHECK(first.wait().succeeded());
}

TEST_CASE("turns: the highest priority goes first, and equal ones as they came", "[actors]") {
  World* here = nullptr;
  std::vector<std::string> order;
  EngineOptions options;
  options.attempts_max = 1;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       order.push_back(call.run);
                       if (call.run == "first") here->executor->hang();
                       return done();
                     }}},
              seed(), make_memory_file(), options);
  here = &world;
  const std::string flow = R"({"flow": "f", "steps": {"a": {"run": "x", "timeout_ms": 0}}})";
  const std::string high =
      R"({"flow": "g", "priority": 5, "steps": {"a": {"run": "x", "timeout_ms": 0}}})";
  start(world, flow, "first", {});
  world.run();
  const std::vector<Run> runs{start(world, flow, "none", {}),  start(world, flow, "low", -3),
                              start(world, high, "high", {}),  start(world, high, "said_0", 0),
                              start(world, flow, "said_5", 5), start(world, high, "above", 100),
                              start(world, flow, "last", -100)};
  world.run();
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  for (const Run& run : runs) CHECK(run.wait().succeeded());
  CHECK(order == std::vector<std::string>{"first", "above", "high", "said_5", "none", "said_0",
                                          "low", "last"});
  CHECK(start(world, flow, "r9", 101).started().error().code == Errc::invalid_argument);
  CHECK(start(world, flow, "r9", -101).started().error().code == Errc::invalid_argument);
}

TEST_CASE("turns: a priority holds after a restart", "[actors]") {
  World* here = nullptr;
  std::vector<std::string> order;
  EngineOptions options;
  options.attempts_max = 1;
  const Steps steps{{"x", [&](const StepCall& call) {
                       order.push_back(call.run);
                       if (order.size() == 1) here->executor->hang();
                       return done();
                     }}};
  const auto file = make_memory_file();
  const std::string flow = R"({"flow": "f", "steps": {"a": {"run": "x", "timeout_ms": 0}}})";
  {
    World world(steps, 1, file, options);
    here = &world;
    for (int i = 0; i < 5; ++i) start(world, flow, "r" + std::to_string(i), i);
    world.run();
    world.crash();
  }
  order.clear();
  World world(steps, seed(), file, options);
  here = &world;
  world.run();
  REQUIRE(order.size() == 1);
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  REQUIRE(order.size() == 5);
  CHECK(std::is_sorted(order.rbegin(), order.rend() - 1));
}

TEST_CASE("turns: children have their parent's priority, unless their flow says its own",
          "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  const std::string flow = R"({"flow": "f", "priority": 1, "steps": {
    "c": {"child": {"flow": "g", "steps": {
      "d": {"child": {"flow": "h", "priority": 0, "steps": {"x": {"run": "x"}}}}}}}}})";
  const Run run = start(world, flow, "r1", 7);
  const Run other = start(world, flow, "r2", {});
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(priority_of(world, "r1") == "7");
  CHECK(priority_of(world, "r1.c") == "7");
  CHECK(priority_of(world, "r1.c.d") == "0");
  CHECK(priority_of(world, "r2") == "1");
  CHECK(priority_of(world, "r2.c") == "1");
}

TEST_CASE("turns: of a step type with a rate no more begin in its span, and none waits longer",
          "[actors]") {
  World* here = nullptr;
  std::vector<std::int64_t> begun;
  EngineOptions options;
  options.rates = {{"x", {2, 1000}}};
  std::int64_t free_ms = 0;
  World world(Steps{{"x",
                     [&](const StepCall&) {
                       begun.push_back(here->now_ms());
                       return done();
                     }},
                    {"free",
                     [&](const StepCall&) {
                       free_ms = here->now_ms();
                       return done();
                     }}},
              seed(), make_memory_file(), options);
  here = &world;
  const std::int64_t start_ms = world.now_ms();
  const std::string flow = R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x"},
    "c": {"run": "x"}, "free": {"run": "free"}}})";
  const Run first = world.start(flow, "r1");
  const Run second = world.start(flow, "r2");
  REQUIRE(world.run_to_rest());
  CHECK(first.wait().succeeded());
  CHECK(second.wait().succeeded());
  for (std::int64_t& moment : begun) moment -= start_ms;
  CHECK(begun == std::vector<std::int64_t>{0, 0, 1000, 1000, 2000, 2000});
  CHECK(free_ms == start_ms);
}

TEST_CASE("turns: a rate is kept by code that begins late, too", "[actors]") {
  World* here = nullptr;
  std::vector<std::int64_t> begun;
  EngineOptions options;
  options.rates = {{"x", {1, 100}}};
  World world(Steps{{"x",
                     [&](const StepCall&) {
                       begun.push_back(here->now_ms());
                       return done();
                     }}},
              1, make_memory_file(), options);
  here = &world;
  const std::int64_t start_ms = world.now_ms();
  const Run run = world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x"}, "c": {"run": "x"}}})");
  // The first has its turn, and no thread.
  while (world.executor->jobs.empty()) REQUIRE(world.step());
  auto held = std::move(world.executor->jobs);
  world.executor->jobs.clear();
  world.run_for(90);
  world.executor->jobs = std::move(held);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  REQUIRE(begun.size() == 3);
  CHECK(begun[0] - start_ms == 90);
  CHECK(begun[1] - begun[0] == 100);
  CHECK(begun[2] - begun[1] == 100);
}

TEST_CASE("turns: what waits for its turn keeps no run that cannot go on", "[actors]") {
  World* here = nullptr;
  bool hung = false;
  EngineOptions options;
  options.at_once_max = {{"narrow", 1}};
  World world(Steps{{"narrow",
                     [&](const StepCall&) {
                       if (!std::exchange(hung, true)) here->executor->hang();
                       return done();
                     }},
                    {"x",
                     [&](const StepCall& call) {
                       if (call.attempt == 1) {
                         // Somebody else has ended this attempt: its output will be refused.
                         Record receipt = conclude_unanswered("a", 1, AttemptEnd::failed);
                         const Write write = AppendRecord{2, std::make_shared<Record>(receipt)};
                         (void)open_memory_store(here->file)->write({&write}, 1).value();
                         here->own_the_file_again();
                       }
                       return done();
                     }}},
              seed(), make_memory_file(), options);
  here = &world;
  const Run first =
      world.start(R"({"flow": "f", "steps": {"n": {"run": "narrow", "timeout_ms": 0}}})", "r1");
  world.run();
  const Run second = world.start(
      R"({"flow": "g", "steps": {"a": {"run": "x"}, "b": {"run": "narrow", "timeout_ms": 0}}})",
      "r2");
  REQUIRE(world.run_to_rest());
  CHECK(second.wait().error->code == Errc::attempt_ended);
  const Run again = world.core().watch("r2");
  REQUIRE(world.run_to_rest());
  CHECK(again.started().has_value());
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(first.wait().succeeded());
  CHECK(again.wait().succeeded());
}

}  // namespace turns_test
