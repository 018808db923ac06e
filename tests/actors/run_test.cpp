// Runs as a user sees them, on the real actors in a world without threads: every test holds for any
// order of messages.
#include <pawl/limits.hpp>
#include <pawl/step_actor.hpp>

#include "runtime/attempt.hpp"
#include "support/catch.hpp"
#include "support/world.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <malloc.h>
#include <vector>

namespace run_test {

using namespace pawl;

namespace {

const std::string chain = R"({"flow": "chain", "steps": {
  "a": {"run": "count"}, "b": {"run": "count", "after": ["a"]}, "c": {"run": "count", "after": ["b"]}}})";
const std::string fork_join = R"({"flow": "fork", "steps": {
  "a": {"run": "count"}, "b": {"run": "count", "after": ["a"]}, "c": {"run": "count", "after": ["a"]},
  "d": {"run": "count", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}}}})";

/// One step of type `x`; the text between the braces is more of its members.
std::string one_step(const std::string& members = "") {
  return R"({"flow": "one", "steps": {"a": {"run": "x")" + members + "}}}";
}

/// A step type that counts how often each step's body ran, and with which keys.
struct Counting {
  Steps steps() {
    return Steps{{"count", [this](const StepCall& call) {
                    ++bodies[call.step];
                    keys[call.step].insert(call.key);
                    return done({{"step", call.step}});
                  }}};
  }

  std::map<std::string, int> bodies;
  std::map<std::string, std::set<std::string>> keys;
};

std::uint64_t seed() {
  return GENERATE(range<std::uint64_t>(1, 21));
}

}  // namespace

TEST_CASE("run: steps run in order, and the end is durable before it is told", "[actors]") {
  Counting counting;
  World world(counting.steps(), seed());
  const Run run = world.start(chain);
  REQUIRE(world.run_to_rest());
  CHECK(run.started().has_value());
  CHECK(run.wait().succeeded());
  CHECK(run.wait().output == json{{"c", {{"step", "c"}}}});
  CHECK(world.records() == "started; output a#1; output b#1; output c#1; ended");
}

TEST_CASE("run: a join gets the outputs of both sides", "[actors]") {
  Counting counting;
  json seen;
  Steps steps = counting.steps();
  World world(Steps{{"count",
                     [&](const StepCall& call) {
                       if (call.step == "d") seen = call.with;
                       return done(call.step);
                     }}},
              seed());
  const Run run = world.start(fork_join);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(seen == json{{"b", "b"}, {"c", "c"}});
}

TEST_CASE("run: a step sees its run, name, attempt, key, parameters and folder", "[actors]") {
  std::vector<StepCall> calls;
  EngineOptions options;
  options.folder = "/some/folder";
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       calls.push_back(call);
                       return calls.size() < 2 ? retry("again") : done();
                     }}},
              1, make_memory_file(), options);
  world.start(one_step(R"(, "with": {"n": "{{input.n}}"})"), "r7", {{"n", 5}});
  REQUIRE(world.run_to_rest());
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].run == "r7");
  CHECK(calls[0].step == "a");
  CHECK(calls[0].attempt == 1);
  CHECK(calls[1].attempt == 2);
  CHECK(calls[0].key == "r7/a");
  CHECK(calls[1].key == "r7/a");
  CHECK(calls[0].with == json{{"n", 5}});
  CHECK(calls[0].folder == "/some/folder");
  CHECK_FALSE(calls[0].cancelled());
}

TEST_CASE("run: a failed attempt is repeated after its wait, and leaves its receipt", "[actors]") {
  int attempts = 0;
  World world(
      Steps{{"x",
             [&](const StepCall&) { return ++attempts < 3 ? retry("not yet") : done(attempts); }}},
      seed());
  const Run run = world.start(one_step());
  world.run_for(199);
  CHECK(attempts == 1);
  world.run_for(1);
  CHECK(attempts == 2);
  world.run_for(399);
  CHECK(attempts == 2);
  world.run_for(1);
  CHECK(attempts == 3);
  CHECK(run.wait().output == json{{"a", 3}});
  CHECK(world.records() ==
        "started; failed a#1; opened a#2; failed a#2; opened a#3; output a#3; ended");
}

TEST_CASE("run: the last failure fails the run, names the step, and leaves later steps unstarted",
          "[actors]") {
  int later = 0;
  World world(Steps{{"x", [](const StepCall&) { return retry("gateway down"); }},
                    {"later", [&](const StepCall&) { return done(++later); }}},
              seed());
  const Run run =
      world.start(R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"max_attempts": 2}},
    "b": {"run": "later", "after": ["a"]}}})");
  REQUIRE(world.run_to_rest());
  const Outcome end = run.wait();
  CHECK(end.state == RunState::failed);
  CHECK(end.error->code == Errc::attempts_exhausted);
  CHECK(end.error->step == "a");
  CHECK(end.error->message == "gateway down");
  CHECK(later == 0);
  CHECK(world.records() == "started; failed a#1; opened a#2; failed a#2; ended");
}

