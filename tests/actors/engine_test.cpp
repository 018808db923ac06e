// The engine on real threads, real files and the real clock. No test here waits for time to pass.
#include <pawl/engine.hpp>
#include <pawl/memory_store.hpp>
#include <pawl/sqlite_store.hpp>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

#include <atomic>
#include <future>
#include <thread>

namespace engine_test {

using namespace pawl;

namespace {

const std::string chain = R"({"flow": "chain", "steps": {
  "a": {"run": "add", "with": {"n": "{{input.n}}"}},
  "b": {"run": "add", "with": {"n": "{{steps.a.output}}"}}}, "output": "{{steps.b.output}}"})";

StepResult add(const StepCall& call) {
  return done(call.with.at("n").get<int>() + 1);
}

Flow flow_of(const std::string& text) {
  return parse_flow(text).value();
}

/// A door that steps wait at, opened by the test.
class Door {
 public:
  void pass() { opened_.wait(); }

  void open() { door_.set_value(); }

 private:
  std::promise<void> door_;
  std::shared_future<void> opened_{door_.get_future()};
};

}  // namespace

TEST_CASE("engine: whoever submits faster than the store answers waits", "[actors]") {
  TempFolder folder;
  EngineOptions options;
  options.starts_max = 1;
  Engine engine = Engine::open(folder / "pawl.db", {{"add", add}}, options).value();
  std::vector<Run> runs;
  for (int i = 0; i < 50; ++i)
    runs.push_back(engine.submit(flow_of(chain), "r" + std::to_string(i), {{"n", i}}));
  for (int i = 0; i < 50; ++i) {
    // All but the last have been answered: there was one place.
    CHECK(runs[static_cast<std::size_t>(i)].started().has_value());
    CHECK(runs[static_cast<std::size_t>(i)].wait().output == i + 2);
  }
  options.starts_max = 0;
  CHECK(Engine::open(folder / "other.db", {{"add", add}}, options).error().code ==
        Errc::invalid_argument);
}

TEST_CASE("engine: a flow runs on a file, and its end is there for the next engine", "[actors]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  {
    Engine engine = Engine::open(path, {{"add", add}}).value();
    const Run run = engine.start(flow_of(chain), "r1", {{"n", 40}}).value();
    CHECK(run.id() == "r1");
    CHECK(run.wait().output == 42);
  }
  std::atomic<int> bodies{0};
  Engine engine =
      Engine::open(path, {{"add", [&](const StepCall& call) { return ++bodies, add(call); }}})
          .value();
  CHECK(engine.find("r1").value().wait().output == 42);
  CHECK(engine.start(flow_of(chain), "r1", {{"n", 40}}).value().wait().output == 42);
  CHECK(engine.start(flow_of(chain), "r1", {{"n", 41}}).error().code == Errc::run_differs);
  CHECK(engine.find("r2").error().code == Errc::unknown_run);
  CHECK(bodies == 0);
}

