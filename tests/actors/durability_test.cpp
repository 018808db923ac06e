// The promise itself: what the store says comes before what anybody hears, whatever the store does.
#include <pawl/point.hpp>

#include "actors/store_actor.hpp"
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <map>

namespace durability_test {

using namespace pawl;

namespace {

const std::string chain =
    R"({"flow": "chain", "steps": {"a": {"run": "x"}, "b": {"run": "x", "after": ["a"]},
  "c": {"run": "x", "after": ["b"]}}})";

const std::string one = R"({"flow": "one", "steps": {"a": {"run": "x"}}})";

std::uint64_t seed() {
  return GENERATE(range<std::uint64_t>(1, 41));
}

bool is_output_write(const Write& write) {
  const auto* append = std::get_if<AppendRecord>(&write);
  return append != nullptr && append->record->kind == RecordKind::output;
}

bool is_end_write(const Write& write) {
  const auto* append = std::get_if<AppendRecord>(&write);
  return append != nullptr && append->record->kind == RecordKind::ended;
}

bool has_output(World& world, const std::string& run, const std::string& step) {
  const auto stored = open_memory_view(world.file)->load(run).value();
  for (const Record& record : stored->records)
    if (record.kind == RecordKind::output && record.step == step) return true;
  return false;
}

}  // namespace

TEST_CASE("durability: nothing follows a step before its output is durable", "[actors]") {
  World* here = nullptr;
  bool early = false;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       if (call.step == "b") early = early || !has_output(*here, call.run, "a");
                       if (call.step == "c") early = early || !has_output(*here, call.run, "b");
                       return done();
                     }}},
              seed());
  here = &world;
  for (int i = 0; i < 5; ++i) world.start(chain, "r" + std::to_string(i));
  while (world.step()) {
    // A completion that somebody could see is durable, too.
    for (const EngineEvent& event : world.events)
      if (event.kind == EventKind::step_completed)
        REQUIRE(has_output(world, event.run, event.step));
  }
  CHECK_FALSE(early);
}

TEST_CASE("durability: a run's end is durable before anybody is told", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  const Run run = world.start(chain);
  bool told = false;
  run.on_end([&](const Outcome&) {
    told = true;
    CHECK(open_memory_view(world.file)->load("r1").value()->row.state == RunState::succeeded);
  });
  REQUIRE(world.run_to_rest());
  CHECK(told);
}

TEST_CASE("durability: a start is durable before it is acknowledged, and refused when it cannot be",
          "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  world.disk->failing_batches = 1;
  world.disk->failure = GENERATE(Errc::io, Errc::full, Errc::busy);
  world.disk->failing_batches_last = GENERATE(true, false);
  const Run run = world.start(chain);
  REQUIRE(world.run_to_rest());
  CHECK(run.started().error().code == world.disk->failure);
  CHECK(run.wait().error->code == world.disk->failure);
  // The same start again finds out.
  const Run again = world.start(chain);
  REQUIRE(world.run_to_rest());
  CHECK(again.started().has_value());
  CHECK(again.wait().succeeded());
}

TEST_CASE(
    "durability: when a write's outcome is unknown the same bytes are written again, and the body "
    "does not run again",
    "[actors]") {
  int bodies = 0;
  World world(Steps{{"x", [&](const StepCall&) { return done(++bodies); }}}, seed());
  world.disk->fails = is_output_write;
  world.disk->failing_batches = GENERATE(1, 2, 7);
  world.disk->failing_batches_last = GENERATE(true, false);
  world.disk->failure = GENERATE(Errc::io, Errc::full, Errc::busy);
  const int failures = world.disk->failing_batches;
  const Run run = world.start(chain);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().output == json{{"c", 3}});
  CHECK(bodies == 3);
  CHECK(world.disk->failed_batches == failures);
  CHECK(world.count_events(EventKind::write_failed) == static_cast<std::size_t>(failures));
  CHECK(world.records() == "started; output a#1; output b#1; output c#1; ended");
}

