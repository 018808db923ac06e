// What has ended when a commit begins is in that commit, whatever else is to be written.
#include "actors/ends_box.hpp"

#include <pawl/point.hpp>

#include "actors/performing.hpp"
#include "actors/store_actor.hpp"
#include "actors/take_all.hpp"
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace pawl;

namespace {

using Names = std::set<std::string>;

/// The names of steps differ between runs: in a batch they stand without the run's name.
std::string flow_of(int run) {
  const std::string n = std::to_string(run);
  return R"({"flow": "f", "steps": {"a)" + n + R"(": {"run": "x"},
    "b)" +
         n + R"(": {"run": "x", "after": ["a)" + n + R"("]},
    "c)" +
         n + R"(": {"run": "x", "after": ["a)" + n + R"("]},
    "d)" +
         n + R"(": {"run": "x", "after": ["b)" + n + R"("]}}})";
}

/// An attempt at a step, which no step runner knows of.
DispatchPtr attempt_at(const std::string& step, RunKey run = 1) {
  auto dispatch = std::make_shared<Dispatch>();
  dispatch->run = run;
  dispatch->call.run = "r1";
  dispatch->call.step = step;
  dispatch->call.attempt = 1;
  return dispatch;
}

EndsBox::End end_at(const std::string& step, RunKey run = 1) {
  return {attempt_at(step, run), std::make_shared<Record>(output_record(step, 1, "x")), nullptr};
}

/// What a thread performs with, in a world; keeps what it tells.
struct Thread {
  explicit Thread(const World& world) {
    performing.seams = world.seams();
    performing.box = std::make_shared<EndsBox>();
    performing.box->on_first([this] { ++woken; });
    performing.tell = [this](ThreadNews news) { told.push_back(std::move(news)); };
  }

  void perform(const DispatchPtr& dispatch) {
    perform_and_leave(
        performing, [](const StepCall&) { return done(); }, dispatch);
  }

  Performing performing;
  std::vector<ThreadNews> told;
  int woken = 0;
};

thread_local bool throws = false;

void throw_before_write(const PointHit& hit) {
  if (throws && hit.point == "step.before_write") throw std::runtime_error("a bug");
}

}  // namespace

TEST_CASE("ends box: one message wakes the store for all ends that nobody has taken", "[actors]") {
  std::atomic<int> woken{0};
  EndsBox box;
  box.on_first([&] { ++woken; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) box.put(end_at("a"));
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(woken == 1);
  const std::vector<EndsBox::End> ends = box.take();
  CHECK(ends.size() == 400);
  CHECK(box.take().empty());
  box.put(end_at("a"));
  CHECK(woken == 2);
  box.put_again(ends);
  CHECK(woken == 2);
  CHECK(box.take().size() == 401);
  box.put_again({});
  CHECK(woken == 2);
  box.put_again(ends);
  CHECK(woken == 3);
  CHECK(box.runner() == nullptr);
}

TEST_CASE("ends box: an attempt ends once, and what comes later is late", "[actors]") {
  const World world{Steps{}};
  Thread thread(world);
  const DispatchPtr first = attempt_at("a");
  thread.perform(first);
  CHECK(first->ended_us() != 0);
  CHECK_FALSE(first->claim_end(1));
  // Of the first end the step runner is told that somebody must look whether the store takes it.
  REQUIRE(thread.told.size() == 1);
  CHECK(std::holds_alternative<EndLeft>(thread.told[0]));
  const DispatchPtr second = attempt_at("b");
  CHECK(second->claim_end(7));  // its time was over
  thread.perform(second);
  CHECK(second->ended_us() == 7);
  REQUIRE(thread.told.size() == 2);
  CHECK(std::get<LateAnswer>(thread.told[1]).record->kind == RecordKind::output);
  const std::vector<EndsBox::End> ends = thread.performing.box->take();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].dispatch == first);
  CHECK(ends[0].record->kind == RecordKind::output);
  CHECK(thread.woken == 1);
}

TEST_CASE("ends box: an end that cannot be left is told as lost", "[actors]") {
  const World world{Steps{}};
  Thread thread(world);
  throws = true;
  arm_points(throw_before_write);
  thread.perform(attempt_at("a"));
  arm_points(nullptr);
  throws = false;
  REQUIRE(thread.told.size() == 1);
  CHECK(std::get<LostAnswer>(thread.told[0]).why == "a bug");
  CHECK(thread.performing.box->take().empty());
}

TEST_CASE("ends box: what is taken is taken once, and there is room for as much", "[actors]") {
  std::vector<int> filled{1, 2, 3};
  CHECK(take_all(filled) == std::vector<int>{1, 2, 3});
  CHECK(filled.empty());
  CHECK(filled.capacity() == 3);
  CHECK(take_all(filled).empty());
  CHECK(filled.capacity() == 0);
}

