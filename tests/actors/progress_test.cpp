// What steps report while they run: kept for the next attempt, and a sign of life.
#include <pawl/limits.hpp>
#include <pawl/memory_store.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/step_actor.hpp>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"
#include "support/world.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <thread>

using namespace pawl;

namespace {

std::string one_step(const std::string& members = "") {
  return R"({"flow": "one", "steps": {"a": {"run": "x")" + members + "}}}";
}

/// A step whose attempts hang until they are let go: what it reports meanwhile, the test reports.
struct Long {
  explicit Long(std::shared_ptr<MemoryFile> file = make_memory_file())
      : world(Steps{{"x", [this](const StepCall& call) { return perform(call); }}}, 1,
              std::move(file)) {
    world.disk->fails = [this](const Write& write) {
      reports_written += std::holds_alternative<NoteProgress>(write) ? 1 : 0;
      return std::holds_alternative<NoteProgress>(write);
    };
  }

  StepResult perform(const StepCall& call) {
    calls.push_back(call);
    if (call.attempt <= hanging_attempts) world.executor->hang();
    return call.attempt < succeeding_attempt ? retry("not yet") : done(call.attempt);
  }

  void report(const json& value, std::size_t call = 0) { calls.at(call).progress(value); }

  /// What the step last reported, as it is stored; null if nothing.
  json stored() const {
    const StoredRun run = *open_memory_view(world.file)->load("r1").value();
    return run.progress.empty() ? json() : json::parse(run.progress.front().body);
  }

  int hanging_attempts = 1;
  int succeeding_attempt = 2;
  int reports_written = 0;
  std::vector<StepCall> calls;
  World world;
};

}  // namespace

TEST_CASE("progress: what an attempt reported is told to the next one, and to nobody before",
          "[actors]") {
  Long step;
  const Run run = step.world.start(one_step());
  step.world.run();
  step.report({{"part", 1}});
  step.world.run();
  CHECK(step.stored() == json{{"part", 1}});
  CHECK(step.world.count_events(EventKind::progress_written) == 1);
  step.world.executor->let_go();
  REQUIRE(step.world.run_to_rest());
  CHECK(run.wait().succeeded());
  REQUIRE(step.calls.size() == 2);
  CHECK(step.calls[0].last_progress == nullptr);
  CHECK(step.calls[1].last_progress == json{{"part", 1}});
  CHECK(step.world.records() == "started; failed a#1; opened a#2; output a#2; ended");
}

TEST_CASE("progress: what was reported before the process died is told after it", "[actors]") {
  Long before;
  before.world.start(one_step());
  before.world.run();
  before.report({{"part", 7}});
  before.world.run();
  before.world.crash();
  Long after(before.world.file);
  after.hanging_attempts = 0;
  REQUIRE(after.world.run_to_rest());
  REQUIRE(after.calls.size() == 1);
  CHECK(after.calls[0].attempt == 2);
  CHECK(after.calls[0].last_progress == json{{"part", 7}});
}

TEST_CASE("progress: it outlives attempts that report nothing, and a wait that is read back",
          "[actors]") {
  Long step;
  step.succeeding_attempt = 4;
  step.world.start(one_step(R"(, "retry": {"max_attempts": 9, "initial_ms": 20000})"));
  step.world.run();
  step.report(1);
  step.world.run();
  step.world.executor->let_go();
  REQUIRE(step.world.run_to_rest());
  REQUIRE(step.calls.size() == 4);
  CHECK(step.calls[3].last_progress == 1);
}

TEST_CASE("progress: a step that reports in a tight loop costs one write each interval",
          "[actors]") {
  Long step;
  step.world.start(one_step());
  step.world.run();
  for (int i = 1; i <= 1000; ++i) step.report(i);
  step.world.run();
  CHECK(step.reports_written == 1);
  for (int i = 1001; i <= 2000; ++i) {
    step.report(i);
    step.world.run();
  }
  step.world.run_for(Limits::progress_interval_ms - 1);
  CHECK(step.reports_written == 1);
  CHECK(step.stored() == 1000);
  step.world.run_for(1);
  CHECK(step.reports_written == 2);
  CHECK(step.stored() == 2000);
  step.world.run_for(10 * Limits::progress_interval_ms);
  CHECK(step.reports_written == 2);
}