TEST_CASE(
    "durability: nothing is reported while writes fail, and the run goes on when they succeed",
    "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  world.disk->fails = is_output_write;
  world.disk->failing_batches = 1'000'000;
  world.disk->failure = Errc::full;
  const Run run = world.start(chain);
  world.run_for(60'000);
  CHECK(world.records() == "started");
  CHECK(world.count_events(EventKind::step_completed) == 0);
  CHECK_FALSE(run.wait_for(0).has_value());
  world.disk->failing_batches = 0;
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
}

TEST_CASE(
    "durability: any write of a run may fail, in any way, and the run still comes to its right end",
    "[actors]") {
  int bodies = 0;
  int retries = 0;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       ++bodies;
                       return call.step == "b" && retries++ == 0 ? retry("once") : done();
                     }}},
              GENERATE(range<std::uint64_t>(1, 6)));
  const int nth = GENERATE(range(1, 8));
  world.disk->failing_batches_last = GENERATE(true, false);
  int batch = 0;
  world.disk->on_batch = [&] { world.disk->failing_batches = ++batch == nth ? 1 : 0; };
  Run run = world.start(chain);
  REQUIRE(world.run_to_rest());
  if (!run.started()) {
    run = world.start(chain);
    REQUIRE(world.run_to_rest());
  }
  CHECK(run.wait().succeeded());
  CHECK(bodies == 4);
  CHECK(world.records() ==
        "started; output a#1; failed b#1; opened b#2; output b#2; output c#1; ended");
}

TEST_CASE("durability: the store answers already_exists only for what is committed", "[actors]") {
  World world(Steps{});
  // The same output twice in one batch, and the batch fails: neither may be told that it exists.
  const RunKey key = [&] {
    auto store = open_memory_store(world.file);
    return put(*store, start_run("r1")).run;
  }();
  auto config = StoreActorConfig{std::make_shared<BrokenStore>(world.file, world.disk),
                                 world.seams(), std::make_shared<Reporter>(nullptr, nullptr),
                                 std::make_shared<Counters>(), LogWatch(0)};
  const StoreActor store = world.system().spawn(store_actor, config);
  std::string answers;
  const auto ask_twice = [&] {
    world.system().spawn(
        [&answers, store, key](caf::event_based_actor* self, int) {
          for (int i = 0; i < 2; ++i) {
            const auto write =
                std::make_shared<const Write>(append(key, output_record("a", 1, "x")));
            self->request(store, caf::infinite, WritePtr(write))
                .then([&answers](const WriteAnswer& answer) {
                  answers += !answer->has_value()                        ? "error "
                             : (*answer)->status == WriteStatus::written ? "written "
                                                                         : "exists ";
                });
          }
        },
        0);
    world.run();
  };
  world.disk->failing_batches = 1;
  ask_twice();
  CHECK(answers == "error error ");
  ask_twice();
  CHECK(answers == "error error written exists ");
  caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
}

TEST_CASE("durability: another output than the stored one is told, kept, and not used",
          "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       // Somebody else stores this step's output meanwhile, as a zombie in another
                       // process might have.
                       if (call.step == "a") {
                         auto other = open_memory_store(here->file);
                         put(*other, append(1, output_record("a", 1, "first")));
                         here->own_the_file_again();
                       }
                       return done(call.with);
                     }}},
              1);
  here = &world;
  const Run run = world.start(R"({"flow": "f", "steps": {"a": {"run": "x", "with": {"mine": 1}},
    "b": {"run": "x", "with": {"got": "{{steps.a.output}}"}}}})");
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().output == json{{"b", {{"got", "first"}}}});
  CHECK(world.count_events(EventKind::output_diverged) == 1);
  CHECK(world.records() == "started; output a#1; diverged a#1; output b#1; ended");
}

TEST_CASE("durability: an owner that lost the store says so to everybody and writes nothing more",
          "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       if (call.step == "b") here->crash();  // a new owner takes the store over
                       return done();
                     }}},
              seed());
  here = &world;
  const Run run = world.start(chain);
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().error->code == Errc::fenced);
  CHECK_FALSE(is_ended(run.wait().state));
  CHECK(world.records() == "started; output a#1");
  const Run later = world.start(chain, "r2");
  const auto cancelled = world.core().cancel("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.started().error().code == Errc::fenced);
  CHECK(cancelled->wait().error().code == Errc::fenced);
}