TEST_CASE("ends box: a call may be kept for longer than its attempt", "[actors]") {
  const World world{Steps{}};
  int told = 0;
  DispatchPtr dispatch = attempt_at("a");
  dispatch->reports().connect(
      std::make_shared<const ReportsDesk>(
          ReportsDesk{world.seams().clock,
                      [&](const std::weak_ptr<Dispatch>& of) { told += of.expired() ? 1 : 0; }}),
      dispatch);
  dispatch->call.progress_sink = {dispatch->signals, &dispatch->reports()};
  dispatch->cancellation().set(Cancellation::Reason::cancelled);
  const StepCall kept = dispatch->call;
  dispatch.reset();
  CHECK(kept.cancelled());
  kept.progress(1);
  CHECK(told == 1);
}

TEST_CASE("ends box: what was reported and is not durable goes with the end", "[actors]") {
  const World world{Steps{}};
  Thread thread(world);
  const auto desk = std::make_shared<const ReportsDesk>(
      ReportsDesk{world.seams().clock, [](const std::weak_ptr<Dispatch>&) {}});
  const auto reports_of = [&](const DispatchPtr& dispatch) {
    dispatch->reports().connect(desk, dispatch);
    dispatch->reports().report(1);
    return &dispatch->reports();
  };
  const DispatchPtr untaken = attempt_at("a");
  reports_of(untaken);
  const DispatchPtr taken = attempt_at("b");
  CHECK(reports_of(taken)->take() == "1");
  CHECK_FALSE(taken->reports().take());
  const DispatchPtr failed = attempt_at("c");
  CHECK(reports_of(failed)->take() == "1");
  CHECK(failed->reports().settle(false));
  const DispatchPtr durable = attempt_at("d");
  CHECK(reports_of(durable)->take() == "1");
  CHECK(durable->reports().settle(true));
  const DispatchPtr newer = attempt_at("e");
  CHECK(reports_of(newer)->take() == "1");
  newer->reports().report(2);
  for (const DispatchPtr& dispatch : {untaken, taken, failed, durable, newer})
    thread.perform(dispatch);
  const std::vector<EndsBox::End> ends = thread.performing.box->take();
  REQUIRE(ends.size() == 5);
  for (int i : {0, 1, 2}) CHECK(ends[static_cast<std::size_t>(i)].progress->body == "1");
  CHECK(ends[3].progress == nullptr);
  CHECK(ends[4].progress->body == "2");
  // Its end tells of it, not the answer to the write that was under way.
  CHECK_FALSE(taken->reports().settle(true));
}

TEST_CASE("ends box: what has ended when a commit begins is in that commit", "[actors]") {
  const auto seed = GENERATE(range<std::uint64_t>(1, 41));
  CAPTURE(seed);
  Names ended;  // bodies that have returned and are in no commit yet
  Names owed;   // those that had when the last commit began
  std::size_t proven = 0;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       ended.insert(call.step);
                       return done();
                     }}},
              seed);
  Names missed;
  const auto look_at_last = [&] { missed.insert(owed.begin(), owed.end()); };
  world.disk->on_batch = [&] {
    look_at_last();
    owed = ended;
  };
  world.disk->fails = [&](const Write& write) {
    const auto* const append = std::get_if<AppendRecord>(&write);
    if (append != nullptr && append->record->kind == RecordKind::output) {
      proven += owed.erase(append->record->step);
      ended.erase(append->record->step);
    }
    return false;
  };
  for (int i = 0; i < 10; ++i) world.start(flow_of(i), "r" + std::to_string(i));
  REQUIRE(world.run_to_rest());
  look_at_last();
  for (int i = 0; i < 10; ++i)
    CHECK(open_memory_view(world.file)->load("r" + std::to_string(i)).value()->row.state ==
          RunState::succeeded);
  CHECK(missed.empty());
  CHECK(proven == 40);
}

TEST_CASE("ends box: what lies there when the store's actor goes is written", "[actors]") {
  World world{Steps{}};
  const RunKey key = [&] {
    auto store = open_memory_store(world.file);
    return put(*store, start_run("r1")).run;
  }();
  const auto box = std::make_shared<EndsBox>();
  box->on_first([] {});
  const StoreActor store = world.system().spawn(
      store_actor, StoreActorConfig{std::make_shared<BrokenStore>(world.file, world.disk),
                                    world.seams(), std::make_shared<Reporter>(nullptr, nullptr),
                                    std::make_shared<Counters>(), LogWatch(0), box});
  world.run();
  box->put(end_at("a", key));
  caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
  world.run();
  const StoredRun stored = open_memory_view(world.file)->load("r1").value().value();
  REQUIRE(stored.records.size() == 2);
  CHECK(stored.records[1].step == "a");
}