TEST_CASE("run: fail() ends the run without another attempt", "[actors]") {
  int attempts = 0;
  World world(Steps{{"x", [&](const StepCall&) { return ++attempts, fail("no such card"); }}},
              seed());
  const Run run = world.start(one_step());
  REQUIRE(world.run_to_rest());
  CHECK(attempts == 1);
  CHECK(run.wait().error->code == Errc::step_failed);
  CHECK(world.records() == "started; fatal a#1; ended");
}

TEST_CASE("run: what a step throws is a failed attempt, told as such", "[actors]") {
  int attempts = 0;
  World world(Steps{{"x",
                     [&](const StepCall&) -> StepResult {
                       if (++attempts == 1) throw std::runtime_error("boom");
                       if (attempts == 2) throw 42;
                       return done();
                     }}},
              1);
  const Run run = world.start(one_step());
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  std::vector<std::string> messages;
  for (const EngineEvent& event : world.events)
    if (event.kind == EventKind::attempt_ended) messages.push_back(event.message);
  CHECK(messages ==
        std::vector<std::string>{"threw: boom", "threw something that is no std::exception"});
}

TEST_CASE("run: an output that cannot be stored fails the step", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done("\xff"); }}}, 1);
  const Run run = world.start(one_step());
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().error->code == Errc::invalid_json);
}

TEST_CASE("run: parameters that do not resolve fail the step before its body", "[actors]") {
  int bodies = 0;
  World world(Steps{{"x", [&](const StepCall&) { return ++bodies, done(1); }}}, 1);
  const Run run = world.start(R"({"flow": "f", "steps": {"a": {"run": "x"},
    "b": {"run": "x", "with": {"v": "{{steps.a.output.gone}}"}}}})");
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().error->code == Errc::unresolved_reference);
  CHECK(run.wait().error->step == "b");
  CHECK(bodies == 1);
}

TEST_CASE("run: typed steps convert both ways, and refuse what does not fit", "[actors]") {
  World world(Steps{{"double", [](const int& n) { return 2 * n; }},
                    {"named", [](const std::string& text,
                                 const StepCall& call) { return text + call.step; }}},
              1);
  const Run good =
      world.start(R"({"flow": "f", "steps": {"a": {"run": "named", "with": {}}}})", "r1");
  REQUIRE(world.run_to_rest());
  CHECK(good.wait().error->code == Errc::step_failed);
  CHECK(good.wait().error->message.find("the parameters do not fit") == 0);
}

TEST_CASE("run: an attempt without an answer times out, and its late answer changes nothing",
          "[actors]") {
  World* here = nullptr;
  int attempts = 0;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       if (++attempts == 1) here->executor->hang();
                       return done(call.attempt);
                     }}},
              seed());
  here = &world;
  const Run run = world.start(one_step(R"(, "timeout_ms": 1000)"));
  world.run_for(999);
  CHECK(world.records() == "started");
  world.run_for(1);
  CHECK(world.records() == "started; timed_out a#1");
  const bool answers_before_the_next_attempt = GENERATE(true, false);
  if (answers_before_the_next_attempt) world.executor->let_go();
  REQUIRE(world.run_to_rest());
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().output == json{{"a", 2}});
  CHECK(world.count_events(EventKind::late_answer) == 1);
  CHECK(world.records().find("late a#1") != std::string::npos);
  CHECK(world.records().find("output a#2") != std::string::npos);
}

TEST_CASE(
    "run: the timeout counts from the moment the body begins, not while it waits for a thread",
    "[actors]") {
  Counting counting;
  World world(counting.steps(), 1);
  // The job stays in the executor's queue: actors run, jobs do not.
  const Run run =
      world.start(R"({"flow": "f", "steps": {"a": {"run": "count", "timeout_ms": 10}}})");
  const auto jobs = [&] { return world.executor->jobs.size(); };
  while (jobs() == 0) REQUIRE(world.step());
  auto job = std::move(world.executor->jobs.front());
  world.executor->jobs.clear();
  world.run_for(1000);
  CHECK(world.records() == "started");
  world.executor->jobs.push_back(std::move(job));
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(world.records() == "started; output a#1; ended");
}

TEST_CASE("run: no timeout means none", "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x", [&](const StepCall&) { return here->executor->hang(), done(); }}}, 1);
  here = &world;
  const Run run = world.start(one_step(R"(, "timeout_ms": 0)"));
  world.run_for(100 * 86'400'000LL);
  CHECK(world.records() == "started");
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
}

