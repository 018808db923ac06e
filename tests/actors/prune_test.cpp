// An engine that removes ended runs: when it is asked, by itself, and through its socket.
#include <pawl/control.hpp>
#include <pawl/sqlite_store.hpp>

#include "actors/prune_question.hpp"
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"
#include "support/world.hpp"

#include <limits>
#include <utility>
#include <vector>

namespace prune_test {

using namespace pawl;

namespace {

const std::string one_step = R"({"flow": "one", "steps": {"a": {"run": "x"}}})";
const std::string awaiting = R"({"flow": "waits", "steps": {"a": {"await": "go"}}})";

Steps steps() {
  return {{"x", [](const StepCall&) { return done(1); }}};
}

std::string ids(const World& world) {
  std::string text;
  for (const RunRow& row : open_memory_view(world.file)->list({}).value()) text += row.run + " ";
  return text;
}

void run_some(World& world, int from, int to) {
  for (int i = from; i <= to; ++i) {
    world.start(one_step, "r" + std::to_string(i));
    world.run();
    world.run_for(1000);
  }
}

void put_old_runs(World& world, int count) {
  const auto store = open_memory_store(world.file);
  for (int i = 0; i < count; ++i) {
    const RunKey key = put(*store, start_run("old" + std::to_string(i))).run;
    put(*store, append(key, ended_record(RunState::cancelled)));
  }
  world.own_the_file_again();
}

EngineOptions keeping(Retention retention) {
  EngineOptions options;
  options.retention = retention;
  return options;
}

}  // namespace

TEST_CASE("prune: an engine removes what it is asked to, and tells how many", "[actors]") {
  World world(steps());
  run_some(world, 1, 5);
  world.start(awaiting, "open");
  world.run();
  PruneOptions options;
  options.keep_newest = 2;
  const auto pruned = world.core().prune(options);
  world.run();
  REQUIRE(pruned->value());
  CHECK((*pruned->value())->runs == 3);
  CHECK_FALSE((*pruned->value())->more);
  CHECK(ids(world) == "open r5 r4 ");
  options = {};
  options.ended_before_ms = world.now_ms();
  options.limit = 1;
  const auto one = world.core().prune(options);
  world.run();
  CHECK((*one->value())->runs == 1);
  CHECK((*one->value())->more);
  CHECK(ids(world) == "open r5 ");
  CHECK(world.core().prune({})->value()->error().code == Errc::invalid_argument);
}

TEST_CASE("prune: many runs go in portions, and what others write comes between", "[actors]") {
  int started_between = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(steps(), seed);
    put_old_runs(world, 1000);
    int portions = 0;
    int before_start = 0;
    world.disk->fails = [&](const Write& write) {
      if (std::holds_alternative<StartRun>(write)) before_start = portions;
      const auto* prune = std::get_if<PruneRuns>(&write);
      if (prune == nullptr) return false;
      CHECK(prune->runs_max == 256);
      ++portions;
      return false;
    };
    PruneOptions options;
    options.keep_newest = 1;
    const auto pruned = world.core().prune(options);
    const Run run = world.start(one_step, "new");
    world.run();
    CHECK((*pruned->value())->runs >= 999);
    CHECK(portions == 4);
    CHECK(run.wait().succeeded());
    started_between += before_start > 0 && before_start < 4 ? 1 : 0;
  }
  CHECK(started_between > 0);
}

TEST_CASE("prune: others that write meanwhile keep six sevenths of the time, and nobody else waits",
          "[actors]") {
  constexpr std::int64_t portion_ms = 100;
  int undisturbed = 0;
  int shared = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(steps(), seed);
    put_old_runs(world, 1000);
    std::vector<std::pair<std::size_t, std::int64_t>> portions;  // their batches and times
    world.disk->fails = [&](const Write& write) {
      if (!std::holds_alternative<PruneRuns>(write)) return false;
      world.pass(portion_ms);
      portions.emplace_back(world.disk->batch_sizes.size(), world.now_ms());
      return false;
    };
    PruneOptions options;
    options.keep_newest = 1;
    const auto pruned = world.core().prune(options);
    const Run run = world.start(one_step, "new");
    REQUIRE(world.run_to_rest());
    CHECK((*pruned->value())->runs >= 999);
    CHECK(run.wait().succeeded());
    REQUIRE(portions.size() == 4);
    for (std::size_t i = 0; i + 1 < portions.size(); ++i) {
      const std::int64_t until_next_ms = portions[i + 1].second - portions[i].second;
      if (world.disk->batch_sizes[portions[i].first] > 1) {
        CHECK(until_next_ms >= 7 * portion_ms);
        ++shared;
      }
      undisturbed += until_next_ms == portion_ms ? 1 : 0;
    }
  }
  CHECK(shared > 0);
  CHECK(undisturbed > 20);
}

TEST_CASE("prune: a store that cannot write says so, and what it removed before stays removed",
          "[actors]") {
  World world(steps());
  run_some(world, 1, 3);
  world.disk->failing_batches = 1;
  world.disk->fails = [](const Write& write) { return std::holds_alternative<PruneRuns>(write); };
  world.disk->failure = Errc::full;
  PruneOptions options;
  options.keep_newest = 0;
  const auto failed = world.core().prune(options);
  world.run();
  CHECK(failed->value()->error().code == Errc::full);
  CHECK(ids(world) == "r3 r2 r1 ");
  const auto again = world.core().prune(options);
  world.run();
  CHECK((*again->value())->runs == 3);
}