TEST_CASE("progress: what waits when the attempt ends is written with its end", "[actors]") {
  Long step;
  step.world.start(one_step());
  step.world.run();
  step.report(1);
  step.world.run();
  step.report(2);
  step.world.run();
  CHECK(step.stored() == 1);
  step.world.disk->batch_sizes.clear();
  step.world.executor->let_go();
  step.world.run();
  REQUIRE_FALSE(step.world.disk->batch_sizes.empty());
  CHECK(step.world.disk->batch_sizes.front() == 2);
  CHECK(step.stored() == 2);
  REQUIRE(step.world.run_to_rest());
  CHECK(step.calls.at(1).last_progress == 2);
}

TEST_CASE("progress: what comes after the attempt's end changes nothing", "[actors]") {
  Long step;
  step.hanging_attempts = 2;
  step.world.start(one_step(R"(, "timeout_ms": 5000, "retry": {"initial_ms": 10})"));
  step.world.run();
  step.report("first");
  step.world.run_for(6000);
  REQUIRE(step.calls.size() == 2);
  step.report("late");
  step.world.run_for(2000);
  CHECK(step.stored() == "first");
  step.report("second", 1);
  step.world.run();
  step.report("late", 0);
  step.world.run_for(2000);
  CHECK(step.stored() == "second");
  step.world.executor->let_go();
  REQUIRE(step.world.run_to_rest());
  step.report("too late", 1);
  REQUIRE(step.world.run_to_rest());
  CHECK(step.stored() == "second");
}

TEST_CASE("progress: a report that could not be written is written later, or a newer one",
          "[actors]") {
  const bool lasts = GENERATE(false, true);
  const bool newer = GENERATE(false, true);
  Long step;
  step.world.start(one_step());
  step.world.run();
  step.world.disk->failing_batches = 1;
  step.world.disk->failing_batches_last = lasts;
  step.report(1);
  step.world.run();
  CHECK(step.world.count_events(EventKind::write_failed) == 1);
  CHECK(step.world.count_events(EventKind::progress_written) == 0);
  if (newer) step.report(2);
  step.world.run_for(Limits::progress_interval_ms);
  CHECK(step.stored() == (newer ? 2 : 1));
  CHECK(step.world.count_events(EventKind::progress_written) == 1);
  step.world.executor->let_go();
  REQUIRE(step.world.run_to_rest());
  CHECK(step.calls.at(1).last_progress == (newer ? 2 : 1));
}

