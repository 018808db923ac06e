// What an engine tells of time, and what it makes of waits that were over and of flows that were
// damaged while there was none.
#include <pawl/engine.hpp>
#include <pawl/memory_store.hpp>
#include <pawl/sqlite_store.hpp>

#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"
#include "support/world.hpp"

#include <algorithm>
#include <atomic>
#include <map>

using namespace pawl;

namespace {

std::uint64_t seed() {
  return GENERATE(range<std::uint64_t>(1, 11));
}

/// A clock that only moves when a step says so.
class HandClock final : public Clock {
 public:
  static constexpr std::int64_t start_ms = 1'700'000'000'000;

  std::int64_t now_ms() const override { return start_ms + passed_ms_; }

  std::int64_t steady_us() const override { return (1000 + passed_ms_) * 1000; }

  void pass(std::int64_t ms) { passed_ms_ += ms; }

 private:
  std::atomic<std::int64_t> passed_ms_{0};
};

/// How often each run's task ran, in whichever engine.
struct Bodies {
  Steps steps() {
    return Steps{{"x", [this](const StepCall& call) {
                    ++of[call.run];
                    said[call.run] = call.with;
                    return done();
                  }}};
  }

  std::map<std::string, int> of;
  std::map<std::string, json> said;
};

const std::string night = R"({"flow": "night", "steps": {
  "wait": {"sleep_ms": 60000}, "a": {"run": "x", "after": ["wait"]}}})";
const std::string answer = R"({"flow": "answer", "steps": {
  "wait": {"await": "go", "timeout_ms": 60000, "default": "nobody"},
  "a": {"run": "x", "with": {"said": "{{steps.wait.output}}"}}}})";
const std::string silence = R"({"flow": "silence", "steps": {
  "wait": {"await": "go", "timeout_ms": 60000}, "a": {"run": "x", "after": ["wait"]}}})";

constexpr int runs_of_each = 4;

/// Leaves runs that wait, as an engine does that dies. Gives the moment when they are due.
std::int64_t leave_waiting_runs(const Steps& steps, const std::shared_ptr<MemoryFile>& file) {
  World before(steps, 1, file);
  for (int i = 0; i < runs_of_each; ++i) {
    before.start(night, "night" + std::to_string(i));
    before.start(answer, "answer" + std::to_string(i));
    before.start(silence, "silence" + std::to_string(i));
  }
  before.run();
  const std::int64_t due_ms = before.now_ms() + 60'000;
  for (const RunRow& row : open_memory_view(file)->list({}).value()) {
    REQUIRE(row.state == RunState::waiting);
    REQUIRE(row.due_ms == due_ms);
  }
  before.crash();
  return due_ms;
}

std::size_t times_in(const std::string& text, const std::string& words) {
  std::size_t times = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++times;
  return times;
}

/// The start of a run whose flow is damaged, as no pawl writes it.
Write damaged_start(const std::string& run, const std::string& text) {
  Write write = start_run(run, json::object(), "y");  // no other run has this flow
  std::get<StartRun>(write).flow = std::make_shared<const std::string>(text);
  return write;
}

std::string sound_text() {
  return *std::get<StartRun>(start_run("any", json::object(), "y")).flow;
}

}  // namespace

TEST_CASE("time: an attempt's record says when its body began and how long it took", "[actors]") {
  World* here = nullptr;
  std::vector<std::int64_t> began;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       began.push_back(here->now_ms());
                       here->pass(call.attempt == 1 ? 250 : 40);
                       return call.attempt == 1 ? retry("not yet") : done();
                     }}},
              seed());
  here = &world;
  const std::int64_t started_ms = world.now_ms();
  const Run run = world.start(R"({"flow": "f", "steps": {"a": {"run": "x",
    "retry": {"initial_ms": 200}}}})");
  REQUIRE(world.run_to_rest());
  REQUIRE(run.wait().succeeded());
  REQUIRE(began == std::vector<std::int64_t>{started_ms, started_ms + 450});
  const StoredRun stored = open_memory_view(world.file)->load("r1").value().value();
  REQUIRE(world.records() == "started; failed a#1; opened a#2; output a#2; ended");
  CHECK(stored.records[1].started_ms == began[0]);
  CHECK(stored.records[1].duration_ms == 250);
  CHECK(stored.records[1].due_ms == began[0] + 450);
  CHECK(stored.records[3].started_ms == began[1]);
  CHECK(stored.records[3].duration_ms == 40);
  CHECK(stored.row.ended_ms == began[1] + 40);
}

