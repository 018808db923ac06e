// Steps that are flows of their own, told record by record.
#include <pawl/limits.hpp>
#include <pawl/run_document.hpp>

#include "runtime/child_run.hpp"
#include "runtime/start_facts.hpp"
#include "support/catch.hpp"
#include "support/story.hpp"

#include <string>
#include <vector>

using namespace pawl;

namespace {

const std::string leaf = R"({"flow": "leaf", "input": {"n": 1}, "steps": {"x": {"run": "x"}}})";

/// A flow with one child.
std::string parent(const std::string& more = "", const std::string& other_steps = "") {
  return R"({"flow": "f", "steps": {"c": {"child": )" + leaf + more + "}" + other_steps + "}}";
}

Story begun_with(const std::string& flow) {
  Story story(flow);
  story.resumed();
  return story;
}

std::vector<std::string> problems_of(const std::string& flow) {
  const Result<Flow> parsed = parse_flow(flow);
  std::vector<std::string> found;
  if (!parsed)
    for (const Problem& problem : parsed.error().problems)
      found.push_back(problem.pointer + " " + problem.code);
  return found;
}

}  // namespace

TEST_CASE(
    "child: it starts with what the parent gives over its defaults, and its end is the step's",
    "[runtime]") {
  Story story = begun_with(parent(R"(, "with": {"m": [2]})"));
  CHECK(story.started() == R"(child r1.c {"m":[2],"n":1})");
  CHECK(story.state("c") == "waiting");
  CHECK(story.opened("c", 1) == "");
  CHECK(story.state("c") == "running");
  CHECK(story.machine.state() == RunState::waiting);
  CHECK(story.machine.child_run(story.at("c")) == "r1.c");
  CHECK(story.output("c", 1, 7) == R"(end succeeded {"c":7})");
  CHECK(story.state("c") == "succeeded");
  CHECK_FALSE(story.machine.child_run(story.at("c")));
}

TEST_CASE("child: what was opened is not started again after a restart, what was not is",
          "[runtime]") {
  Story opened(parent());
  opened.started();
  opened.opened("c", 1);
  CHECK(opened.machine.attempts_open_before(9).empty());  // no process performs it: it is not lost
  CHECK(opened.resumed() == "");
  Story unopened(parent());
  unopened.started();
  CHECK(unopened.resumed() == R"(child r1.c {"n":1})");
}

TEST_CASE("child: its failure is the step's, unless that has a default", "[runtime]") {
  Story story = begun_with(parent());
  story.started();
  story.opened("c", 1);
  CHECK(story.receipt("c", 1, AttemptEnd::fatal) == "end failed step_failed c");
  Story lenient = begun_with(parent(R"(, "default": 0)"));
  lenient.started();
  lenient.opened("c", 1);
  CHECK(lenient.receipt("c", 1, AttemptEnd::fatal) == "write output c 0");
  CHECK(lenient.wrote("c", 0) == R"(end succeeded {"c":0})");
}

TEST_CASE("child: one that somebody cancelled has failed its step", "[runtime]") {
  Story story = begun_with(parent());
  story.started();
  story.opened("c", 1);
  CHECK(story.receipt("c", 1, AttemptEnd::cancelled) == "end failed step_failed c");
}

TEST_CASE("child: a cancel goes down, and the parent ends after its child", "[runtime]") {
  Story story = begun_with(parent());
  story.started();
  story.opened("c", 1);
  CHECK(story.cancelled() == "cancel child r1.c");
  CHECK(story.machine.state() == RunState::cancelling);
  CHECK(story.receipt("c", 1, AttemptEnd::cancelled) == "end cancelled");
  CHECK(story.state("c") == "cancelled");

  Story restarted(parent());
  restarted.started();
  restarted.opened("c", 1);
  restarted.cancelled();
  CHECK(restarted.resumed() == "cancel child r1.c");  // nobody knows whether it was asked
}

TEST_CASE("child: a cancel that overtakes the start cancels what has started all the same",
          "[runtime]") {
  Story story = begun_with(parent());
  story.started();
  CHECK(story.cancelled() == "end cancelled");
  story.postponed();  // the start is being written
  CHECK(story.opened("c", 1) == "cancel child r1.c");
  CHECK(story.receipt("c", 1, AttemptEnd::cancelled) == "end cancelled");
}