TEST_CASE("run: steps that hang beyond what can be made up for are told of", "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x", [&](const StepCall&) { return here->executor->hang(), done(); }}}, 1);
  here = &world;
  world.executor->threads = 1;
  world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x", "timeout_ms": 10}, "b": {"run": "x", "timeout_ms": 20}}})");
  world.run_for(15);
  CHECK(world.count_events(EventKind::threads_hang) == 0);
  world.run_for(10);
  REQUIRE(world.count_events(EventKind::threads_hang) == 1);
  for (const EngineEvent& event : world.events)
    if (event.kind == EventKind::threads_hang) CHECK(event.step == "b");
}

TEST_CASE(
    "run: a cancel reaches running steps, starts nothing more, and is durable before it is "
    "answered",
    "[actors]") {
  World* here = nullptr;
  bool saw_cancel = false;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       here->executor->hang();
                       saw_cancel = call.cancelled();
                       return retry("stopped");
                     }}},
              seed());
  here = &world;
  const Run run = world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x", "after": ["a"]}}})");
  world.run();
  const auto answer = world.core().cancel("r1");
  world.run();
  CHECK(answer->wait().value() == RunState::cancelling);
  CHECK(world.records() == "started; cancel_requested");
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(saw_cancel);
  CHECK(run.wait().state == RunState::cancelled);
  CHECK(world.records() == "started; cancel_requested; cancelled a#1; ended");
}

TEST_CASE("run: a cancel during a wait ends the run at once", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return retry("no"); }}}, seed());
  const Run run = world.start(one_step());
  world.run_for(100);
  const auto answer = world.core().cancel("r1");
  world.run();
  CHECK(run.wait().state == RunState::cancelled);
  CHECK(answer->wait().has_value());
  REQUIRE(world.run_to_rest());
  CHECK(world.records() == "started; failed a#1; cancel_requested; ended");
}

TEST_CASE("run: a cancel at any moment is answered truthfully, and the run ends once", "[actors]") {
  Counting counting;
  World world(counting.steps(), seed());
  const Run run = world.start(fork_join);
  const int steps = GENERATE(range(0, 60, 3));
  for (int i = 0; i < steps; ++i) world.step();
  const auto answer = world.core().cancel("r1");
  REQUIRE(world.run_to_rest());
  const Outcome end = run.wait();
  const Result<RunState> told = answer->wait();
  if (told) {
    // Acknowledged as a cancel, it is one; or the run had come to its end before.
    CHECK(((*told == RunState::cancelling && end.state == RunState::cancelled) ||
           *told == end.state));
  } else {
    CHECK(told.error().code == Errc::unknown_run);  // asked before the start was durable
    CHECK(end.state == RunState::succeeded);
  }
}

TEST_CASE("run: a cancel at any moment of a run that retries is answered truthfully, and kept",
          "[actors]") {
  const bool fails_beside = GENERATE(false, true);
  World world(
      Steps{{"x", [](const StepCall& call) { return call.attempt < 3 ? retry("no") : done(); }},
            {"fatal", [](const StepCall&) { return fail("no"); }}},
      seed());
  // A failed write of an opening is repeated, and may come after what was asked later.
  world.disk->failing_batches = GENERATE(0, 1, 3);
  world.disk->fails = [](const Write& write) {
    const auto* append = std::get_if<AppendRecord>(&write);
    return append != nullptr && append->record->kind == RecordKind::opened;
  };
  const std::string beside = fails_beside ? R"(, "b": {"run": "fatal"})" : "";
  const Run run = world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"initial_ms": 5}})" + beside + "}}");
  const int steps = GENERATE(range(8, 48, 2));
  for (int i = 0; i < steps; ++i) world.step_or_wait();
  const auto answer = world.core().cancel("r1");
  REQUIRE(world.run_to_rest());
  CAPTURE(world.records());
  const Outcome end = run.wait();
  REQUIRE(is_ended(end.state));
  const Result<RunState> told = answer->wait();
  REQUIRE(told.has_value());
  CHECK(
      ((*told == RunState::cancelling && end.state == RunState::cancelled) || *told == end.state));
  // What is stored can be read back.
  const Run again = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(again.started().has_value());
  CHECK(again.wait().state == end.state);
}

TEST_CASE("run: a finished run is told as it is, and cannot be cancelled", "[actors]") {
  Counting counting;
  World world(counting.steps(), 1);
  world.start(chain);
  REQUIRE(world.run_to_rest());
  const auto answer = world.core().cancel("r1");
  const Run again = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(answer->wait().value() == RunState::succeeded);
  CHECK(again.wait().output == json{{"c", {{"step", "c"}}}});
}