TEST_CASE("durability: a store actor that dies is an error that everybody sees", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  const int nth = GENERATE(1, 2, 3, 4);
  int batch = 0;
  world.disk->on_batch = [&] {
    if (++batch == nth) throw std::runtime_error("a bug in the store");
  };
  const Run run = world.start(chain);
  const auto look = world.core().look<int>([](StoreView&) { return Result<int>(1); });
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().error->code == Errc::engine_lost);
  const Run later = world.start(chain, "r2");
  const auto cancelled = world.core().cancel("r1");
  REQUIRE(world.run_to_rest());
  CHECK(later.started().error().code == Errc::engine_lost);
  CHECK(cancelled->wait().error().code == Errc::engine_lost);
  bool logged = false;
  for (const LogLine& line : world.log)
    logged = logged ||
             line.text.find("bug: the pawl.store threw: a bug in the store") != std::string::npos;
  CHECK(logged);
}

namespace {

std::string throw_at;
std::atomic<int> throws_left{0};

void throw_at_point(const PointHit& hit) {
  if (hit.point == throw_at && throws_left-- > 0) throw std::runtime_error("a bug");
}

}  // namespace

TEST_CASE("durability: a step runner that dies costs an attempt, not the run", "[actors]") {
  int bodies = 0;
  World world(Steps{{"x", [&](const StepCall&) { return ++bodies, done(); }}}, seed());
  throw_at =
      GENERATE(as<std::string>(), "step.before_write", "step.after_write", "step.after_completion");
  throws_left = 1;
  arm_points(throw_at_point);
  const Run run = world.start(chain);
  const bool at_rest = world.run_to_rest();
  arm_points(nullptr);
  REQUIRE(at_rest);
  CHECK(run.wait().succeeded());
  // Before the write the result was in the dead runner's memory only; after it, it was durable.
  CHECK(bodies == (throw_at == "step.before_write" ? 4 : 3));
}

TEST_CASE("durability: what goes wrong over one attempt costs none of those beside it",
          "[actors]") {
  std::map<std::string, int> bodies;
  World world(Steps{{"x", [&](const StepCall& call) { return ++bodies[call.step], done(); }}},
              seed());
  throw_at =
      GENERATE(as<std::string>(), "step.before_write", "step.after_write", "step.after_completion");
  throws_left = 1;
  arm_points(throw_at_point);
  const Run run = world.start(R"({"flow": "beside", "steps": {"a": {"run": "x"}, "b": {"run": "x"},
    "c": {"run": "x"}, "d": {"run": "x"}}})");
  const bool at_rest = world.run_to_rest();
  arm_points(nullptr);
  REQUIRE(at_rest);
  CHECK(run.wait().succeeded());
  int all = 0;
  for (const auto& [step, count] : bodies) all += count;
  CHECK(all == (throw_at == "step.before_write" ? 5 : 4));
  int lost = 0;
  const StoredRun stored = open_memory_view(world.file)->load("r1").value().value();
  for (const Record& record : stored.records) lost += record.end == AttemptEnd::lost ? 1 : 0;
  CHECK(lost == (throw_at == "step.before_write" ? 1 : 0));
  bool logged = false;
  for (const LogLine& line : world.log)
    logged =
        logged || line.text.find("bug: the pawl.step_runner threw: a bug") != std::string::npos;
  CHECK(logged);
}

TEST_CASE("durability: what ends together is written together, and what follows begins together",
          "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x", [&](const StepCall&) { return here->executor->hang(), done(); }},
                    {"y", [](const StepCall&) { return done(); }}},
              seed());
  here = &world;
  const Run run = world.start(R"({"flow": "beside", "steps": {
    "a": {"run": "x"}, "b": {"run": "x"}, "c": {"run": "x"},
    "d": {"run": "y", "after": ["a"]}, "e": {"run": "y", "after": ["b"]},
    "f": {"run": "y", "after": ["c"]}}})");
  world.run();
  const std::int64_t before = world.core().stats().commits;
  world.executor->let_go();
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  // At best three: the outputs of a, b and c, those of d, e and f, and the end.
  CHECK(world.core().stats().commits - before >= 3);
  CHECK(world.core().stats().commits - before <= 5);
}

