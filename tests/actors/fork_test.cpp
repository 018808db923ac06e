// Forks by the engine: on real threads and real files.
#include <pawl/control.hpp>
#include <pawl/engine.hpp>
#include <pawl/memory_store.hpp>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

#include <future>
#include <mutex>
#include <set>
#include <string>

namespace fork_test {

using namespace pawl;

namespace {

const Flow order = parse_flow(R"({"flow": "order", "steps": {
  "price": {"run": "note", "with": {"gives": 420}},
  "charge": {"run": "note", "with": {"gives": "{{steps.price.output}}"}, "undo": {"run": "note"}},
  "ship": {"run": "note", "with": {"gives": "{{steps.charge.output}}"}}},
  "output": "{{steps.ship.output}}"})")
                       .value();

/// Steps that note which keys they were called with.
struct World {
  Steps steps() {
    return {{"note", [this](const StepCall& call) {
               const std::lock_guard<std::mutex> lock(mutex);
               keys.insert(call.key);
               if (failing.count(call.key) > 0) return fail("told to");
               return done(call.with.value("gives", json()));
             }}};
  }

  std::set<std::string> taken() {
    const std::lock_guard<std::mutex> lock(mutex);
    return std::exchange(keys, {});
  }

  std::mutex mutex;
  std::set<std::string> keys;
  std::set<std::string> failing;
};

using Keys = std::set<std::string>;

}  // namespace

TEST_CASE("fork: the engine runs the step and what follows under the fork's own keys", "[actors]") {
  World world;
  Engine engine = Engine::open(open_memory_store(make_memory_file()), world.steps()).value();
  CHECK(engine.start(order, "r1").value().wait().output == 420);
  world.taken();
  const Run fork = engine.fork("r1", "ship", "r2").value();
  CHECK(fork.id() == "r2");
  CHECK(fork.wait().output == 420);
  CHECK(world.taken() == Keys{"r2/ship"});
  ForkOptions options;
  options.set["price"] = 7;
  CHECK(engine.fork("r1", "ship", "r3", options).value().wait().output == 7);
  CHECK(world.taken() == Keys{"r3/charge", "r3/ship"});
  CHECK(engine.describe("r1").value()["output"] == 420);
  CHECK(engine.doubts().value().empty());
}

TEST_CASE("fork: the same fork again is the same run, and another one is refused", "[actors]") {
  World world;
  Engine engine = Engine::open(open_memory_store(make_memory_file()), world.steps()).value();
  engine.start(order, "r1").value().wait();
  engine.fork("r1", "ship", "r2").value().wait();
  world.taken();
  CHECK(engine.fork("r1", "ship", "r2").value().wait().output == 420);
  CHECK(world.taken().empty());
  CHECK(engine.fork("r1", "charge", "r2").error().code == Errc::run_differs);
  ForkOptions options;
  options.set["price"] = 7;
  CHECK(engine.fork("r1", "ship", "r2", options).error().code == Errc::run_differs);
  CHECK(engine.fork("r9", "ship", "r4").error().code == Errc::unknown_run);
  CHECK(engine.fork("r1", "shop", "r4").error().code == Errc::invalid_argument);
  CHECK(engine.fork("r1", "ship").value().wait().output == 420);
}

TEST_CASE("fork: one that fails does not undo what it shares", "[actors]") {
  World world;
  Engine engine = Engine::open(open_memory_store(make_memory_file()), world.steps()).value();
  engine.start(order, "r1").value().wait();
  world.taken();
  world.failing = {"r2/ship", "r3/ship"};
  CHECK(engine.fork("r1", "ship", "r2").value().wait().state == RunState::failed);
  CHECK(world.taken() == Keys{"r2/ship"});
  CHECK(engine.fork("r1", "charge", "r3").value().wait().state == RunState::failed);
  CHECK(world.taken() == Keys{"r3/charge", "r3/ship", "r3/charge:undo"});
  CHECK(engine.fork("r3", "ship", "r4").value().wait().state == RunState::succeeded);
  CHECK(world.taken() == Keys{"r4/charge", "r4/ship"});
}

