#include <pawl/lab_catch.hpp>
#include <pawl/point.hpp>
#include <pawl/step_actor.hpp>

#include <caf/actor_system.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdlib>
#include <map>
#include <memory>
#include <set>

using namespace pawl;
using lab::breaks;
using lab::holds;

namespace {

Flow flow_of(const std::string& steps) {
  return parse_flow(R"({"flow": "f", "steps": {)" + steps + "}}").value();
}

/// A fork, a join, and a step after it.
const std::string five =
    R"("a": {"run": "s"}, "b": {"run": "s", "after": ["a"]}, "c": {"run": "s", "after": ["a"]},
  "d": {"run": "s", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}},
  "e": {"run": "s", "with": {"d": "{{steps.d.output}}"}})";

Steps echo() {
  return Steps{{"s", [](const StepCall& call) {
                  return done({{"step", call.step}, {"with", call.with}});
                }}};
}

lab::Options three_violations() {
  lab::Options options;
  options.violations_max = 3;
  return options;
}

}  // namespace

TEST_CASE("explore: a flow of five steps survives every crash, and every point is reached",
          "[lab]") {
  const lab::Report report = lab::explore(flow_of(five), json::object(), echo);
  CHECK_THAT(report, holds());
  CHECK(report.positions > 150);
  CHECK(report.cases == 1 + 3 * (report.positions + 1) + report.mishaps);
  CHECK(report.mishaps > 80);
  CHECK(report.images > 50);
  CHECK(report.points_missed.empty());
  CHECK(report.points.at("recovery.before_lost") > 0);
  CHECK(report.left_out.empty());
}