TEST_CASE("child: a failure beside it cancels it too, and what it has done by then counts",
          "[runtime]") {
  Story story = begun_with(
      parent(R"(, "undo": {"run": "u", "with": {"was": "{{output}}"}})", R"(, "a": {"run": "x"})"));
  story.started();
  story.opened("c", 1);
  CHECK(story.receipt("a", 1, AttemptEnd::fatal) == "cancel child r1.c");
  // It was too late for the cancel.
  CHECK(story.output("c", 1, 5).find("write undoing") == 0);
  CHECK(story.undoing({RunState::failed, nullptr, RunError{Errc::step_failed, "a", "x"}}) ==
        R"(start c:undo#1 {"was":5})");
}

TEST_CASE("child: a map has one for each element", "[runtime]") {
  Story story =
      begun_with(R"({"flow": "f", "steps": {"each": {"map": [10, 20, 30], "max_parallel": 2,
    "on_error": "collect", "child": )" +
                 leaf + R"(, "with": {"n": "{{item}}"}}}})");
  CHECK(story.started() == R"(child r1.each.0 {"n":10}; child r1.each.1 {"n":20})");
  story.opened("each[0]", 1);
  story.opened("each[1]", 1);
  CHECK(story.output("each[1]", 1, "b") == R"(child r1.each.2 {"n":30})");
  story.opened("each[2]", 1);
  story.receipt("each[0]", 1, AttemptEnd::fatal);
  CHECK(story.output("each[2]", 1, "c").find(R"("output":"b")") != std::string::npos);
}

TEST_CASE("child: an input that lacks something fails the step, by name", "[runtime]") {
  const std::string needy = R"({"flow": "f", "input": {"given": {}}, "steps": {"c": {"child":
    {"flow": "leaf", "steps": {"x": {"run": "x", "with": {"v": "{{input.of.v}}"}}}},
    "with": {"of": "{{input.given}}"}}}})";
  Story story(needy, json{{"given", json::object()}});
  story.resumed();
  const std::string told = story.started();
  CHECK(told.find("write receipt c") == 0);
  CHECK(told.find("/steps/x/with/v") != std::string::npos);
}

TEST_CASE("child: records that cannot be are refused", "[runtime]") {
  Story story = begun_with(parent());
  story.started();
  CHECK(story.output("c", 1) == "unlawful");  // it was not opened
  CHECK(story.opened("c", 2) == "unlawful");
  story.opened("c", 1);
  CHECK(story.opened("c", 1) == "unlawful");
  CHECK(story.output("c", 2) == "unlawful");
  CHECK(story.receipt("c", 1, AttemptEnd::lost) == "unlawful");
  CHECK(story.receipt("c", 1, AttemptEnd::timed_out) == "unlawful");
  CHECK(story.output("c", 1) == R"(end succeeded {"c":null})");
}

TEST_CASE("child: problems of the inner flow stand at their place", "[runtime]") {
  CHECK(problems_of(parent()).empty());
  CHECK(problems_of(R"({"flow": "f", "steps": {"c": {"child": {"flow": "g", "steps": {
    "x": {"run": "x", "wiht": {}, "after": ["y"]}}}}}})") ==
        std::vector<std::string>{"/steps/c/child/steps/x/after/0 unknown_step",
                                 "/steps/c/child/steps/x/wiht unknown_member"});
  CHECK(problems_of(R"({"flow": "f", "steps": {"c": {"child": {"flow": "g", "steps": {
    "x": {"run": "x", "with": {"a": "{{input.a}}", "b": "{{input.b.c}}", "d": "{{input.d?}}"}}}},
    "with": {"a": 1}}}})") == std::vector<std::string>{"/steps/c/with missing_parameter"});
  CHECK(problems_of(R"({"flow": "f", "steps": {"c": {"child": 5}, "d": {"child": {}, "run": "x"},
    "e": {"child": {"flow": "g", "steps": {"x": {"run": "x"}}}, "retry": {}}}})") ==
        std::vector<std::string>{"/steps/c/child wrong_kind", "/steps/d/child two_kinds",
                                 "/steps/e/retry unknown_member"});
  // The inner flow knows nothing of the outer one's steps.
  CHECK(problems_of(R"({"flow": "f", "steps": {"a": {"run": "x"}, "c": {"child": {"flow": "g",
    "steps": {"x": {"run": "x", "with": {"v": "{{steps.a.output}}"}}}}}}})") ==
        std::vector<std::string>{"/steps/c/child/steps/x/with/v unknown_step"});
}

