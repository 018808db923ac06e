// What follows from a flow's meaning, not from its spelling, and what a run's end says.
#include <pawl/flow.hpp>
#include <pawl/run_document.hpp>

#include "lab/chance.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/plan.hpp"
#include "support/catch.hpp"
#include "support/random_flow.hpp"
#include "support/story.hpp"

#include <algorithm>
#include <set>

using namespace pawl;

namespace {

/// The text of a value, the members of its objects in an order that chance picks.
std::string shuffled(const json& value, lab::Chance& chance) {
  if (!value.is_structured()) return value.dump();
  std::vector<std::string> parts;
  for (const auto& [key, element] : value.items())
    parts.push_back((value.is_object() ? json(key).dump() + " : " : "") +
                    shuffled(element, chance));
  if (value.is_object())
    for (std::size_t i = parts.size(); i > 1; --i) std::swap(parts[i - 1], parts[chance.below(i)]);
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",\n") + part;
  return value.is_object() ? "{" + text + "}" : "[" + text + "]";
}

std::vector<std::string> names_of(const Flow& flow) {
  std::vector<std::string> names;
  for (const PlannedStep& step : flow.plan()->steps) names.push_back(step.name.str());
  return names;
}

std::vector<std::vector<std::size_t>> needs_of(const Flow& flow) {
  std::vector<std::vector<std::size_t>> needs;
  for (const PlannedStep& step : flow.plan()->steps) needs.push_back(step.needs);
  return needs;
}

const std::string elements = R"({"flow": "f", "steps": {
  "m": {"map": "{{input.urls}}", "run": "get", "max_parallel": 2},
  "after": {"run": "x", "after": ["m"]}}})";

const json three_urls{{"urls", {"a", "b", "c"}}};

}  // namespace

TEST_CASE("branch: one with nothing on its other side runs what it decided for", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"b": {"if": {"equals": ["{{input.n}}", 1]}},
    "t": {"run": "x", "when": "b"}}})",
              {{"n", 1}});
  story.resumed();
  CHECK(story.started() == "write output b true");
  CHECK(story.wrote("b", true) == "start t#1");
  CHECK(story.state("t") == "running");
  CHECK(story.output("t", 1, 7) == R"(end succeeded {"t":7})");
  story.ended({RunState::succeeded, {{"t", 7}}, std::nullopt});
  CHECK(story.state("b") == "succeeded");
  CHECK(story.state("t") == "succeeded");
  REQUIRE(story.machine.outcome().has_value());
  CHECK(story.machine.outcome()->succeeded());
}

TEST_CASE("flow: an empty step type is a bad name, whether types are known or not", "[runtime]") {
  const StepTypes types{{"echo", StepTypeInfo{}}};
  const std::string text = R"({"flow": "f", "steps": {"a": {"run": ""}}})";
  for (const StepTypes* known : {static_cast<const StepTypes*>(nullptr), &types}) {
    const Result<Flow> flow = parse_flow(text, known);
    REQUIRE_FALSE(flow.has_value());
    CHECK(flow.error().code == Errc::invalid_flow);
    REQUIRE(flow.error().problems.size() == 1);
    CHECK(flow.error().problems[0].pointer == "/steps/a/run");
    CHECK(flow.error().problems[0].code == "bad_name");
  }
}

TEST_CASE("flow: random ones have one digest, order and needs, however they are spelt",
          "[runtime]") {
  int flows = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const RandomFlow random(seed);
    CAPTURE(seed, random.flow.dump());
    const Result<Flow> flow = parse_flow(random.flow.dump());
    if (!flow) continue;  // its output may lack something: see the random flows' own test
    lab::Chance chance(seed);
    const std::string other_text = shuffled(random.flow, chance);
    REQUIRE(json::parse(other_text) == random.flow);
    ++flows;
    for (const std::string& text : {flow->canonical(), other_text, random.flow.dump(2)}) {
      CAPTURE(text);
      const Result<Flow> same = parse_flow(text);
      REQUIRE(same.has_value());
      REQUIRE(same->digest() == flow->digest());
      REQUIRE(same->canonical() == flow->canonical());
      REQUIRE(names_of(*same) == names_of(*flow));
      REQUIRE(needs_of(*same) == needs_of(*flow));
    }
  }
  CHECK(flows > 300);
}