TEST_CASE("run: one that does not exist is unknown to everybody", "[actors]") {
  World world(Steps{}, 1);
  const Run run = world.core().watch("nobody");
  const auto cancelled = world.core().cancel("nobody");
  const auto unblocked = world.core().unblock("nobody");
  REQUIRE(world.run_to_rest());
  CHECK(run.started().error().code == Errc::unknown_run);
  CHECK(run.wait().error->code == Errc::unknown_run);
  CHECK(cancelled->wait().error().code == Errc::unknown_run);
  CHECK(unblocked->wait().error().code == Errc::unknown_run);
}

TEST_CASE("run: the same start any number of times is one run", "[actors]") {
  Counting counting;
  World world(counting.steps(), seed());
  std::vector<Run> runs;
  for (int i = 0; i < 5; ++i) {
    runs.push_back(world.start(chain));
    for (int j = 0; j < 7; ++j) world.step();
  }
  REQUIRE(world.run_to_rest());
  runs.push_back(world.start(chain));
  REQUIRE(world.run_to_rest());
  for (const Run& run : runs) {
    CHECK(run.started().has_value());
    CHECK(run.wait().succeeded());
  }
  for (const auto& [step, count] : counting.bodies) CHECK(count == 1);
}

TEST_CASE("run: another start under the same id is refused, and the first goes on", "[actors]") {
  Counting counting;
  World world(counting.steps(), seed());
  const Run first = world.start(chain, "r1", {{"n", 1}});
  const Run other = world.start(chain, "r1", {{"n", 2}});
  REQUIRE(world.run_to_rest());
  CHECK(first.wait().succeeded());
  CHECK(other.started().error().code == Errc::run_differs);
  CHECK(other.wait().error->code == Errc::run_differs);
  CHECK_FALSE(is_ended(other.wait().state));
}

TEST_CASE("run: what is wrong with a start is told before anything is written", "[actors]") {
  Counting counting;
  World world(counting.steps(), 1);
  const Flow flow = parse_flow(chain).value();
  CHECK(world.core().submit(flow, "a b", json::object()).started().error().code ==
        Errc::invalid_argument);
  CHECK(world.core().submit(flow, "r1", json::array()).started().error().code ==
        Errc::invalid_input);
  CHECK(world.core().submit(flow, "r1", {{"x", "\xff"}}).started().error().code ==
        Errc::invalid_input);
  CHECK(
      world.core().submit(flow, "r1", {{"x", std::string(5 << 20, 'x')}}).started().error().code ==
      Errc::too_large);
  const Error unknown = world.start(one_step()).started().error();
  CHECK(unknown.code == Errc::invalid_flow);
  CHECK(unknown.problems.at(0).pointer == "/steps/a/run");
  const Error missing =
      world
          .start(R"({"flow": "f", "steps": {"a": {"run": "count", "with": {"x": "{{input.y}}"}}}})")
          .started()
          .error();
  CHECK(missing.code == Errc::invalid_input);
  CHECK(missing.problems.at(0).pointer == "/steps/a/with/x");
  CHECK(world.records() == "no run");
}

TEST_CASE("run: input is merged over the defaults, member by member, and null is a value",
          "[actors]") {
  json seen;
  World world(Steps{{"x", [&](const StepCall& call) { return seen = call.with, done(); }}}, 1);
  world.start(R"({"flow": "f", "input": {"a": 1, "b": {"deep": 1}, "c": 3},
    "steps": {"a": {"run": "x", "with": {"all": "{{input}}"}}}})",
              "r1", {{"b", {{"other", 2}}}, {"c", nullptr}, {"d", 4}});
  REQUIRE(world.run_to_rest());
  CHECK(seen["all"] == json{{"a", 1}, {"b", {{"other", 2}}}, {"c", nullptr}, {"d", 4}});
}

TEST_CASE("run: a generated id is told", "[actors]") {
  Counting counting;
  World world(counting.steps(), 1);
  const Run run = world.start(chain, "");
  REQUIRE(world.run_to_rest());
  CHECK(RunId::parse(run.id()).has_value());
  CHECK(world.records(run.id()) == "started; output a#1; output b#1; output c#1; ended");
}

TEST_CASE("run: more runs than fit in memory wait in the store and all come to their end",
          "[actors]") {
  Counting counting;
  EngineOptions options;
  options.live_runs_max = 3;
  World world(counting.steps(), seed(), make_memory_file(), options);
  std::vector<Run> runs;
  for (int i = 0; i < 25; ++i) runs.push_back(world.start(chain, "r" + std::to_string(i)));
  REQUIRE(world.run_to_rest());
  for (const Run& run : runs) CHECK(run.wait().succeeded());
  CHECK(counting.bodies["a"] == 25);
  CHECK(counting.bodies["c"] == 25);
}

