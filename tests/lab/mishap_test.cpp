// What goes wrong at a named point: that it lands there, and what becomes of it.
#include <pawl/lab.hpp>
#include <pawl/point.hpp>

#include "lab/case_runner.hpp"
#include "lab/exploration_lock.hpp"
#include "lab/own_scenarios.hpp"
#include "support/catch.hpp"

#include <algorithm>

using namespace pawl;
using namespace pawl::lab;

namespace {

/// The history of one case of the chain a, b.
std::vector<HistoryEvent> history_of(const std::string& line) {
  const ExplorationLock lock;
  const Scenario chain = own_scenarios().front().scenario;
  const CaseEnd end = run_case(chain, LabCase::parse(line).value());
  CHECK(end.breaches.empty());
  CHECK(end.runs.at(0).row.state == RunState::succeeded);
  std::vector<HistoryEvent> all;
  end.view().each([&](const HistoryEvent& event) { all.push_back(event); });
  return all;
}

auto count(const std::vector<HistoryEvent>& history, Happened what, const std::string& text = {},
           const std::string& step = {}) {
  return std::count_if(history.begin(), history.end(), [&](const HistoryEvent& event) {
    return event.what == what && (text.empty() || event.text == text) &&
           (step.empty() || event.step == step);
  });
}

}  // namespace

TEST_CASE("mishap: a completion that comes twice counts once", "[lab]") {
  const auto history = history_of("seed=0 at=run.on_completion:1:repeat");
  CHECK(count(history, Happened::fault, "repeat at run.on_completion", "a") == 1);
  CHECK(count(history, Happened::point, "run.on_completion", "a") == 2);
  CHECK(count(history, Happened::completed, {}, "a") == 1);
  CHECK(count(history, Happened::blocked) == 0);
}

TEST_CASE("mishap: a batch that is written twice is stored once", "[lab]") {
  const auto history = history_of("seed=0 at=store.before_begin:2:repeat");
  CHECK(count(history, Happened::fault, "repeat at store.before_begin") == 1);
  CHECK(count(history, Happened::point, "store.before_commit", "a") == 2);
  CHECK(count(history, Happened::point, "store.before_commit", "b") == 1);
}

TEST_CASE("mishap: a step runner that dies has its attempts lost, and durable ends found",
          "[lab]") {
  const auto history = history_of("seed=0 at=step.after_write:1:kill");
  CHECK(count(history, Happened::runner_killed) == 1);
  // What it had told came first: its own mail is older than its death.
  CHECK(count(history, Happened::body_began, {}, "a") == 1);
  CHECK(count(history, Happened::body_began, {}, "b") <= 2);
}

TEST_CASE("mishap: an attempt that fails at its body is made again", "[lab]") {
  const auto history = history_of("seed=0 at=step.before_body:1:fail");
  CHECK(count(history, Happened::fault, "fail at step.before_body", "a") == 1);
  CHECK(count(history, Happened::attempt_ended, "failed", "a") == 1);
  CHECK(count(history, Happened::body_began, {}, "a") == 1);
}

TEST_CASE("mishap: a commit that fails is made again, and the body is not", "[lab]") {
  const auto history = history_of("seed=0 at=store.before_commit:2:fail");
  CHECK(count(history, Happened::fault, "fail at store.before_commit") == 1);
  CHECK(count(history, Happened::write_failed) == 1);
  CHECK(count(history, Happened::body_began, {}, "a") == 1);
}

TEST_CASE("mishap: whoever is stalled goes on when timers have gone off", "[lab]") {
  const ExplorationLock lock;
  const Scenario chain = own_scenarios().front().scenario;
  const CaseEnd calm = run_case(chain, LabCase::parse("seed=0").value());
  const CaseEnd stalled =
      run_case(chain, LabCase::parse("seed=0 at=store.after_reply:1:stall").value());
  CHECK(stalled.breaches.empty());
  CHECK(stalled.virtual_ms > calm.virtual_ms);
}

TEST_CASE("mishap: a point says what it can suffer, and a line that asks for more is refused",
          "[lab]") {
  for (const std::string_view point : protocol_points())
    for (const MishapKind kind :
         {MishapKind::kill, MishapKind::stall, MishapKind::fail, MishapKind::repeat}) {
      const auto kinds = mishaps_at(point);
      const bool possible = std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
      const std::string line =
          "seed=0 at=" + std::string(point) + ":3:" + std::string(to_string(kind));
      CAPTURE(line);
      const auto parsed = LabCase::parse(line);
      CHECK(parsed.has_value() == possible);
      if (parsed) CHECK(parsed->text() == line);
    }
  CHECK(mishaps_at("mine").empty());
  CHECK_FALSE(LabCase::parse("seed=0 at=run.on_completion:repeat").has_value());
}