TEST_CASE("flow: of random ones every step is planned once, and what it needs stands before it",
          "[runtime]") {
  std::size_t needs = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const RandomFlow random(seed);
    CAPTURE(seed, random.flow.dump());
    const Result<Flow> flow = parse_flow(random.flow.dump());
    if (!flow) continue;
    std::vector<std::string> written;
    for (const auto& [name, step] : random.flow["steps"].items()) written.push_back(name);
    std::vector<std::string> planned = names_of(*flow);
    std::sort(planned.begin(), planned.end());
    REQUIRE(planned == written);  // JSON keeps its members in order
    const std::vector<PlannedStep>& steps = flow->plan()->steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const std::set<std::size_t> once(steps[i].needs.begin(), steps[i].needs.end());
      REQUIRE(once.size() == steps[i].needs.size());
      for (const std::size_t need : steps[i].needs) REQUIRE(need < i);
      // What the text says outright is among them.
      for (const json& name :
           random.flow["steps"][steps[i].name.str()].value("after", json::array()))
        REQUIRE(once.count(flow->plan()->index.at(name.get<std::string>())) == 1);
      needs += once.size();
    }
  }
  CHECK(needs > 300);
}

TEST_CASE("document: a failed run shows no output but those of the steps that have one",
          "[runtime]") {
  const std::string text = R"({"flow": "order", "steps": {
    "reserve": {"run": "x"}, "charge": {"run": "x", "after": ["reserve"]},
    "ship": {"run": "x", "after": ["charge"]}}})";
  Story story(text);
  story.started();
  story.output("reserve", 1, {{"n", 1}});
  story.receipt("charge", 1, AttemptEnd::failed, 500);
  story.opened("charge", 2);
  story.receipt("charge", 2, AttemptEnd::fatal);
  story.ended({RunState::failed, nullptr, RunError{Errc::step_failed, "charge", "fatal 2"}});
  std::vector<Record> records = story.records;
  REQUIRE(records.size() == 6);
  records[1].started_ms = 1000;
  records[2].started_ms = 2000;
  records[4].started_ms = 3000;

  const RunView view = view_run(parse_flow(text).value(), "r1", json::object(), records).value();
  CHECK(view.state == RunState::failed);
  CHECK(view.document["output"] == nullptr);
  CHECK(view.document["error"]["step"] == "charge");
  const json& steps = view.document["steps"];
  CHECK(steps["reserve"]["output"] == json{{"n", 1}});
  CHECK(steps["reserve"]["error"] == nullptr);
  CHECK(steps["charge"]["state"] == "failed");
  CHECK(steps["charge"]["output"] == nullptr);
  CHECK(steps["charge"]["error"]["message"] == "fatal 2");
  CHECK(steps["ship"]["output"] == nullptr);
  REQUIRE(steps["reserve"]["attempts"].size() == 1);
  CHECK(steps["reserve"]["attempts"][0]["started_ms"] == 1000);
  REQUIRE(steps["charge"]["attempts"].size() == 2);
  CHECK(steps["charge"]["attempts"][0]["started_ms"] == 2000);
  CHECK(steps["charge"]["attempts"][1]["started_ms"] == 3000);
  CHECK(steps["ship"]["attempts"].empty());
}

TEST_CASE("map: a cancel asks every open element to stop, begins no other, and ends the run",
          "[runtime]") {
  Story story(elements, three_urls);
  story.resumed();
  CHECK(story.started() == "start m[0]#1; start m[1]#1");
  CHECK(story.cancelled() == "cancel m[0]#1; cancel m[1]#1");
  CHECK(story.machine.state() == RunState::cancelling);
  SECTION("the elements stop") {
    CHECK(story.receipt("m[0]", 1, AttemptEnd::cancelled) == "");
  }
  SECTION("an element is done all the same") {
    CHECK(story.output("m[0]", 1, "A") == "");
  }
  SECTION("an element fails meanwhile, and would have another attempt") {
    CHECK(story.receipt("m[0]", 1, AttemptEnd::failed, 100) == "");
  }
  CHECK(story.receipt("m[1]", 1, AttemptEnd::cancelled) == "end cancelled");
  story.ended({RunState::cancelled, nullptr, RunError{Errc::cancelled, "", "why"}});
  CHECK(story.state("m[1]") == "cancelled");
  const RunView view =
      view_run(parse_flow(elements).value(), "r1", three_urls, story.records).value();
  CHECK(view.state == RunState::cancelled);
  CHECK(view.document["output"] == nullptr);
  CHECK(view.document["steps"]["after"]["state"] == "not_started");
}