TEST_CASE("explore: a crash in the recovery is survived too, at every pair of positions", "[lab]") {
  lab::Options options;
  options.depth = 2;
  const lab::Report report =
      lab::explore(flow_of(R"("a": {"run": "s"})"), json::object(), echo, options);
  CHECK_THAT(report, holds());
  CHECK(report.cases > 10'000);
}

TEST_CASE("explore: random courses with failing steps, faults and several runs come to good ends",
          "[lab]") {
  lab::Options options;
  options.schedules = 300;
  options.cancels = true;
  lab::Scenario scenario{flow_of(five), {{"r1"}, {"r2", {{"n", 2}}}, {"r3"}}, [] {
                           return lab::Outside{[] { return echo(); }};
                         }};
  CHECK_THAT(lab::explore(scenario, options), holds());
}

TEST_CASE("explore: a user's own actor is a step in the same schedule", "[lab]") {
  const auto answer = [] {
    return Steps{
        {"s", step_actor([](caf::actor_system& system) {
           return system.spawn(
               [](StepActor::pointer, int) -> StepActor::behavior_type {
                 return {[](const StepCallPtr& call) -> StepResult { return done(call->key); }};
               },
               1);
         })}};
  };
  lab::Options options;
  options.schedules = 50;
  CHECK_THAT(lab::explore(flow_of(R"("a": {"run": "s"}, "b": {"run": "s", "after": ["a"]})"),
                          json::object(), answer, options),
             holds());
}

// --- Flows that are not safe, and are found out.

TEST_CASE("explore: a step that charges without its key is found to charge twice", "[lab]") {
  const auto outside = [] {
    auto charges = std::make_shared<int>(0);
    return lab::Outside{[charges] {
                          return Steps{{"charge", [charges](const StepCall&) {
                                          ++*charges;
                                          return done();
                                        }}};
                        },
                        [charges](const lab::Ending&) {
                          return *charges == 1 ? std::string()
                                               : "charged " + std::to_string(*charges) + " times";
                        }};
  };
  const lab::Report report = lab::explore(flow_of(R"("pay": {"run": "charge"})"), json::object(),
                                          lab::MakeOutside(outside));
  REQUIRE_THAT(report, breaks("your_check"));
  const lab::Violation& violation = report.violations.front();
  CHECK(violation.message == "charged 2 times");
  // The simplest case: one kill, in the order of arrival; the calm life after it goes without
  // saying.
  REQUIRE(violation.lab_case.lives.size() == 1);
  CHECK(violation.lab_case.lives[0].seed == 0);
  CHECK(violation.lab_case.lives[0].crash->loss == lab::Loss::kill);
  CHECK(violation.timeline.find("CRASH") != std::string::npos);
  CHECK(report.text().find("PAWL_REPLAY='seed=0 crash=") != std::string::npos);
}

TEST_CASE("explore: a step that appends to a file before it says so is found to append again",
          "[lab]") {
  const auto outside = [] {
    auto file = std::make_shared<std::vector<std::string>>();
    return lab::Outside{[file] {
                          return Steps{{"append", [file](const StepCall& call) {
                                          file->push_back(call.step);
                                          point("appended");
                                          return call.attempt == 1 ? retry("not sure") : done();
                                        }}};
                        },
                        [file](const lab::Ending&) {
                          return std::set<std::string>(file->begin(), file->end()).size() ==
                                         file->size()
                                     ? ""
                                     : "a line stands there twice";
                        }};
  };
  const lab::Report report = lab::explore(flow_of(R"("log": {"run": "append"})"), json::object(),
                                          lab::MakeOutside(outside));
  REQUIRE_THAT(report, breaks("your_check"));
  // It needs no crash at all: a retry is enough.
  CHECK(report.violations.front().lab_case.text() == "seed=0");
}

TEST_CASE("explore: a step that keeps what others need in memory is found out", "[lab]") {
  const auto outside = [] {
    return lab::Outside{[] {
                          auto token = std::make_shared<std::string>();  // in the process
                          return Steps{{"login",
                                        [token](const StepCall&) {
                                          *token = "secret";
                                          return done();
                                        }},
                                       {"use", [token](const StepCall&) {
                                          return token->empty() ? fail("no token") : done();
                                        }}};
                        },
                        [](const lab::Ending& ending) {
                          return ending.outcomes.at("run-1").succeeded() ? "" : "the run failed";
                        }};
  };
  const lab::Report report =
      lab::explore(flow_of(R"("in": {"run": "login"}, "out": {"run": "use", "after": ["in"]})"),
                   json::object(), lab::MakeOutside(outside));
  REQUIRE_THAT(report, breaks("your_check"));
  CHECK(report.violations.front().lab_case.lives.size() == 1);
}

// --- The lab itself.

TEST_CASE("explore: a disk that lies about sync is found to lose what was acknowledged", "[lab]") {
  lab::Options options = three_violations();
  options.disk_lies = true;
  const lab::Report report =
      lab::explore(flow_of(R"("a": {"run": "s"})"), json::object(), echo, options);
  REQUIRE_FALSE(report.holds());
  bool lost = false;
  for (const lab::Violation& violation : report.violations)
    lost = lost || violation.invariant == "acknowledged_is_kept" ||
           violation.invariant == "completed_is_durable" || violation.invariant == "end_is_durable";
  CHECK(lost);
}

TEST_CASE("explore: what a bound leaves out is said", "[lab]") {
  lab::Options options;
  options.cases_max = 50;
  const lab::Report report = lab::explore(flow_of(five), json::object(), echo, options);
  CHECK(report.cases == 50);
  CHECK(report.left_out.find("50 cases") != std::string::npos);
  CHECK(report.text().find("NOT ALL") != std::string::npos);
}

TEST_CASE("explore: one seed is one trace, another seed another", "[lab]") {
  const lab::Scenario scenario{
      flow_of(five), {{"r1"}, {"r2"}}, [] { return lab::Outside{[] { return echo(); }}; }};
  std::set<Digest> traces;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const lab::LabCase lab_case = lab::random_case(scenario, seed);
    const lab::Trace first = lab::trace(scenario, lab_case);
    const lab::Trace second = lab::trace(scenario, lab::LabCase::parse(lab_case.text()).value());
    CAPTURE(lab_case.text());
    CHECK(first.digest == second.digest);
    CHECK(first.events == second.events);
    traces.insert(first.digest);
  }
  CHECK(traces.size() >= 59);
}

TEST_CASE("explore: PAWL_REPLAY makes one case happen, and a line that is none is said to be none",
          "[lab]") {
  ::setenv("PAWL_REPLAY", "seed=0 crash=40:power | seed=0", 1);
  const lab::Report replayed = lab::explore(flow_of(five), json::object(), echo);
  ::setenv("PAWL_REPLAY", "seed=0 crash=40:flood", 1);
  const lab::Report unreadable = lab::explore(flow_of(five), json::object(), echo);
  ::unsetenv("PAWL_REPLAY");
  CHECK(replayed.cases == 1);
  CHECK(replayed.lives == 2);
  CHECK_THAT(unreadable, breaks("replay"));
}

TEST_CASE("lab case: as text and back", "[lab]") {
  const std::string text =
      "disk_lies runs=2 seed=7 crash=43:torn:5 fault=12:io fault=90:full:for_ever stalls=8 | "
      "seed=0";
  CHECK(lab::LabCase::parse(text).value().text() == text);
  for (const char* bad :
       {"seed", "seed=x", "crash=1", "crash=1:wet", "fault=1:io:twice", "weather=5"}) {
    CAPTURE(bad);
    REQUIRE_FALSE(lab::LabCase::parse(bad).has_value());
    CHECK(lab::LabCase::parse(bad).error().code == Errc::invalid_argument);
  }
}
