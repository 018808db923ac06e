// Keys and priorities as the rules have them: what they come to, and where they come from.
#include <pawl/limits.hpp>
#include <pawl/run_diff.hpp>
#include <pawl/run_document.hpp>

#include "runtime/start_facts.hpp"
#include "runtime/validate.hpp"
#include "support/catch.hpp"
#include "support/story.hpp"

using namespace pawl;

namespace {

/// The key of a step `a` that is under way, or why it has none.
std::string key_of(const std::string& written, const json& input) {
  Story story(R"({"flow": "f", "steps": {"a": {"run": "x", "one_at_a_time": ")" + written + "\"}}}",
              input);
  story.started();
  const auto key = story.machine.turn_key(*story.machine.find("a"));
  if (!key) return key.error().text();
  return key->value_or("none");
}

}  // namespace

TEST_CASE("turn key: a string or a number, whatever it was made of", "[runtime]") {
  CHECK(key_of("ledger", {}) == "ledger");
  CHECK(key_of("account-{{input.n}}", {{"n", 7}}) == "account-7");
  CHECK(key_of("{{input.n}}", {{"n", 7}}) == "7");
  CHECK(key_of("{{input.n}}", {{"n", "seven"}}) == "seven");
  CHECK(key_of("{{input.n}}", {{"n", 1.5}}) == "1.5");
  CHECK(key_of("k{{input.n}}", {{"n", {1, 2}}}) == "k[1,2]");
  CHECK(key_of("k{{input.n?}}", json::object()) == "knull");
  CHECK(key_of("{{input.n}}", {{"n", std::string(256, 'k')}}) == std::string(256, 'k'));
}

TEST_CASE("turn key: what cannot be one is refused by its place, and its value is not told",
          "[runtime]") {
  for (const json& value : {json(true), json(nullptr), json::array({"hidden"}),
                            json{{"hidden", "hidden"}}, json(std::string(257, 'h'))}) {
    const std::string told = key_of("{{input.n}}", {{"n", value}});
    CAPTURE(value, told);
    CHECK(told.find("/steps/a/one_at_a_time") != std::string::npos);
    CHECK(told.find("hidden") == std::string::npos);
    CHECK(told.find("hhh") == std::string::npos);
  }
  CHECK(key_of("{{input.n}}", json::object()).find("names nothing") != std::string::npos);
}

TEST_CASE("turn key: each element of a map has its own, and an undo too", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {
    "m": {"map": ["x", "y"], "run": "x", "one_at_a_time": "{{item}}-{{index}}",
          "undo": {"run": "u", "one_at_a_time": "{{output}}-{{item}}"}},
    "z": {"run": "x", "after": ["m"]}}})");
  const auto key = [&](const std::string& part) {
    return story.machine.turn_key(*story.machine.find(part)).value().value_or("none");
  };
  story.started();
  CHECK(key("m[0]") == "x-0");
  CHECK(key("m[1]") == "y-1");
  story.output("m[0]", 1, "A");
  story.output("m[1]", 1, "B");
  story.wrote("m", {"A", "B"});
  CHECK(key("z") == "none");
  story.receipt("z", 1, AttemptEnd::fatal);
  story.undoing({RunState::failed, nullptr, RunError{Errc::step_failed, "z", "why"}});
  CHECK(key("m[0]:undo") == "A-x");
  CHECK(key("m[1]:undo") == "B-y");
}

TEST_CASE("turn key: what it refers to is waited for, and looked for in the input", "[runtime]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {
    "b": {"run": "x"}, "a": {"run": "x", "one_at_a_time": "{{steps.b.output.id}}{{input.n}}"},
    "c": {"child": {"flow": "g", "steps": {"d": {"run": "x", "one_at_a_time": "{{input.m}}"}}},
          "with": {"m": 1}}}})")
                        .value();
  Story story(flow.canonical(), {{"n", 1}});
  story.started();
  CHECK(story.resumed() == R"(child r1.c {"m":1}; start b#1)");
  CHECK(story.output("b", 1, {{"id", 5}}) == "start a#1");
  CHECK(missing_input(*flow.plan(), json::object()).front().pointer == "/steps/a/one_at_a_time");
  const auto lacking = parse_flow(R"({"flow": "f", "steps": {
    "c": {"child": {"flow": "g", "steps": {"d": {"run": "x", "one_at_a_time": "{{input.m}}"}}}}}})");
  CHECK(lacking.error().problems.front().code == "missing_parameter");
}

TEST_CASE("priority: a flow may say one, within bounds", "[runtime]") {
  const auto told = [](const std::string& priority) -> std::string {
    const auto flow = parse_flow(R"({"flow": "f", "priority": )" + priority +
                                 R"(, "steps": {"a": {"run": "x"}}})");
    if (!flow)
      return flow.error().problems.front().pointer + " " + flow.error().problems.front().code;
    return std::to_string(flow->plan()->priority.value());
  };
  CHECK(told("0") == "0");
  CHECK(told("-100") == "-100");
  CHECK(told("1e2") == "100");
  CHECK(told("101") == "/priority out_of_range");
  CHECK(told("-101") == "/priority out_of_range");
  CHECK(told("1.5") == "/priority wrong_kind");
  CHECK(told("true") == "/priority wrong_kind");
  CHECK_FALSE(parse_flow(R"({"flow": "f", "steps": {"a": {"run": "x"}}})")
                  .value()
                  .plan()
                  ->priority.has_value());
}

TEST_CASE("priority: a run's document shows it when it is not 0", "[runtime]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {"a": {"run": "x"}}})").value();
  Record started;
  CHECK_FALSE(
      view_run(flow, "r1", json::object(), {started}).value().document.contains("priority"));
  started.body = start_body({{}, {}, {}, 7});
  CHECK(view_run(flow, "r1", json::object(), {started}).value().document["priority"] == 7);
}

TEST_CASE("priority: another one of the flow, or another key, breaks no run", "[runtime]") {
  const auto flow = [](const std::string& more, const std::string& step) {
    return parse_flow(R"({"flow": "f")" + more + R"(, "steps": {"a": {"run": "x")" + step + "}}}")
        .value();
  };
  Story story(flow("", "").canonical());
  story.started();
  story.output("a", 1, 1);
  const RunFixture run{flow("", ""), "r1", json::object(), "", story.records};
  const auto told = [&](const Flow& other) {
    const RunDiff diff = diff_run(run, other).value();
    std::string text = diff.fits() ? "fits" : "differs";
    for (const DiffFinding& finding : diff.findings)
      text += "; " + std::string(to_string(finding.kind)) + " " + finding.message;
    return text;
  };
  CHECK(told(flow(R"(, "priority": 5)", "")) ==
        "fits; step_changed the flow's priority is another; the run keeps its own");
  CHECK(told(flow("", R"(, "one_at_a_time": "k")")) ==
        "fits; step_changed its flow says something else: one_at_a_time");
}
