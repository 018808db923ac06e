// Who waits for a run's end.
#include "actors/waiters.hpp"

#include <pawl/engine.hpp>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

#include <future>
#include <memory>
#include <string>
#include <vector>

using namespace pawl;

namespace {

/// A ticket whose answers are counted, and that is awaited while `*awaited` is there.
Waiters::TicketPtr ticket(int& answers, const std::weak_ptr<int>& awaited) {
  return std::make_shared<Ticket<Outcome>>([&answers](const Outcome&) { ++answers; }, Outcome{},
                                           [awaited] { return !awaited.expired(); });
}

}  // namespace

TEST_CASE("waiters: each is answered once", "[actors]") {
  int answers = 0;
  const auto asker = std::make_shared<int>();
  Waiters waiters;
  waiters.add("a", ticket(answers, asker));
  waiters.add("a", ticket(answers, asker));
  waiters.add("b", ticket(answers, asker));
  CHECK(waiters.size() == 3);
  waiters.answer("a", Outcome{});
  waiters.answer("a", Outcome{});
  CHECK(answers == 2);
  CHECK(waiters.size() == 1);
  waiters.answer_all(Outcome{});
  CHECK(answers == 3);
  CHECK(waiters.size() == 0);
}

TEST_CASE("waiters: tickets that nobody awaits any more go, the others stay", "[actors]") {
  int answers = 0;
  auto gone = std::make_shared<int>();
  const auto stays = std::make_shared<int>();
  Waiters waiters;
  for (int i = 0; i < 100'000; ++i) {
    waiters.add("run" + std::to_string(i), ticket(answers, i % 100 == 0 ? stays : gone));
    gone = std::make_shared<int>();
  }
  CHECK(answers > 90'000);  // dropped, which answers them
  CHECK(waiters.size() < 2 * 1'000 + 2 * 1'024);
  const int before = answers;
  for (int i = 0; i < 100'000; i += 100) waiters.answer("run" + std::to_string(i), Outcome{});
  CHECK(answers == before + 1'000);
  for (int i = 0; i < 3'000; ++i) {
    waiters.add("late", ticket(answers, gone));
    gone = std::make_shared<int>();
  }
  CHECK(waiters.size() <= 1'024);  // however many there were once
}

TEST_CASE("waiters: whoever wants to be called needs no handle", "[actors]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {"a": {"run": "step"}}})").value();
  std::promise<void> door;
  const std::shared_future<void> open = door.get_future().share();
  const TempFolder folder;
  Engine engine = Engine::open(folder / "store.db", Steps{{"step",
                                                           [open](const StepCall&) {
                                                             open.wait();
                                                             return done(7);
                                                           }}})
                      .value();
  std::promise<Outcome> told;
  engine.submit(flow, "run").on_end([&told](const Outcome& end) { told.set_value(end); });
  // So many that those whom nobody awaits are looked for.
  const Flow other = parse_flow(R"({"flow": "g", "steps": {"a": {"value": 1}}})").value();
  std::vector<Run> runs;
  for (int i = 0; i < 3'000; ++i) runs.push_back(engine.submit(other, "o" + std::to_string(i)));
  for (const Run& run : runs) REQUIRE(run.wait().succeeded());
  door.set_value();
  CHECK(told.get_future().get().state == RunState::succeeded);
}