TEST_CASE("engine: the store is free as soon as the engine is closed", "[actors]") {
  TempFolder folder;
  for (int i = 0; i < 20; ++i) {
    Engine engine = Engine::open(folder / "pawl.db", {{"add", add}}).value();
    engine.submit(flow_of(chain), "r" + std::to_string(i), {{"n", i}});
    engine.close(60'000);
    SqliteStoreOptions options{folder / "pawl.db"};
    options.lock_wait_ms = 0;
    REQUIRE(open_sqlite_store(options).has_value());
  }
}

TEST_CASE(
    "engine: a second engine on the store is told who has it, and one on another store is fine",
    "[actors]") {
  TempFolder folder;
  Engine engine = Engine::open(folder / "pawl.db", {{"add", add}}).value();
  EngineOptions options;
  options.lock_wait_ms = 0;
  CHECK(Engine::open(folder / "pawl.db", {{"add", add}}, options).error().code == Errc::in_use);
  Engine other = Engine::open(folder / "other.db", {{"add", add}}, options).value();
  CHECK(other.start(flow_of(chain), "r1", {{"n", 1}}).value().wait().output == 3);
  CHECK(engine.start(flow_of(chain), "r1", {{"n", 1}}).value().wait().output == 3);
}

TEST_CASE("engine: waiting has a deadline form and a callback form", "[actors]") {
  Door door;
  Engine engine = Engine::open(open_memory_store(make_memory_file()), {{"add",
                                                                        [&](const StepCall& call) {
                                                                          door.pass();
                                                                          return add(call);
                                                                        }}})
                      .value();
  const Run run = engine.start(flow_of(chain), "", {{"n", 1}}).value();
  CHECK_FALSE(run.wait_for(0).has_value());
  std::promise<int> called;
  run.on_end([&](const Outcome& outcome) {
    // A callback may use the engine, even wait for it.
    const int again =
        engine.start(flow_of(chain), "other", {{"n", 5}}).value().wait().output.get<int>();
    called.set_value(outcome.output.get<int>() * 100 + again);
  });
  door.open();
  CHECK(run.wait().output == 3);
  CHECK(called.get_future().get() == 307);
  std::promise<int> at_once;
  run.on_end([&](const Outcome& outcome) { at_once.set_value(outcome.output.get<int>()); });
  CHECK(at_once.get_future().get() == 3);
}

TEST_CASE("engine: many runs at once, from many threads", "[actors]") {
  TempFolder folder;
  Engine engine = Engine::open(folder / "pawl.db", {{"add", add}}).value();
  std::vector<std::future<int>> sums;
  for (int thread = 0; thread < 8; ++thread)
    sums.push_back(std::async(std::launch::async, [&engine, thread] {
      int sum = 0;
      std::vector<Run> runs;
      for (int i = 0; i < 50; ++i)
        runs.push_back(engine.submit(flow_of(chain),
                                     std::to_string(thread) + "-" + std::to_string(i), {{"n", i}}));
      for (const Run& run : runs) sum += run.wait().output.get<int>();
      return sum;
    }));
  for (auto& sum : sums) CHECK(sum.get() == 50 * 49 / 2 + 50 * 2);
  const EngineStats stats = engine.stats();
  CHECK(stats.steps_completed == 800);
  CHECK(stats.ended_runs.at(RunState::succeeded) == 400);
  CHECK(stats.live_runs.at(RunState::running) == 0);
  CHECK(stats.attempts_running == 0);
  CHECK(stats.writes == 400 * 4);
  CHECK(stats.commits < stats.writes);
  CHECK(stats.batch_max > 1);
  CHECK(stats.commit_us_p99 >= stats.commit_us_p50);
  CHECK(stats.wal_bytes > 0);
  CHECK(stats.to_json_value()["ended_runs"]["succeeded"] == 400);
}

TEST_CASE("engine: labels are given at the start, shown, found, and no part of the run's identity",
          "[actors]") {
  Engine engine = Engine::open(open_memory_store(make_memory_file()), {{"add", add}}).value();
  const StartOptions tea{{{"team", "tea"}}};
  CHECK(engine.start(flow_of(chain), "r1", {{"n", 1}}, tea).value().wait().succeeded());
  CHECK(engine.submit(flow_of(chain), "r2", {{"n", 1}}).wait().succeeded());
  const StartOptions coffee{{{"team", "coffee"}}};
  CHECK(engine.start(flow_of(chain), "r1", {{"n", 1}}, coffee).value().wait().succeeded());
  CHECK(engine.describe("r1").value()["labels"] == json{{"team", "tea"}});
  CHECK(engine.describe("r2").value()["labels"] == json::object());
  RunFilter filter;
  filter.labels = tea.labels;
  CHECK(engine.list(filter).value().size() == 1);
  CHECK(engine.list(filter).value().at(0).run == "r1");
  filter.labels = coffee.labels;
  CHECK(engine.list(filter).value().empty());
  const StartOptions bad{{{"two words", "x"}}};
  CHECK(engine.start(flow_of(chain), "r3", {{"n", 1}}, bad).error().code == Errc::invalid_argument);
  CHECK(engine.find("r3").error().code == Errc::unknown_run);
}

TEST_CASE("engine: runs are listed and described", "[actors]") {
  Engine engine = Engine::open(open_memory_store(make_memory_file()), {{"add", add}}).value();
  engine.start(flow_of(chain), "r1", {{"n", 1}}).value().wait();
  engine.start(flow_of(chain), "r2", {{"n", "no number"}}).value().wait();
  const std::vector<RunRow> rows = engine.list().value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].run == "r2");
  CHECK(rows[0].state == RunState::failed);
  CHECK(rows[1].state == RunState::succeeded);
  const json document = engine.describe("r1").value();
  CHECK(document["state"] == "succeeded");
  CHECK(document["output"] == 3);
  CHECK(document["steps"]["a"]["output"] == 2);
  CHECK(engine.describe("r3").error().code == Errc::unknown_run);
  CHECK(engine.step_types().count("add") == 1);
}

