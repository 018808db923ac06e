// One flow with every member of the language, under every crash. With PAWL_DEPTH=2 in every crash
// of a recovery too, which takes a while.
#include <pawl/lab.hpp>
#include <pawl/lab_catch.hpp>

#include "support/catch.hpp"
#include "support/figure.hpp"

#include <cstdlib>
#include <map>
#include <memory>

using namespace pawl;

namespace {

const std::string members =
    R"({"flow": "members", "priority": 3, "input": {"big": true, "good": true}, "steps": {
  "list": {"run": "act", "with": {"say": [1, 2, 3]}, "undo": {"run": "act", "with": {"undo": "list"}, "one_at_a_time": "undo", "retry": {"max_attempts": 100}}},
  "each": {"map": "{{steps.list.output}}", "run": "act", "max_parallel": 2, "one_at_a_time": "k{{item}}",
           "with": {"say": "{{item}}"}, "undo": {"run": "act", "with": {"undo": "{{output}}"}, "retry": {"max_attempts": 100}}},
  "sum":  {"value": {"$length": "{{steps.each.output}}"}},
  "trip": {"child": {"flow": "trip", "input": {"n": 0}, "steps": {
             "book": {"run": "act", "with": {"say": "{{input.n}}"}, "undo": {"run": "act", "with": {"undo": "book"}, "retry": {"max_attempts": 100}}},
             "call": {"await": "go", "timeout_ms": 600000, "default": "late"},
             "pay":  {"run": "act", "after": ["book"], "with": {"say": "{{steps.call.output}}"}}}},
           "with": {"n": "{{steps.sum.output}}"},
           "undo": {"run": "act", "with": {"undo": "{{output.pay}}"}, "retry": {"max_attempts": 100}}},
  "big":  {"if": {"equals": ["{{input.big}}", true]}},
  "ask":  {"run": "act", "when": "big", "with": {"say": "?"}, "at_most_once": true, "in_doubt": "fail",
           "default": "nobody knows"},
  "nap":  {"sleep_ms": 3000, "unless": "big"},
  "gate": {"await": "go", "after": ["ask"], "timeout_ms": 600000, "default": "late"},
  "join": {"run": "act", "after": ["gate", "nap", "trip"], "with": {"say": "{{steps.gate.output?}}"}},
  "good": {"if": {"equals": ["{{input.good}}", true]}, "after": ["join"]},
  "bad":  {"fail": "not {{input.good}}", "unless": "good"},
  "last": {"run": "act", "when": "good", "with": {"say": "{{steps.sum.output}}"}}}})";

/// A world in which each key has its effect once, and an undo takes it back.
lab::Outside outside() {
  auto effects = std::make_shared<std::map<std::string, json>>();
  const auto steps = [effects] {
    return Steps{{"act", [effects](const StepCall& call) {
                    (*effects)[call.key] = call.with;
                    return done(call.with.value("say", json(nullptr)));
                  }}};
  };
  const auto check = [effects](const lab::Ending& ending) -> std::string {
    if (ending.outcomes.count("r1") == 0) return "the run has come to no end";
    const Outcome& end = ending.outcomes.at("r1");
    for (const Record& record : ending.runs.at(0).records) {
      const bool has_undo =
          record.step == "list" || record.step.substr(0, 5) == "each[" || record.step == "trip";
      if (record.kind != RecordKind::output || record.attempt == 0 || !has_undo ||
          record.step.find(":undo") != std::string::npos)
        continue;
      if (record.step != "trip" && effects->count("r1/" + record.step) == 0)
        return record.step + " was not done";
      if ((effects->count("r1/" + record.step + ":undo") > 0) == end.succeeded())
        return record.step + " was done in a run that " + std::string(to_string(end.state)) +
               (end.succeeded() ? " and was undone" : " and was not undone");
    }
    return {};
  };
  return {steps, check};
}

lab::Options options() {
  lab::Options made;
  const char* depth = std::getenv("PAWL_DEPTH");
  made.depth = depth == nullptr ? 1 : std::atoi(depth);
  made.schedules = 50;
  made.demand_coverage = false;
  return made;
}

lab::Report explored(const json& input, const std::string& figure = {}) {
  lab::Scenario scenario{parse_flow(members).value(), {{"r1", input}}, outside, {}};
  scenario.signals.push_back({"r1", {"go", "now", "s1"}});
  scenario.signals.push_back({"r1.trip", {"go", "there", "s2"}});
  lab::Options some = options();
  const lab::Report report = lab::explore(scenario, some);
  if (some.depth > 1) WARN(report.text());
  if (!figure.empty())
    note_figure(figure, with_commas(report.cases) +
                            " cases of a flow with every member (every crash" +
                            (some.depth > 1 ? " and every crash in every recovery" : "") +
                            ", by kill, power loss and torn writes): " +
                            std::to_string(report.violations.size()) + " violations");
  return report;
}

}  // namespace

TEST_CASE("members: a flow with every member holds under every crash", "[lab]") {
  const char* const depth = std::getenv("PAWL_DEPTH");
  CHECK_THAT(explored(json::object(), depth == nullptr ? "crashes" : "crashes_twice"),
             lab::holds());
}

TEST_CASE("members: and so it does on the other side of its branch", "[lab]") {
  CHECK_THAT(explored({{"big", false}}), lab::holds());
}

TEST_CASE("members: attempts that take turns do so under every crash", "[lab]") {
  const auto steps = [] {
    return Steps{{"first", [](const StepCall&) { return done(); }},
                 {"act", [](const StepCall& call) {
                    return call.attempt == 1 ? retry("not yet") : done();
                  }}};
  };
  lab::Scenario scenario{parse_flow(R"({"flow": "turns", "steps": {
    "a": {"run": "first"},
    "b": {"map": ["x", "x", "y"], "run": "act", "after": ["a"], "one_at_a_time": "{{item}}",
          "retry": {"initial_ms": 10, "max_attempts": 9}}}})")
                             .value(),
                         {{"r1"}, {"r2"}, {"r3", json::object(), {{}, 5}}},
                         [steps] { return lab::Outside{steps}; }};
  scenario.at_once_max = {{"first", 1}};
  scenario.rates = {{"act", {3, 1000}}};
  lab::Options some = options();
  some.losses = {lab::Loss::kill};
  some.mishaps = false;
  CHECK_THAT(lab::explore(scenario, some), lab::holds());
}

TEST_CASE("members: and when it fails in the end and is undone", "[lab]") {
  CHECK_THAT(explored({{"good", false}}), lab::holds());
}