TEST_CASE("run: an id that was asked for before its start is as good as any other", "[actors]") {
  Counting counting;
  EngineOptions options;
  options.live_runs_max = 1;
  World world(counting.steps(), seed(), make_memory_file(), options);
  const Run early = world.core().watch("r2");
  REQUIRE(world.run_to_rest());
  CHECK(early.started().error().code == Errc::unknown_run);
  const Run first = world.start(chain, "r1");
  const Run second = world.start(chain, "r2");  // waits in the store until there is room
  REQUIRE(world.run_to_rest());
  CHECK(first.wait_for(0).has_value());
  CHECK(second.wait_for(0).has_value());
}

TEST_CASE("run: a start that races with a question about its id is told what becomes of it",
          "[actors]") {
  Counting counting;
  World world(counting.steps(), GENERATE(range<std::uint64_t>(1, 101)));
  std::vector<Run> asked{world.core().watch("r1")};
  const int steps = GENERATE(0, 1, 2, 3);
  for (int i = 0; i < steps; ++i) world.step();
  const Run run = world.start(chain);
  for (int i = 0; i < 6; ++i) {
    asked.push_back(world.core().watch("r1"));
    world.step();
  }
  REQUIRE(world.run_to_rest());
  CHECK(run.started().has_value());
  CHECK(run.wait().succeeded());
  for (const Run& handle : asked)
    CHECK((handle.started().has_value() ? handle.wait().succeeded()
                                        : handle.started().error().code == Errc::unknown_run));
}

TEST_CASE("run: one that leaves memory to wait makes room for one that waits in the store",
          "[actors]") {
  std::map<std::string, int> attempts;
  EngineOptions options;
  options.live_runs_max = 2;
  World world(Steps{{"x", [&](const StepCall& call) { return ++attempts[call.run], retry("no"); }}},
              seed(), make_memory_file(), options);
  for (int i = 0; i < 10; ++i)
    world.start(one_step(R"(, "retry": {"initial_ms": 60000, "max_ms": 60000})"),
                "r" + std::to_string(i));
  world.run_for(1000);
  CHECK(attempts.size() == 10);
}

TEST_CASE("run: one that finds no room while the store is being searched is found later",
          "[actors]") {
  Counting counting;
  EngineOptions options;
  options.live_runs_max = 1;
  World world(counting.steps(), GENERATE(range<std::uint64_t>(1, 201)), make_memory_file(),
              options);
  const int pause = GENERATE(3, 8, 15);
  std::vector<Run> runs;
  for (int i = 0; i < 6; ++i) {
    runs.push_back(world.start(one_step().replace(one_step().find("\"x\""), 3, "\"count\""),
                               "r" + std::to_string(i)));
    for (int j = 0; j < pause; ++j) world.step();
  }
  REQUIRE(world.run_to_rest());
  for (const Run& run : runs) CHECK(run.wait_for(0).has_value());
}

TEST_CASE("run: one that cannot go on is left alone until its open attempts have come back",
          "[actors]") {
  World* here = nullptr;
  std::map<std::string, int> bodies;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       ++bodies[call.step];
                       if (call.step == "b" && bodies["b"] == 1) here->executor->hang();
                       if (call.step == "a" && call.attempt == 1) {
                         // Somebody else has ended this attempt: its output will be refused.
                         Record receipt = conclude_unanswered("a", 1, AttemptEnd::failed);
                         const Write write = AppendRecord{1, std::make_shared<Record>(receipt)};
                         (void)open_memory_store(here->file)->write({&write}, 1).value();
                         here->own_the_file_again();
                       }
                       return done();
                     }}},
              seed());
  here = &world;
  const Run run = world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x", "timeout_ms": 0}}})");
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().state == RunState::blocked);
  CHECK(run.wait().error->code == Errc::attempt_ended);
  REQUIRE(world.count_events(EventKind::run_blocked) == 1);

  const Run too_early = world.core().watch("r1");
  const auto cancelled = world.core().cancel("r1");
  const Run started_again = world.start(
      R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x", "timeout_ms": 0}}})");
  REQUIRE(world.run_to_rest());
  CHECK(bodies["b"] == 1);
  CHECK(too_early.started().error().code == Errc::attempt_ended);
  CHECK(cancelled->wait().error().code == Errc::attempt_ended);
  CHECK(started_again.wait().error->code == Errc::attempt_ended);

  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  const Run later = world.core().watch("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.wait().succeeded());
  CHECK(bodies["b"] == 1);
}