TEST_CASE("time: an engine describes each attempt with the times of its record", "[actors]") {
  const auto clock = std::make_shared<HandClock>();
  const auto file = make_memory_file();
  const Steps steps{{"x", [clock](const StepCall& call) {
                       const auto ms = call.with.at("ms").get<std::int64_t>();
                       clock->pass(ms);
                       return ms < 100 ? fail("too fast") : done(ms);
                     }}};
  EngineOptions options;
  options.seams.clock = clock;
  {
    Engine engine = Engine::open(open_memory_store(file), steps, options).value();
    const Flow flow = parse_flow(R"({"flow": "f", "steps": {
      "a": {"run": "x", "with": {"ms": 250}},
      "b": {"run": "x", "with": {"ms": 40}, "after": ["a"]}}})")
                          .value();
    CHECK(engine.start(flow, "r1").value().wait().error->step == "b");
    const json document = engine.describe("r1").value();
    REQUIRE(document["steps"]["a"]["attempts"].size() == 1);
    CHECK(document["steps"]["a"]["attempts"][0] == json{{"attempt", 1},
                                                        {"end", "succeeded"},
                                                        {"started_ms", HandClock::start_ms},
                                                        {"duration_ms", 250}});
    REQUIRE(document["steps"]["b"]["attempts"].size() == 1);
    const json& failed = document["steps"]["b"]["attempts"][0];
    CHECK(failed["end"] == "fatal");
    CHECK(failed["started_ms"] == HandClock::start_ms + 250);
    CHECK(failed["duration_ms"] == 40);
  }
  const StoredRun stored = open_memory_view(file)->load("r1").value().value();
  REQUIRE(stored.records.size() == 4);
  CHECK(stored.records[1].started_ms == HandClock::start_ms);
  CHECK(stored.records[1].duration_ms == 250);
  CHECK(stored.records[2].started_ms == HandClock::start_ms + 250);
  CHECK(stored.records[2].duration_ms == 40);
}

TEST_CASE("log: the lines of an attempt's start and end name its run, step, type and number",
          "[actors]") {
  World world(
      Steps{
          {"x", [](const StepCall& call) { return call.attempt < 2 ? retry("not yet") : done(); }}},
      seed());
  world.start(R"({"flow": "f", "steps": {"a": {"run": "x"}}})", "r1");
  world.start(R"({"flow": "f", "steps": {"b": {"run": "x"}}})", "r2");
  REQUIRE(world.run_to_rest());
  std::vector<std::string> started;
  std::vector<std::string> ended;
  for (const LogLine& line : world.log) {
    if (line.text.find("step_started") == 0) started.push_back(line.text);
    if (line.text.find("attempt_ended") == 0) {
      ended.push_back(line.text);
      CHECK(line.level == LogLevel::warning);
    }
  }
  std::sort(started.begin(), started.end());
  std::sort(ended.begin(), ended.end());
  CHECK(started == std::vector<std::string>{"step_started run=r1 step=a type=x attempt=1",
                                            "step_started run=r1 step=a type=x attempt=2",
                                            "step_started run=r2 step=b type=x attempt=1",
                                            "step_started run=r2 step=b type=x attempt=2"});
  CHECK(ended == std::vector<std::string>{
                     "attempt_ended run=r1 step=a type=x attempt=1 end=failed: not yet",
                     "attempt_ended run=r2 step=b type=x attempt=1 end=failed: not yet"});
}

TEST_CASE(
    "recovery: an attempt with other parameters than the one before is refused before its body",
    "[actors]") {
  const auto file = make_memory_file();
  {
    const auto store = open_memory_store(file);
    const RunKey run = put(*store, start_run("r1", {{"n", 1}})).run;
    Record receipt = receipt_record("a", 1, AttemptEnd::failed);
    receipt.input_digest = digest_of(R"({"n":2})");
    receipt.due_ms = HandClock::start_ms;
    put(*store, append(run, receipt));
  }
  int bodies = 0;
  const Steps steps{{"x", [&](const StepCall&) { return ++bodies, done(1); }}};
  World world(steps, seed(), file);
  const Run run = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(bodies == 0);
  const Outcome blocked = run.wait();
  CHECK(blocked.error->code == Errc::inputs_differ);
  CHECK(blocked.error->step == "a");
  CHECK(blocked.error->message.find("the step's parameters: they are not those of its earlier "
                                    "attempts; nothing was done.") == 0);
  // Whoever unblocks it has seen them.
  const auto unblocked = world.core().unblock("r1");
  REQUIRE(world.run_to_rest());
  CHECK(unblocked->value()->has_value());
  CHECK(bodies == 2);
  CHECK(open_memory_view(file)->load("r1").value()->row.state == RunState::succeeded);
}