TEST_CASE("child: flows stand within flows only so deep", "[runtime]") {
  const auto nested = [](int depth) {
    std::string flow = leaf;
    for (int i = 0; i < depth; ++i)
      flow = R"({"flow": "f", "steps": {"c": {"child": )" + flow + "}}}";
    return flow;
  };
  CHECK(parse_flow(nested(8)).has_value());
  const Result<Flow> deep = parse_flow(nested(9));
  REQUIRE_FALSE(deep.has_value());
  CHECK(deep.error().problems.at(0).code == "too_deep");
}

TEST_CASE("child: its id is its parent's with the step's name, and tells the runs above",
          "[runtime]") {
  CHECK(child_run_id("order.1", "pay") == "order.1.pay");
  CHECK(child_run_id("order", "each[2]") == "order.each.2");
  CHECK(runs_above({"order.1", "pay", 1}) == std::vector<std::string>{"order.1"});
  CHECK(runs_above({"order.1.each.2.pay", "x", 3}) ==
        std::vector<std::string>{"order.1.each.2.pay", "order.1.each.2", "order.1"});
}

TEST_CASE("child: a run whose id is too long for its children's is refused", "[runtime]") {
  const Flow flow = parse_flow(parent()).value();
  CHECK(check_child_ids(*flow.plan(), std::string(126, 'a')).has_value());
  const Result<void> longer = check_child_ids(*flow.plan(), std::string(127, 'a'));
  REQUIRE_FALSE(longer.has_value());
  CHECK(longer.error().code == Errc::invalid_argument);
}

TEST_CASE("child: what a start says of its parent comes back", "[runtime]") {
  const StartFacts facts{{}, ParentStep{"r1", "each[2]", 3}};
  const Result<StartFacts> read = start_facts_from(start_body(facts));
  REQUIRE(read.has_value());
  CHECK(read->parent == facts.parent);
  CHECK(start_body({}).empty());
  CHECK_FALSE(start_facts_from("")->parent);
  CHECK_FALSE(start_facts_from("[]").has_value());
  CHECK_FALSE(start_facts_from(R"({"parent": {"run": "r1"}})").has_value());
  CHECK(explain_origins(start_body(facts), "") ==
        "it was step each[2] of run r1, is now neither a child nor a fork");
}

TEST_CASE("child: the document names the child's run, and why names it too", "[runtime]") {
  Story story = begun_with(parent());
  story.started();
  story.opened("c", 1);
  const Flow flow = parse_flow(parent()).value();
  const RunView view = view_run(flow, "r1", json::object(), story.records).value();
  CHECK(view.document["steps"]["c"]["child"] == "r1.c");
  CHECK(view.document["steps"]["c"]["state"] == "running");
  const auto lines = explain_run(flow, "r1", json::object(), story.records, "c", 0).value();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "step c (child leaf): running, attempt 1 is open");
  CHECK(lines[1].find("r1.c") != std::string::npos);
}

TEST_CASE("child: an input that is larger than a run may have fails the step, and starts nothing",
          "[runtime]") {
  const std::string half(Limits::input_bytes_max / 2, 'x');
  Story story(R"({"flow": "f", "input": {"text": ""}, "steps": {"c": {"child": )" + leaf +
                  R"(, "with": {"a": "{{input.text}}", "b": "{{input.text}}"}}}})",
              {{"text", half}});
  story.resumed();
  const std::string told = story.started();
  CHECK(told.find("child r1") == std::string::npos);
  CHECK(told.find("the child's input: ") != std::string::npos);
}