TEST_CASE("run: no more attempts than allowed are under way at once", "[actors]") {
  World* here = nullptr;
  EngineOptions options;
  options.attempts_max = 3;
  json steps = json::object();
  for (int i = 0; i < 10; ++i) steps["s" + std::to_string(i)] = {{"run", "x"}};
  std::size_t most = 0;
  World world(Steps{{"x",
                     [&](const StepCall&) {
                       most = std::max(most, here->executor->jobs.size() + 1);
                       return done();
                     }}},
              seed(), make_memory_file(), options);
  here = &world;
  const Run run = world.start(json{{"flow", "f"}, {"steps", steps}}.dump());
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(most <= 3);
}

TEST_CASE("run: a step type with a limit waits, over all runs, and holds up no other", "[actors]") {
  EngineOptions options;
  options.at_once_max = {{"narrow", 2}};
  json steps = json::object();
  for (int i = 0; i < 6; ++i) {
    steps["n" + std::to_string(i)] = {{"run", "narrow"}, {"retry", {{"initial_ms", 10}}}};
    steps["w" + std::to_string(i)] = {{"run", "wide"}};
  }
  World world(Steps{{"narrow",
                     [](const StepCall& call) { return call.attempt == 1 ? retry("no") : done(); }},
                    {"wide", [](const StepCall&) { return done(); }}},
              seed(), make_memory_file(), options);
  const std::string flow = json{{"flow", "f"}, {"steps", steps}}.dump();
  const Run first = world.start(flow, "r1");
  const Run second = world.start(flow, "r2");
  REQUIRE(world.run_to_rest());
  CHECK(first.wait().succeeded());
  CHECK(second.wait().succeeded());
  int narrow = 0;
  int most = 0;
  int narrow_starts = 0;
  int wide_before_last = 0;
  for (const EngineEvent& event : world.events) {
    const bool starts = event.kind == EventKind::step_started;
    if (event.type == "narrow") narrow += starts ? 1 : -1;
    if (event.type == "narrow" && starts) ++narrow_starts;
    most = std::max(most, narrow);
    if (event.type == "wide" && starts && narrow_starts < 24) ++wide_before_last;
  }
  CHECK(most == 2);
  CHECK(narrow == 0);
  CHECK(narrow_starts == 24);
  CHECK(wide_before_last == 12);
}

TEST_CASE("run: starts beyond the bound are refused until others are answered", "[actors]") {
  EngineOptions options;
  options.starts_max = 2;
  options.when_full = WhenFull::refuse;
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed(), make_memory_file(),
              options);
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {"a": {"run": "x"}}})").value();
  const Run first = world.core().submit(flow, "r1", json::object());
  const Run bad = world.core().submit(flow, "r1", 7);  // takes no place
  CHECK(bad.started().error().code == Errc::invalid_input);
  const Run second = world.core().submit(flow, "r2", json::object());
  const Run third = world.core().submit(flow, "r3", json::object());
  CHECK(third.started().error().code == Errc::busy);
  CHECK(third.wait().error->code == Errc::busy);
  REQUIRE(world.run_to_rest());
  CHECK(first.wait().succeeded());
  CHECK(second.wait().succeeded());
  const Run again = world.core().submit(flow, "r3", json::object());
  REQUIRE(world.run_to_rest());
  CHECK(again.wait().succeeded());
  CHECK(world.records("r3") == world.records("r1"));
}

TEST_CASE("reporter: listeners and sinks are known to be at work, and only they", "[actors]") {
  int told = 0;
  Reporter reporter([&](const EngineEvent&) { told += Reporter::is_telling() ? 1 : 0; },
                    [&](const LogLine&) { told += Reporter::is_telling() ? 10 : 0; });
  reporter.event({});
  CHECK(told == 11);
  CHECK_FALSE(Reporter::is_telling());
  Reporter throwing([](const EngineEvent&) { throw 7; }, {});
  throwing.event({});
  CHECK_FALSE(Reporter::is_telling());
}

TEST_CASE("engine: a limit of a step type that is not there, or of none, is refused", "[actors]") {
  EngineOptions options;
  options.at_once_max = {{"x", 0}};
  const Steps steps{{"x", [](const StepCall&) { return done(); }}};
  CHECK(Engine::open(open_memory_store(make_memory_file()), steps, options).error().code ==
        Errc::invalid_argument);
  options.at_once_max = {{"y", 1}};
  CHECK(Engine::open(open_memory_store(make_memory_file()), steps, options)
            .error()
            .message.find("\"y\"") != std::string::npos);
  options.at_once_max = {};
  const auto refused = [&](const std::string& type, Rate rate) {
    options.rates = {{type, rate}};
    const auto engine = Engine::open(open_memory_store(make_memory_file()), steps, options);
    return engine ? "none" : engine.error().message;
  };
  CHECK(refused("x", {0, 1000}).find("count is 0") != std::string::npos);
  CHECK(refused("x", {1, 0}).find("per_ms is 0") != std::string::npos);
  CHECK(refused("x", {1, -5}).find("per_ms is -5") != std::string::npos);
  CHECK(refused("x", {1, Limits::delay_ms_max + 1}).find("per_ms") != std::string::npos);
  CHECK(refused("y", {1, 1000}).find("\"y\"") != std::string::npos);
  CHECK(refused("x", {1, Limits::delay_ms_max}) == "none");
}