TEST_CASE("recovery: a run whose flow cannot be read any more is told as corrupt, and others go on",
          "[actors]") {
  const std::string sound = sound_text();
  std::string broken = sound;
  broken[sound.size() / 2] = '\xff';
  std::string renamed = sound;
  renamed.replace(renamed.find("\"steps\""), 7, "\"stops\"");
  const std::string texts[] = {"", sound.substr(0, sound.size() / 2), broken, renamed};
  const int damage = GENERATE(range(0, 4));
  CAPTURE(texts[damage]);
  Bodies bodies;
  const auto file = make_memory_file();
  {
    const auto store = open_memory_store(file);
    put(*store, start_run("good1"));
    put(*store, damaged_start("bad", texts[damage]));
    put(*store, start_run("good2"));
  }
  Steps steps = bodies.steps();
  steps.add("y", [](const StepCall&) { return done("never"); });
  World world(steps, seed(), file);
  const bool is_asked_for = GENERATE(true, false);
  if (is_asked_for) {
    const Run bad = world.core().watch("bad");
    REQUIRE(world.run_to_rest());
    CHECK(bad.started().error().code == Errc::corrupt);
    CHECK(bad.wait().error->code == Errc::corrupt);
    CHECK_FALSE(is_ended(bad.wait().state));
  }
  REQUIRE(world.run_to_rest());
  bool told = false;
  for (const EngineEvent& event : world.events)
    if (event.kind == EventKind::run_blocked) {
      CHECK(event.run == "bad");
      CHECK(event.state == RunState::blocked);
      told = told || event.message.find("flow is not readable") != std::string::npos;
    }
  CHECK(told);
  CHECK(world.records("bad") == "started");
  CHECK(bodies.of == std::map<std::string, int>{{"good1", 2}, {"good2", 2}});
  for (const char* good : {"good1", "good2"})
    CHECK(open_memory_view(file)->load(good).value()->row.state == RunState::succeeded);
}

TEST_CASE("engine: a run whose flow cannot be read any more is told as corrupt to whoever asks",
          "[actors]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  const std::string sound = sound_text();
  {
    const auto store = open_sqlite_store({path}).value();
    put(*store, start_run("good"));
    put(*store, damaged_start("bad", sound.substr(0, sound.size() - 1)));
  }
  Engine engine = Engine::open(path, {{"x", [](const StepCall&) { return done(1); }}}).value();
  CHECK(engine.find("bad").error().code == Errc::corrupt);
  CHECK(engine.describe("bad").error().code == Errc::corrupt);
  CHECK(engine.find("good").value().wait().succeeded());
  CHECK(engine.list().value().size() == 2);
}

TEST_CASE("recovery: waits that were over before the engine opened end at once, and once",
          "[actors]") {
  Bodies bodies;
  const auto file = make_memory_file();
  const std::int64_t due_ms = leave_waiting_runs(bodies.steps(), file);
  REQUIRE(bodies.of.empty());
  const std::int64_t now_ms = due_ms + GENERATE(as<std::int64_t>(), 0, 1, 86'400'000);
  const auto check = [&](const World& world) {
    for (int i = 0; i < runs_of_each; ++i) {
      const std::string number = std::to_string(i);
      CHECK(world.records("night" + number) == "started; output wait#0; output a#1; ended");
      CHECK(world.records("answer" + number) == "started; output wait#0; output a#1; ended");
      CHECK(world.records("silence" + number) == "started; fatal wait#0; ended");
      CHECK(bodies.of["night" + number] == 1);
      CHECK(bodies.of["answer" + number] == 1);
      CHECK(bodies.said["answer" + number] == json{{"said", "nobody"}});
      CHECK(bodies.of.count("silence" + number) == 0);
      const StoredRun silent = open_memory_view(file)->load("silence" + number).value().value();
      CHECK(silent.row.state == RunState::failed);
      CHECK(error_from_body(silent.records.at(1).body).code == Errc::deadline);
    }
  };
  {
    World after(bodies.steps(), seed(), file, {}, now_ms);
    after.run();
    CHECK(after.now_ms() == now_ms);  // no time had to pass
    check(after);
    after.crash();
  }
  World later(bodies.steps(), 1, file, {}, now_ms + 120'000);
  REQUIRE(later.run_to_rest());
  check(later);
}

TEST_CASE("recovery: waits that were over end once, wherever the engine that woke them dies",
          "[actors]") {
  Bodies bodies;
  const auto file = make_memory_file();
  const std::int64_t due_ms = leave_waiting_runs(bodies.steps(), file);
  const int messages = GENERATE(range(0, 160, 5));
  {
    World after(bodies.steps(), seed(), file, {}, due_ms + 1000);
    for (int i = 0; i < messages && after.step(); ++i) {
    }
    after.crash();
  }
  World last(bodies.steps(), 1, file, {}, due_ms + 2000);
  last.run();
  CHECK(open_memory_view(file)->count_unfinished().value() == 0);
  for (int i = 0; i < runs_of_each; ++i)
    for (const char* flow : {"night", "answer", "silence"}) {
      const std::string run = flow + std::to_string(i);
      const bool is_silent = flow == std::string("silence");
      const std::string records = last.records(run);
      CAPTURE(run, records);
      CHECK(times_in(records, is_silent ? "fatal wait#0" : "output wait#0") == 1);
      CHECK(times_in(records, "wait#") == 1);
      CHECK(times_in(records, "output a#") == (is_silent ? 0u : 1u));
      CHECK(bodies.of[run] <= (is_silent ? 0 : 2));  // twice if it died under way
    }
}