TEST_CASE("fork: children run again as children of the fork, and shared ones are none",
          "[actors]") {
  World world;
  Engine engine = Engine::open(open_memory_store(make_memory_file()), world.steps()).value();
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {
    "a": {"run": "note"},
    "c": {"child": {"flow": "leaf", "steps": {"s": {"run": "note", "with": {"gives": 1}}}}, "after": ["a"]},
    "end": {"run": "note", "after": ["c"]}}})")
                        .value();
  engine.start(flow, "r1").value().wait();
  world.taken();
  ForkOptions options;
  options.labels = {{"why", "test"}};
  CHECK(engine.fork("r1", "end", "r2", options).value().wait().succeeded());
  CHECK(world.taken() == Keys{"r2/end"});
  CHECK(engine.describe("r2.c").error().code == Errc::unknown_run);
  CHECK(engine.describe("r2").value()["labels"] == json{{"why", "test"}});
  CHECK(engine.describe("r2").value()["forked_from"] == json{{"run", "r1"}, {"step", "end"}});
  CHECK(engine.fork("r1", "c", "r3").value().wait().succeeded());
  CHECK(world.taken() == Keys{"r3.c/s", "r3/end"});
  CHECK(engine.describe("r3.c").value()["parent"] == json{{"run", "r3"}, {"step", "c"}});
  CHECK(engine.fork("r1.c", "s", "r4").value().wait().succeeded());
  CHECK(world.taken() == Keys{"r4/s"});
  CHECK(engine.describe("r4").value()["parent"].is_null());
  PruneOptions prune;
  prune.keep_newest = 1;
  CHECK(engine.prune(prune).value() == 3);
  CHECK(engine.list().value().size() == 1);
}

TEST_CASE("fork: a live run is forked while it goes on", "[actors]") {
  World world;
  std::promise<void> door;
  const std::shared_future<void> opened = door.get_future().share();
  std::promise<void> waits;
  Engine engine = Engine::open(open_memory_store(make_memory_file()),
                               {{"note", [](const StepCall& call) { return done(call.with); }},
                                {"door",
                                 [&](const StepCall& call) {
                                   if (call.run != "r1") return done();
                                   waits.set_value();
                                   opened.wait();
                                   return done();
                                 }}})
                      .value();
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {
    "a": {"run": "note"}, "b": {"run": "door", "after": ["a"]}}})")
                        .value();
  const Run run = engine.start(flow, "r1").value();
  waits.get_future().wait();
  CHECK(engine.fork("r1", "b", "r2").value().wait().succeeded());
  door.set_value();
  CHECK(run.wait().succeeded());
}

TEST_CASE("fork: a new version of the flow goes on with what the old one did", "[actors]") {
  World world;
  Engine engine = Engine::open(open_memory_store(make_memory_file()), world.steps()).value();
  engine.start(order, "r1").value().wait();
  world.taken();
  ForkOptions options;
  std::string text = order.canonical();
  text.replace(text.find(R"("{{steps.charge.output}}")"), 25, R"("{{steps.charge.output}} cents")");
  options.flow = parse_flow(text).value();
  CHECK(engine.fork("r1", "ship", "r2", options).value().wait().output == "420 cents");
  CHECK(world.taken() == Keys{"r2/ship"});
  text.replace(text.find(R"("run":"note")"), 12, R"("run":"other")");
  options.flow = parse_flow(text).value();
  CHECK_FALSE(engine.fork("r1", "ship", "r3", options).has_value());
  CHECK(engine.list().value().size() == 2);
}

TEST_CASE("fork: other processes ask the owner for it", "[actors]") {
  TempFolder folder;
  World world;
  Engine engine = Engine::open(folder / "pawl.db", world.steps()).value();
  engine.start(order, "r1").value().wait();
  world.taken();
  ControlQuestion question{ControlVerb::fork, "r1"};
  question.fork = {"ship", "r2", {{"charge", 5}}};
  CHECK(ask_owner(folder / "pawl.db", question, 5000).has_value());
  CHECK(engine.find("r2").value().wait().output == 5);
  CHECK(world.taken() == Keys{"r2/ship"});
  CHECK(ask_owner(folder / "pawl.db", question, 5000).value() == RunState::succeeded);
  question.fork.flow = json::parse(order.canonical());
  question.fork.id = "r3";
  CHECK(ask_owner(folder / "pawl.db", question, 5000).has_value());
  question.fork.flow = "none";
  CHECK(ask_owner(folder / "pawl.db", question, 5000).error().code == Errc::invalid_flow);
  question.fork = {"ship", "r5", json::object(), nullptr, {{"why", "test"}}};
  CHECK(ask_owner(folder / "pawl.db", question, 5000).has_value());
  CHECK(engine.describe("r5").value()["labels"] == json{{"why", "test"}});
  question.fork.set = json::array();
  CHECK(ask_owner(folder / "pawl.db", question, 5000).error().code == Errc::invalid_argument);
  question.fork = {"shop", "r4"};
  CHECK(ask_owner(folder / "pawl.db", question, 5000).error().code == Errc::invalid_argument);
}

}  // namespace fork_test