TEST_CASE("progress: a report goes with its attempt's end when the first try of both fails",
          "[actors]") {
  Long step;
  const Run run = step.world.start(one_step());
  step.world.run();
  step.report(1);
  step.world.run();
  step.report(2);
  step.world.disk->failing_batches = 3;
  step.world.disk->failing_batches_last = GENERATE(false, true);
  step.world.executor->let_go();
  REQUIRE(step.world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(step.calls.at(1).last_progress == 2);
}

TEST_CASE("progress: silence ends an attempt with a heartbeat, and each report puts that off",
          "[actors]") {
  Long step;
  step.hanging_attempts = 2;
  step.succeeding_attempt = 3;
  step.world.start(
      one_step(R"(, "heartbeat_ms": 1000, "timeout_ms": 0, "retry": {"initial_ms": 10})"));
  step.world.run();
  for (int i = 0; i < 5; ++i) {
    step.world.run_for(900);
    step.report(i);
  }
  step.world.run_for(999);
  CHECK(step.world.records() == "started");
  step.world.run_for(1);
  CHECK(step.world.records().find("started; timed_out a#1") == 0);
  CHECK(step.calls[0].cancellation->reason() == Cancellation::Reason::timed_out);
  const StoredRun run = *open_memory_view(step.world.file)->load("r1").value();
  CHECK(error_from_body(run.records.at(1).body).message ==
        "no heartbeat: it reported no progress for 1000 ms");
  step.world.run_for(10);
  REQUIRE(step.calls.size() == 2);
  CHECK(step.calls[1].last_progress == 4);
  step.world.run_for(999);
  CHECK(step.world.records().find("timed_out a#2") == std::string::npos);
  step.world.run_for(1);
  CHECK(step.world.records().find("timed_out a#2") != std::string::npos);
}

TEST_CASE("progress: the timeout ends an attempt that reports, too", "[actors]") {
  Long step;
  step.world.start(
      one_step(R"(, "heartbeat_ms": 1000, "timeout_ms": 2500, "retry": {"max_attempts": 1})"));
  step.world.run();
  for (int i = 0; i < 4; ++i) {
    step.world.run_for(800);
    step.report(i);
  }
  REQUIRE(step.world.run_to_rest());
  const StoredRun run = *open_memory_view(step.world.file)->load("r1").value();
  CHECK(error_from_body(run.records.at(1).body).message == "no answer within 2500 ms");
}

TEST_CASE("progress: a report that cannot be kept is a sign of life, and told in the log once",
          "[actors]") {
  Long step;
  step.world.start(one_step(R"(, "heartbeat_ms": 1000, "timeout_ms": 0)"));
  step.world.run();
  const auto [refused, why] = GENERATE(table<json, std::string>({
      {std::string(Limits::progress_bytes_max, 'x'), "bytes as JSON"},
      {"\xff", "not UTF-8"},
      {std::nan(""), "NaN"},
  }));
  for (int i = 0; i < 3; ++i) {
    step.world.run_for(900);
    step.report(refused);
  }
  step.world.run();
  CHECK(step.world.records() == "started");
  CHECK(step.stored() == nullptr);
  int told = 0;
  for (const LogLine& line : step.world.log)
    if (line.text.find("is not kept") != std::string::npos) {
      ++told;
      CHECK(line.level == LogLevel::warning);
      CHECK(line.text.find("run=r1 step=a") == 0);
      CHECK(line.text.find(why) != std::string::npos);
    }
  CHECK(told == 1);
  step.report("fine");
  step.world.run_for(Limits::progress_interval_ms);
  CHECK(step.stored() == "fine");
  step.world.executor->let_go();
  REQUIRE(step.world.run_to_rest());
}

TEST_CASE("progress: a step that is an actor reports, and is told, in the same way", "[actors]") {
  json told;
  World world(Steps{{"x", step_actor([&told](caf::actor_system& system) {
                       return system.spawn(
                           [&told](StepActor::pointer, int) -> StepActor::behavior_type {
                             return {[&told](const StepCallPtr& call) -> caf::result<StepResult> {
                               told = call->last_progress;
                               call->progress({{"by", call->attempt}});
                               return call->attempt == 1 ? retry("not yet") : done();
                             }};
                           },
                           0);
                     })}},
              GENERATE(range<std::uint64_t>(1, 21)));
  const Run run = world.start(one_step());
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(told == json{{"by", 1}});
  const StoredRun stored = *open_memory_view(world.file)->load("r1").value();
  REQUIRE(stored.progress.size() == 1);
  CHECK(stored.progress[0].attempt == 2);
}

TEST_CASE("progress: elements and undos of a step report each for themselves", "[actors]") {
  std::map<std::string, json> told;
  const auto body = [&](const StepCall& call) {
    told[call.step + "#" + std::to_string(call.attempt)] = call.last_progress;
    call.progress(call.step);
    if (call.step == "z") return fail("never");
    return call.attempt == 1 ? retry("not yet") : done();
  };
  World world(Steps{{"x", body}}, 1);
  world.start(R"({"flow": "f", "steps": {
    "m": {"map": [1, 2], "run": "x", "undo": {"run": "x"}}, "z": {"run": "x", "after": ["m"]}}})");
  REQUIRE(world.run_to_rest());
  for (const char* part : {"m[0]", "m[1]", "m[0]:undo", "m[1]:undo"}) {
    CAPTURE(part);
    CHECK(told.at(std::string(part) + "#1") == nullptr);
    CHECK(told.at(std::string(part) + "#2") == part);
  }
}

TEST_CASE("progress: any thread may report, also when the engine is closed", "[actors]") {
  TempFolder folder;
  StepCall kept;
  {
    const auto body = [&kept](const StepCall& call) {
      kept = call;
      std::vector<std::thread> threads;
      for (int t = 0; t < 4; ++t)
        threads.emplace_back([&call, t] {
          for (int i = 0; i < 1000; ++i) call.progress({{"by", t}, {"n", i}});
        });
      for (std::thread& thread : threads) thread.join();
      return done();
    };
    Engine engine = Engine::open(folder / "pawl.db", {{"x", body}}).value();
    CHECK(engine.start(parse_flow(one_step()).value(), "r1").value().wait().succeeded());
    kept.progress("late");
  }
  kept.progress("too late");
  const auto stored = open_sqlite_reader(folder / "pawl.db").value()->load("r1").value();
  REQUIRE(stored->progress.size() == 1);
  CHECK(json::parse(stored->progress[0].body)["n"] == 999);
}