TEST_CASE("prune: an engine keeps house by itself, by count", "[actors]") {
  World world(steps(), 1, make_memory_file(), keeping({std::nullopt, 2, 10'000}));
  world.start(awaiting, "open");
  run_some(world, 1, 5);
  CHECK(ids(world) == "r5 r4 r3 r2 r1 open ");
  world.run_for(10'000);
  CHECK(ids(world) == "r5 r4 open ");
  run_some(world, 6, 7);
  world.run_for(10'000);
  CHECK(ids(world) == "r7 r6 open ");
}

TEST_CASE("prune: an engine keeps house by itself, by age", "[actors]") {
  World world(steps(), 1, make_memory_file(), keeping({60'000, std::nullopt, 10'000}));
  run_some(world, 1, 2);
  world.run_for(50'000);
  CHECK(ids(world) == "r2 r1 ");
  run_some(world, 3, 3);
  world.run_for(30'000);
  CHECK(ids(world) == "r3 ");
}

TEST_CASE("prune: an engine begins to keep house when it is opened", "[actors]") {
  const auto file = make_memory_file();
  {
    World world(steps(), 1, file);
    run_some(world, 1, 3);
  }
  World world(steps(), 2, file, keeping({std::nullopt, 1, 1'000'000}));
  world.run_for(1000);
  CHECK(ids(world) == "r3 ");
}

TEST_CASE("prune: a failing disk puts the housekeeping off, and no more", "[actors]") {
  World world(steps(), 1, make_memory_file(), keeping({std::nullopt, 0, 10'000}));
  world.run();
  run_some(world, 1, 2);
  world.disk->failing_batches = 1;
  world.disk->fails = [](const Write& write) { return std::holds_alternative<PruneRuns>(write); };
  world.run_for(8'000);
  CHECK(ids(world) == "r2 r1 ");
  CHECK(world.log.back().level == LogLevel::warning);
  world.run_for(10'000);
  CHECK(ids(world).empty());
}

TEST_CASE("prune: without being told to, an engine removes nothing and sets no timer", "[actors]") {
  World world(steps());
  world.start(one_step, "r1");
  CHECK(world.run_to_rest(100));
  CHECK(ids(world) == "r1 ");
}

TEST_CASE(
    "prune: whoever waits for a run that is removed under his hands is told, in whatever order",
    "[actors]") {
  int told_end = 0;
  int told_unknown = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    World world(steps(), seed);
    world.start(one_step, "r1");
    world.run();
    PruneOptions options;
    options.keep_newest = 0;
    const Run again = world.start(one_step, "r1");
    const auto pruned = world.core().prune(options);
    const Run watched = world.core().watch("r1");
    const Run anew = world.start(one_step, "r1");
    world.run();
    REQUIRE(pruned->value());
    for (const Run& run : {again, watched, anew}) {
      const std::optional<Outcome> end = run.wait_for(0);
      REQUIRE(end);
      if (end->succeeded())
        ++told_end;
      else if (end->error->code == Errc::unknown_run)
        ++told_unknown;
      else
        FAIL_CHECK("told " << *end);
    }
  }
  CHECK(told_end > 0);
  CHECK(told_unknown > 0);
}

TEST_CASE("prune: an engine on a file removes runs, and a closed one says that it is", "[actors]") {
  TempFolder folder;
  Engine engine = Engine::open(folder / "pawl.db", steps()).value();
  const Flow flow = parse_flow(one_step).value();
  for (int i = 0; i < 3; ++i) engine.start(flow, "r" + std::to_string(i)).value().wait();
  PruneOptions options;
  options.keep_newest = 1;
  CHECK(engine.prune(options).value() == 2);
  CHECK(engine.list().value().size() == 1);
  CHECK(engine.doubts().value().empty());
  CHECK(engine.describe("r0").error().code == Errc::unknown_run);
  CHECK(engine.start(flow, "r0").value().wait().succeeded());
  const Result<Pruned> asked = ask_owner_to_prune(folder / "pawl.db", options, 10'000);
  REQUIRE(asked.has_value());
  CHECK(asked->runs == 1);
  CHECK(ask_owner_to_prune(folder / "pawl.db", {}, 10'000).error().code == Errc::invalid_argument);
  engine.close(1000);
  CHECK(engine.prune(options).error().code == Errc::closed);
  CHECK(ask_owner_to_prune(folder / "pawl.db", options, 1000).error().code == Errc::io);
}

TEST_CASE("prune: what goes through the socket is read strictly", "[actors]") {
  PruneOptions options{5, 7, 9};
  const PruneOptions back = prune_options_from(prune_question(options)).value();
  CHECK(back.ended_before_ms == 5);
  CHECK(back.keep_newest == 7);
  CHECK(back.limit == 9);
  CHECK(prune_options_from({{"keep_newest", 0}}).value().limit == PruneOptions{}.limit);
  for (const json& bad :
       {json{{"ask", "prune"}}, json{{"keep_newest", -1}}, json{{"keep_newest", "7"}},
        json{{"keep_newest", 1.5}}, json{{"keep_newest", nullptr}},
        json{{"keep_newest", std::numeric_limits<std::uint64_t>::max()}},
        json{{"ended_before_ms", true}}, json{{"keep_newest", 1}, {"limit", -3}}}) {
    CAPTURE(bad.dump());
    CHECK(prune_options_from(bad).error().code == Errc::invalid_argument);
  }
  const Pruned pruned = pruned_from(prune_answer({3, true})).value();
  CHECK(pruned.runs == 3);
  CHECK(pruned.more);
  for (const json& bad : {json{}, json{{"removed", 3}}, json{{"removed", -3}, {"more", false}},
                          json{{"state", "running"}}})
    CHECK(pruned_from(bad).error().code == Errc::io);
}

}  // namespace prune_test