TEST_CASE("engine: a cancel reaches a step that watches for it", "[actors]") {
  std::promise<void> began;
  Engine engine =
      Engine::open(open_memory_store(make_memory_file()), {{"x",
                                                            [&](const StepCall& call) {
                                                              began.set_value();
                                                              while (!call.cancelled())
                                                                std::this_thread::yield();
                                                              return retry("stopped");
                                                            }}})
          .value();
  const Run run =
      engine.start(flow_of(R"({"flow": "f", "steps": {"a": {"run": "x"}}})"), "r1").value();
  began.get_future().wait();
  CHECK(engine.cancel("r1").value() == RunState::cancelling);
  CHECK(run.wait().state == RunState::cancelled);
  CHECK(engine.cancel("r1").value() == RunState::cancelled);
  CHECK(engine.cancel("r2").error().code == Errc::unknown_run);
}

TEST_CASE("engine: closing names what does not stop, and hands its store on all the same",
          "[actors]") {
  Door door;
  std::promise<void> began;
  const auto left = std::make_shared<std::promise<void>>();
  const auto file = make_memory_file();
  Run run = [&] {
    Engine engine = Engine::open(open_memory_store(file), {{"x",
                                                            [&, left](const StepCall&) {
                                                              began.set_value();
                                                              door.pass();
                                                              left->set_value();
                                                              return done();
                                                            }}})
                        .value();
    const Run started =
        engine.start(flow_of(R"({"flow": "f", "steps": {"a": {"run": "x"}}})"), "r1").value();
    began.get_future().wait();
    CHECK(engine.close(0) == std::vector<std::string>{"r1/a"});
    CHECK(engine.close(0).empty());
    return started;
  }();
  CHECK(run.wait().error->code == Errc::closed);
  // The answer comes long after the engine is gone, and nobody hears it.
  door.open();
  left->get_future().wait();
  Engine next =
      Engine::open(open_memory_store(file), {{"x", [](const StepCall&) { return done("next"); }}})
          .value();
  CHECK(next.find("r1").value().wait().output == json{{"a", "next"}});
  CHECK(next.describe("r1").value()["steps"]["a"]["attempts"][0]["end"] == "lost");
}

