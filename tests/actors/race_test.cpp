// A data race on purpose: what `./dev tsan` must see before its silence about the rest means
// anything.
#include <pawl/engine.hpp>
#include <pawl/flow.hpp>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

#include <atomic>

using namespace pawl;

TEST_CASE("race: two steps that write the same without asking", "[.race]") {
  const TempFolder folder;
  int shared = 0;
  std::atomic<int> here{0};
  // Both are under way at once, and nothing orders them: relaxed, for the meeting itself must not.
  const auto race = [&](const StepCall&) {
    here.fetch_add(1, std::memory_order_relaxed);
    while (here.load(std::memory_order_relaxed) < 2) {
    }
    ++shared;
    return done();
  };
  Engine engine = Engine::open(folder / "race.db", {{"race", race}}).value();
  const Flow flow =
      parse_flow(R"({"flow": "f", "steps": {"a": {"run": "race"}, "b": {"run": "race"}}})").value();
  CHECK(engine.start(flow, "r1").value().wait().succeeded());
  CHECK(shared > 0);
}