TEST_CASE("run: parameters take memory only while their attempt is under way", "[actors]") {
  EngineOptions options;
  options.attempts_max = 1;
  json steps = json::object();
  for (int i = 0; i < 500; ++i)
    steps["s" + std::to_string(i)] = {{"run", "x"}, {"with", {{"big", "{{input.big}}"}}}};
  std::size_t most = 0;
  std::size_t sizes = 0;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       most = std::max(most, ::mallinfo2().uordblks);
                       sizes += call.with.at("big").get_ref<const std::string&>().size();
                       return done();
                     }}},
              1, make_memory_file(), options);
  const std::size_t before = ::mallinfo2().uordblks;
  const Run run = world.start(json{{"flow", "f"}, {"steps", steps}}.dump(), "r1",
                              {{"big", std::string(200'000, 'x')}});
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(sizes == 500 * 200'000);
  CHECK(most - before < 20'000'000);
}

TEST_CASE("run: one that waits for long leaves memory and comes back in time", "[actors]") {
  int attempts = 0;
  World world(
      Steps{{"x", [&](const StepCall&) { return ++attempts < 3 ? retry("later") : done(); }}},
      seed());
  const Run run =
      world.start(one_step(R"(, "retry": {"initial_ms": 60000, "factor": 1, "max_ms": 60000})"));
  world.run();
  const auto row = open_memory_view(world.file)->load("r1").value()->row;
  CHECK(row.state == RunState::waiting);
  CHECK(row.due_ms == world.now_ms() + 60'000);
  CHECK(world.core().stats().live_runs.at(RunState::waiting) == 0);
  world.run_for(59'999);
  CHECK(attempts == 1);
  world.run_for(1);
  CHECK(attempts == 2);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  CHECK(world.count_events(EventKind::run_recovered) >= 2);
  CHECK(world.records().find("lost") == std::string::npos);
}

TEST_CASE("run: a cancel finds a run that left memory", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return retry("later"); }}}, seed());
  const Run run = world.start(one_step(R"(, "retry": {"initial_ms": 60000, "max_ms": 60000})"));
  world.run();
  const auto answer = world.core().cancel("r1");
  world.run();
  CHECK(run.wait().state == RunState::cancelled);
  CHECK(answer->wait().has_value());
}

TEST_CASE("run: writes of many runs share commits", "[actors]") {
  Counting counting;
  World world(counting.steps(), 7);
  for (int i = 0; i < 50; ++i) world.start(chain, "r" + std::to_string(i));
  REQUIRE(world.run_to_rest());
  std::size_t writes = 0;
  for (const std::size_t size : world.disk->batch_sizes) writes += size;
  CHECK(writes == 50 * 5);
  CHECK(world.disk->batch_sizes.size() < writes / 2);
}

TEST_CASE("run: events tell its story with ids and durations", "[actors]") {
  Counting counting;
  World world(counting.steps(), 3);
  world.start(R"({"flow": "f", "steps": {"a": {"run": "count"}}})");
  REQUIRE(world.run_to_rest());
  std::string story;
  for (const EngineEvent& event : world.events)
    story += std::string(to_string(event.kind)) + " " + event.run +
             (event.step.empty() ? "" : "/" + event.step) + "; ";
  CHECK(story == "run_started r1; step_started r1/a; step_completed r1/a; run_ended r1; ");
  CHECK(world.log.size() == world.events.size());
}

TEST_CASE("run: its end is told with the time from its start, waits and other engines included",
          "[actors]") {
  const auto file = make_memory_file();
  const Steps steps{
      {"x", [](const StepCall& call) { return call.attempt < 2 ? retry("later") : done(); }}};
  std::int64_t stopped_ms = 0;
  {
    World before(steps, 1, file);
    before.start(one_step(R"(, "retry": {"initial_ms": 60000, "max_ms": 60000})"));
    before.run_for(20'000);
    stopped_ms = before.now_ms();
    before.crash();
  }
  World after(steps, 1, file, {}, stopped_ms + 1'000);
  REQUIRE(after.run_to_rest());
  REQUIRE(after.count_events(EventKind::run_ended) == 1);
  for (const EngineEvent& event : after.events)
    if (event.kind == EventKind::run_ended) CHECK(event.duration_ms == 60'000);
}

TEST_CASE("run: a listener that throws harms nobody", "[actors]") {
  Reporter reporter([](const EngineEvent&) { throw std::runtime_error("guest"); },
                    [](const LogLine&) { throw std::runtime_error("guest"); });
  reporter.event({});
  reporter.log(LogLevel::info, "x");
}

namespace {

/// An actor that answers its first call badly in one of several ways, and later ones well.
struct Moody {
  enum class Mood { fine, error, exception, dies, dies_with_a_promise };

  StepActor spawn(caf::actor_system& system) {
    ++spawned;
    return system.spawn(
        [this](StepActor::pointer self, int) -> StepActor::behavior_type {
          self->set_exception_handler(
              [](std::exception_ptr&) -> caf::error { return caf::sec::runtime_error; });
          return {[this, self](const StepCallPtr& call) -> caf::result<StepResult> {
            if (++calls > 1 || mood == Mood::fine) return done(call->attempt);
            if (mood == Mood::error) return caf::make_error(caf::sec::invalid_argument);
            if (mood == Mood::exception) throw std::runtime_error("boom");
            self->quit(caf::exit_reason::user_shutdown);
            if (mood == Mood::dies_with_a_promise) return self->make_response_promise<StepResult>();
            return caf::make_error(caf::sec::runtime_error);
          }};
        },
        0);
  }

  Mood mood = Mood::fine;
  int spawned = 0;
  int calls = 0;
};

}  // namespace

TEST_CASE("run: a step may be an actor of the user's, and its bad days are failed attempts",
          "[actors]") {
  Moody moody;
  moody.mood = GENERATE(Moody::Mood::fine, Moody::Mood::error, Moody::Mood::exception,
                        Moody::Mood::dies, Moody::Mood::dies_with_a_promise);
  World world(
      Steps{{"x", step_actor([&](caf::actor_system& system) { return moody.spawn(system); })}},
      seed());
  const Run run = world.start(one_step(R"(, "timeout_ms": 0)"));
  REQUIRE(world.run_to_rest());
  REQUIRE(run.wait_for(0).has_value());
  const bool fine = moody.mood == Moody::Mood::fine;
  CHECK(run.wait().output == json{{"a", fine ? 1 : 2}});
  CHECK(moody.spawned == (fine || moody.mood == Moody::Mood::error ? 1 : 2));
  CHECK(world.count_events(EventKind::attempt_ended) == (fine ? 0 : 1));
  CHECK(world.count_events(EventKind::late_answer) == 0);
}

TEST_CASE("run: an actor that never answers times out, and its late answer is not used",
          "[actors]") {
  std::vector<caf::typed_response_promise<StepResult>> kept;
  World world(
      Steps{{"x", step_actor([&](caf::actor_system& system) {
               return system.spawn(
                   [&kept](StepActor::pointer self, int) -> StepActor::behavior_type {
                     return {[&kept, self](const StepCallPtr& call) -> caf::result<StepResult> {
                       if (call->attempt == 1) {
                         kept.push_back(self->make_response_promise<StepResult>());
                         return kept.back();
                       }
                       // A promise is kept within its actor: by now the first attempt has timed
                       // out.
                       kept.front().deliver(done("late"));
                       return done("second");
                     }};
                   },
                   0);
             })}},
      seed());
  const Run run = world.start(one_step(R"(, "timeout_ms": 50)"));
  REQUIRE(world.run_to_rest());
  REQUIRE(kept.size() == 1);
  kept.clear();
  CHECK(run.wait().output == json{{"a", "second"}});
  CHECK(world.records().find("late a#1") != std::string::npos);
}

TEST_CASE("run: starts that come together are written together, and found by who asks behind them",
          "[actors]") {
  const auto seed = GENERATE(range<std::uint64_t>(1, 21));
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed);
  std::vector<Run> runs;
  for (int i = 0; i < 10; ++i)
    runs.push_back(
        world.start(R"({"flow": "f", "steps": {"a": {"run": "x"}}})", "r" + std::to_string(i)));
  const Run watched = world.core().watch("r9");
  const auto cancelled = world.core().cancel("r8");
  REQUIRE(world.run_to_rest());
  CHECK(*std::max_element(world.disk->batch_sizes.begin(), world.disk->batch_sizes.end()) >= 10);
  for (const Run& run : runs) CHECK(run.started().has_value());
  CHECK(watched.wait().succeeded());
  CHECK(cancelled->wait().has_value());
}

}  // namespace run_test