TEST_CASE("engine: everything asked of a closed engine is answered", "[actors]") {
  Engine engine = Engine::open(open_memory_store(make_memory_file()), {{"add", add}}).value();
  CHECK(engine.close(60'000).empty());
  CHECK(engine.start(flow_of(chain), "r1", {{"n", 1}}).error().code == Errc::closed);
  CHECK(engine.submit(flow_of(chain), "r1", {{"n", 1}}).wait().error->code == Errc::closed);
  CHECK(engine.find("r1").error().code == Errc::closed);
  CHECK(engine.cancel("r1").error().code == Errc::closed);
  CHECK(engine.unblock("r1").error().code == Errc::closed);
  CHECK(engine.list().error().code == Errc::closed);
  CHECK(engine.describe("r1").error().code == Errc::closed);
  CHECK(engine.stats().commits == 0);
}

TEST_CASE("engine: what an earlier engine left goes on when the next one opens", "[actors]") {
  TempFolder folder;
  std::promise<void> began;
  {
    Engine engine = Engine::open(folder / "pawl.db", {{"add",
                                                       [&](const StepCall& call) {
                                                         if (call.step == "a") return add(call);
                                                         began.set_value();
                                                         while (!call.cancelled())
                                                           std::this_thread::yield();
                                                         return retry("closing");
                                                       }}})
                        .value();
    engine.start(flow_of(chain), "r1", {{"n", 1}}).value();
    began.get_future().wait();
  }
  Engine engine = Engine::open(folder / "pawl.db", {{"add", add}}).value();
  CHECK(engine.find("r1").value().wait().output == 3);
  const json attempts = engine.describe("r1").value()["steps"]["b"]["attempts"];
  CHECK(attempts[0]["end"] == "interrupted");
  CHECK(attempts[1]["end"] == "succeeded");
}

TEST_CASE("engine: what cannot be opened is told", "[actors]") {
  TempFolder folder;
  CHECK(Engine::open(folder / "none/pawl.db", Steps{}).error().code == Errc::io);
  Steps twice{{"x", add}};
  twice.add("x", add);
  CHECK(Engine::open(folder / "pawl.db", twice).error().code == Errc::invalid_argument);
}

TEST_CASE("engine: typed steps read as plain functions", "[actors]") {
  struct Shape {
    static std::string greet(const std::string& name) { return "hello " + name; }
  };

  Engine engine =
      Engine::open(open_memory_store(make_memory_file()),
                   {{"add", add},
                    {"sum",
                     [](const std::map<std::string, int>& numbers) {
                       int sum = 0;
                       for (const auto& [name, number] : numbers) sum += number;
                       return sum;
                     }},
                    {"which", [](const json& with,
                                 const StepCall& call) { return call.key + with.dump(); }}})
          .value();
  const Run sum =
      engine
          .start(
              flow_of(R"({"flow": "f", "steps": {"a": {"run": "sum", "with": {"x": 1, "y": 2}}}})"))
          .value();
  CHECK(sum.wait().output == json{{"a", 3}});
  const Run which =
      engine.start(flow_of(R"({"flow": "f", "steps": {"a": {"run": "which"}}})"), "r9").value();
  CHECK(which.wait().output == json{{"a", "r9/a{}"}});
  const Run wrong =
      engine.start(flow_of(R"({"flow": "f", "steps": {"a": {"run": "sum", "with": {"x": "y"}}}})"))
          .value();
  CHECK(wrong.wait().error->message.find("the parameters do not fit") == 0);
}

TEST_CASE("engine: a signal is durable before it is acknowledged, and waits for its step",
          "[actors]") {
  TempFolder folder;
  const Flow flow = flow_of(R"({"flow": "gate", "steps": {
    "a": {"run": "add", "with": {"n": 1}},
    "gate": {"await": "approved", "after": ["a"]}, "second": {"await": "approved", "after": ["gate"]},
    "b": {"run": "add", "with": {"n": "{{steps.gate.output.n}}"}, "after": ["second"]}}})");
  {
    Engine engine = Engine::open(folder / "pawl.db", {{"add", add}}).value();
    const Run run = engine.start(flow, "r1").value();
    CHECK(engine.signal("r1", "aproved").error().message.find("did you mean \"approved") !=
          std::string::npos);
    CHECK(engine.signal("r2", "approved").error().code == Errc::unknown_run);
    CHECK(engine.signal("r1", "approved", 1, "a/b").error().code == Errc::invalid_argument);
    CHECK(engine.signal("r1", "approved", {{"n", 5}}, "s1").has_value());
    CHECK(engine.signal("r1", "approved", {{"n", 5}}, "s1").has_value());  // counts once
    CHECK(engine.signal("r1", "approved", {{"n", 6}}, "s1").error().code == Errc::invalid_argument);
    CHECK_FALSE(run.wait_for(0).has_value());
  }
  // Nobody knows of the run any more but the store; it is not even live when the signal comes.
  Engine engine = Engine::open(folder / "pawl.db", {{"add", add}}).value();
  CHECK(engine.signal("r1", "approved").has_value());
  CHECK(engine.find("r1").value().wait().output == json{{"b", 6}});
  CHECK(engine.signal("r1", "approved").error().code == Errc::run_ended);
  const json document = engine.describe("r1").value();
  CHECK(document["steps"]["gate"]["output"] == json{{"n", 5}});
  CHECK(document["steps"]["gate"]["attempts"].empty());
}

TEST_CASE("engine: branches, values and sleeps run on the real clock", "[actors]") {
  Engine engine = Engine::open(open_memory_store(make_memory_file()), {{"add", add}}).value();
  const Flow flow = flow_of(R"({"flow": "f", "input": {"n": 3}, "steps": {
    "nap": {"sleep_ms": 5}, "v": {"value": {"$add": ["{{input.n}}", 1]}, "after": ["nap"]},
    "big": {"if": {"less": [10, "{{steps.v.output}}"]}},
    "yes": {"run": "add", "when": "big", "with": {"n": 100}},
    "no": {"run": "add", "unless": "big", "with": {"n": "{{steps.v.output}}"}}}})");
  CHECK(engine.start(flow, "small").value().wait().output == json{{"no", 5}});
  CHECK(engine.start(flow, "large", {{"n", 30}}).value().wait().output == json{{"yes", 101}});
  CHECK(engine.describe("small").value()["steps"]["yes"]["state"] == "excluded");
  CHECK(engine.stats().steps_completed == 8);
}

TEST_CASE("engine: hundreds of waits that are over at once all go on", "[actors]") {
  json steps = json::object();
  for (int i = 0; i < 600; ++i) steps["s" + std::to_string(i)] = {{"sleep_ms", 20}};
  const Flow flow = parse_flow(json{{"flow", "naps"}, {"steps", steps}}.dump()).value();
  const TempFolder folder;
  Engine engine = Engine::open(folder / "store.db", Steps{}).value();
  CHECK(engine.submit(flow, "naps").wait().succeeded());
  CHECK(engine.stats().steps_completed == 600);
}

}  // namespace engine_test