TEST_CASE("durability: what has answered in time is not timed out while a batch is with the store",
          "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(1); }}}, seed());
  bool slow = true;
  world.disk->on_batch = [&] {
    if (!slow || world.records().find("output a#1") == std::string::npos) return;
    // The batch after a's holds the output of b or c. While it is written the other one answers,
    // and its time goes by before anybody looks.
    slow = false;
    while (!world.executor->jobs.empty()) {
      auto job = std::move(world.executor->jobs.front());
      world.executor->jobs.pop_front();
      world.executor->run(std::move(job));
    }
    world.pass(2000);
  };
  const Run run = world.start(R"({"flow": "f", "steps": {"a": {"run": "x"},
    "b": {"run": "x", "after": ["a"], "timeout_ms": 1000},
    "c": {"run": "x", "after": ["a"], "timeout_ms": 1000}}})");
  REQUIRE(world.run_to_rest());
  CHECK_FALSE(slow);
  CHECK(run.wait().succeeded());
  const std::string records = world.records();
  CAPTURE(records);
  CHECK(records.find("timed_out") == std::string::npos);
}

TEST_CASE("durability: an attempt's end waits for the batch before it, and for its own",
          "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  here = &world;
  // All of the others answer while the first batch that holds an output is written.
  bool first = true;
  std::size_t batches_before = 0;
  world.disk->on_batch = [&] {
    if (!first || here->records() == "no run") return;
    first = false;
    batches_before = here->disk->batch_sizes.size();
    while (!here->executor->jobs.empty()) {
      auto job = std::move(here->executor->jobs.front());
      here->executor->jobs.pop_front();
      here->executor->run(std::move(job));
    }
  };
  const Run run = world.start(R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x"},
    "c": {"run": "x"}, "d": {"run": "x"}, "e": {"run": "x"}}})");
  REQUIRE(world.run_to_rest());
  CHECK(run.wait().succeeded());
  const std::vector<std::size_t>& sizes = world.disk->batch_sizes;
  CAPTURE(sizes);
  // The one that was being written, all that answered meanwhile if there were any, and the end.
  REQUIRE(sizes.size() >= batches_before + 2);
  REQUIRE(sizes.size() <= batches_before + 3);
  const std::size_t meanwhile = sizes.size() == batches_before + 3 ? sizes[batches_before + 1] : 0;
  CHECK(sizes[batches_before] + meanwhile == 5);
  CHECK(sizes.back() == 1);
}

TEST_CASE("durability: a coordinator that dies is an error that everybody sees", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  throw_at =
      GENERATE(as<std::string>(), "start.before_write", "start.after_write", "run.before_dispatch",
               "run.on_completion", "run.before_end", "run.after_end");
  throws_left = 1;
  arm_points(throw_at_point);
  const Run run = world.start(chain);
  const bool at_rest = world.run_to_rest();
  arm_points(nullptr);
  REQUIRE(at_rest);
  CHECK(run.wait().error->code == Errc::engine_lost);
  CHECK(world.start(chain, "r2").started().error().code == Errc::engine_lost);
}

TEST_CASE("durability: when the coordinator dies its actors end too, whatever the steps do",
          "[actors]") {
  World* here = nullptr;
  World world(Steps{{"x", [](const StepCall&) { return done(); }},
                    {"hangs", [&](const StepCall&) { return here->executor->hang(), done(); }}},
              seed());
  here = &world;
  throw_at = "run.on_completion";
  throws_left = 1;
  arm_points(throw_at_point);
  const Run run = world.start(R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x"},
    "c": {"run": "hangs", "timeout_ms": 0}, "d": {"run": "hangs", "timeout_ms": 0}}})");
  world.run();
  arm_points(nullptr);
  CHECK(run.wait().error->code == Errc::engine_lost);
  CHECK(world.system().registry().running() == 2);  // the store and the housekeeper
  CHECK(world.core().close(false)->value().has_value());
}

TEST_CASE("durability: a cancel that waits for the end is told no end that never came",
          "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  world.disk->fails = is_end_write;
  world.disk->failing_batches = 1'000'000;
  world.start(chain);
  world.run_for(100);
  const auto cancelled = world.core().cancel("r1");
  world.run_for(100);
  CHECK_FALSE(cancelled->value().has_value());
  const bool is_closed = GENERATE(true, false);
  if (is_closed) {
    world.core().close(false);
    world.run();
    world.core().stop();
  } else {
    open_memory_store(world.file);
    world.disk->failing_batches = 0;
  }
  world.run_for(2'000);
  REQUIRE(cancelled->value().has_value());
  REQUIRE_FALSE(cancelled->wait().has_value());
  CHECK(cancelled->wait().error().code == (is_closed ? Errc::closed : Errc::fenced));
}

TEST_CASE("durability: nothing is written beside a run's end", "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  world.disk->fails = is_end_write;
  world.disk->failing_batches = 3;
  world.start(chain);
  world.run_for(5);
  const auto unblocked = world.core().unblock("r1");
  const auto cancelled = world.core().cancel("r1");
  REQUIRE(world.run_to_rest());
  CHECK(unblocked->wait().value() == RunState::succeeded);
  CHECK(cancelled->wait().value() == RunState::succeeded);
  CHECK(world.records() == "started; output a#1; output b#1; output c#1; ended");
}

TEST_CASE("durability: a store that does not answer is told of after a while", "[actors]") {
  // The store's actor is busy for as long as the world does not schedule it: only timers run.
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, 1);
  world.disk->fails = is_output_write;
  world.disk->failing_batches = 1'000'000;
  world.start(chain);
  world.run_for(4'900);
  CHECK(world.count_events(EventKind::store_stalled) == 0);
  world.run_for(200);
  CHECK(world.count_events(EventKind::store_stalled) == 1);
  world.disk->failing_batches = 0;
  REQUIRE(world.run_to_rest());
}

TEST_CASE("durability: a store that is slow is told of, whatever it is asked to write",
          "[actors]") {
  const auto slow =
      GENERATE(as<std::string>(), "started", "opened", "cancel_requested", "ended", "receipt");
  CAPTURE(slow);
  const auto file = make_memory_file();
  if (slow == "receipt") put(*open_memory_store(file), start_run("r1"));
  World* here = nullptr;
  World world(
      Steps{{"x", [](const StepCall& call) { return call.attempt < 2 ? retry("once") : done(); }}},
      seed(), file);
  here = &world;
  bool was_slow = false;
  // The store takes its time over the first such write; nothing fails.
  world.disk->fails = [&](const Write& write) {
    const auto* append = std::get_if<AppendRecord>(&write);
    const auto kind = append != nullptr ? append->record->kind : RecordKind::started;
    if (to_string(kind) != slow || was_slow) return false;
    was_slow = true;
    here->pass(4'999);
    if (world.count_events(EventKind::store_stalled) == 0) here->pass(2);
    return false;
  };
  if (slow != "receipt") world.start(one);
  world.run_for(50);
  if (slow == "cancel_requested") world.core().cancel("r1");
  REQUIRE(world.run_to_rest());
  REQUIRE(was_slow);
  CHECK(world.count_events(EventKind::store_stalled) == 1);
  for (const EngineEvent& event : world.events)
    if (event.kind == EventKind::store_stalled) CHECK(event.run == "r1");
}

TEST_CASE("durability: a run that cannot be noted as waiting goes on when its time comes",
          "[actors]") {
  World world(Steps{{"x", [](const StepCall&) { return done(); }}}, seed());
  world.disk->fails = [](const Write& write) { return std::holds_alternative<ParkRun>(write); };
  world.disk->failing_batches = 3;
  const Run run = world.start(R"({"flow": "f", "steps": {
    "s": {"sleep_ms": 3600000}, "x": {"run": "x", "after": ["s"]}}})");
  world.run_for(3'600'000);
  CHECK(world.disk->failed_batches == 3);
  CHECK(run.wait_for(0).has_value());
  CHECK(open_memory_view(world.file)->load("r1").value()->row.state == RunState::succeeded);
}

}  // namespace durability_test
