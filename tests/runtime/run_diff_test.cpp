#include <pawl/run_diff.hpp>

#include "support/catch.hpp"
#include "support/story.hpp"

using namespace pawl;

namespace {

std::string flow_of(const std::string& steps, const std::string& rest = "") {
  return R"({"flow": "f", "steps": {)" + steps + "}" + rest + "}";
}

RunFixture fixture_of(const Story& story, const std::string& flow, json input = json::object()) {
  return {parse_flow(flow).value(), "r1", std::move(input), "", story.records};
}

/// The findings, those that break with a `!`.
std::string told(const RunFixture& run, const std::string& flow) {
  const RunDiff diff = diff_run(run, parse_flow(flow).value()).value();
  std::string text = diff.fits() ? "fits" : "differs";
  for (const DiffFinding& finding : diff.findings)
    text += "; " + std::string(to_string(finding.kind)) + (finding.breaks ? "!" : "") +
            (finding.step.empty() ? "" : " " + finding.step);
  return text;
}

const std::string a = R"("a": {"run": "x", "with": {"n": "{{input.n}}"}})";
const std::string b = R"("b": {"run": "x", "with": {"of": "{{steps.a.output}}"}})";
const std::string c = R"("c": {"run": "x", "after": ["b"]})";

/// a and b are done; c is open.
RunFixture under_way() {
  const std::string flow = flow_of(a + "," + b + "," + c);
  Story story(flow, {{"n", 1}});
  story.started();
  story.output("a", 1, 10);
  story.receipt("b", 1, AttemptEnd::failed);
  story.opened("b", 2);
  story.output("b", 2, 20);
  return fixture_of(story, flow, {{"n", 1}});
}

}  // namespace

TEST_CASE("diff: a run fits its own flow", "[runtime]") {
  const RunFixture run = under_way();
  CHECK(told(run, run.flow.canonical()) == "fits");
}

TEST_CASE("diff: what comes after all that is recorded may change", "[runtime]") {
  const RunFixture run = under_way();
  const std::string d = R"("d": {"run": "y", "after": ["c"]})";
  CHECK(told(run, flow_of(a + "," + b + "," + c + "," + d)) == "fits; step_new d");
  CHECK(told(run, flow_of(a + "," + b + "," +
                          R"("c": {"run": "x", "after": ["b"], "timeout_ms": 5})")) ==
        "fits; step_changed c");
}

TEST_CASE("diff: another step type or other parameters of an attempt do not fit", "[runtime]") {
  const RunFixture run = under_way();
  CHECK(told(run, flow_of(a + "," + R"("b": {"run": "y", "with": {"of": "{{steps.a.output}}"}})" +
                          "," + c)) == "differs; type_differs! b");
  CHECK(told(run, flow_of(a + "," + R"("b": {"run": "x", "with": {"of": 5}, "after": ["a"]})" +
                          "," + c)) == "differs; parameters_differ! b");
  CHECK(told(run, flow_of(a + "," + b + "," +
                          R"("c": {"run": "x", "with": {"new": 1}, "after": ["b"]})")) ==
        "differs; parameters_differ! c");
  const RunDiff diff =
      diff_run(run, parse_flow(flow_of(a + "," +
                                       R"("b": {"run": "x", "with": {"of": 5}, "after": ["a"]})" +
                                       "," + c))
                        .value())
          .value();
  CHECK(diff.findings.front().message == "its attempts had other parameters at /of");
}

TEST_CASE("diff: the same parameters written otherwise fit", "[runtime]") {
  const RunFixture run = under_way();
  CHECK(told(run, flow_of(R"("a": {"run": "x", "with": {"n": 1}})"
                          "," +
                          b + "," + c)) == "fits; step_changed a");
}

TEST_CASE("diff: a recorded digest decides what the parameters were", "[runtime]") {
  RunFixture run = under_way();
  run.records[1].input_digest = digest_of(R"({"n":7})");
  CHECK(told(run, flow_of(R"("a": {"run": "x", "with": {"n": 7}})"
                          "," +
                          b + "," + c)) == "fits; step_changed a");
  CHECK(told(run, run.flow.canonical()) == "differs; parameters_differ! a");
}

TEST_CASE("diff: a step that is gone fits only if it had not begun", "[runtime]") {
  const std::string flow = flow_of(a + "," + b + "," + c);
  Story story(flow, {{"n", 1}});
  story.started();
  story.output("a", 1, 10);
  const RunFixture run = fixture_of(story, flow, {{"n", 1}});
  CHECK(told(run, flow_of(a + "," + b)) == "fits; step_gone c");
  CHECK(told(under_way(), flow_of(a)) == "differs; record_refused! b; step_gone! b; step_gone! c");
}

TEST_CASE("diff: an output that came before what the step waits for now does not fit",
          "[runtime]") {
  const RunFixture run = under_way();
  const std::string late =
      R"("b": {"run": "x", "with": {"of": "{{steps.a.output}}"}, "after": ["n"]}, "n": {"run": "x"})";
  const RunDiff diff = diff_run(run, parse_flow(flow_of(a + "," + late + "," + c)).value()).value();
  CHECK(told(run, flow_of(a + "," + late + "," + c)) ==
        "differs; record_refused! b; dependencies_differ! b; step_new n");
  CHECK(diff.findings[0].message.find("the record 3, receipt (failed) of step b, attempt 1") == 0);
  CHECK(diff.findings[1].message == "it waits for n too");
}

TEST_CASE("diff: a dependency that had its output in time, or is gone, fits", "[runtime]") {
  const RunFixture run = under_way();
  CHECK(told(run, flow_of(a + "," + b + "," + R"("c": {"run": "x", "after": ["a", "b"]})")) ==
        "fits; dependencies_differ c");
  CHECK(told(run, flow_of(a + "," + b + "," + R"("c": {"run": "x", "after": ["a"]})")) ==
        "fits; dependencies_differ c");
}

TEST_CASE("diff: fewer attempts than the run made do not fit", "[runtime]") {
  const RunFixture run = under_way();
  CHECK(
      told(
          run,
          flow_of(
              a + "," +
              R"("b": {"run": "x", "with": {"of": "{{steps.a.output}}"}, "retry": {"max_attempts": 1}})" +
              "," + c)) == "differs; record_refused! b");
}

TEST_CASE("diff: another decision, value or array does not fit", "[runtime]") {
  const std::string steps =
      R"("big": {"if": {"less": [10, "{{input.n}}"]}}, "sum": {"value": {"$add": ["{{input.n}}", 1]}},
         "each": {"map": ["{{steps.sum.output}}"], "run": "x", "with": {"n": "{{item}}"}})";
  Story story(flow_of(steps), {{"n", 20}});
  story.started();
  story.wrote("big", true);
  story.wrote("sum", 21);
  story.output("each[0]", 1, "done");
  story.wrote("each", {"done"});
  const RunFixture run = fixture_of(story, flow_of(steps), {{"n", 20}});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = steps;
    changed.replace(changed.find(from), from.size(), to);
    return told(run, flow_of(changed));
  };
  CHECK(with("[10,", "[10,") == "fits");
  CHECK(with("[10,", "[15,") == "fits; step_changed big");
  CHECK(with("[10,", "[30,") == "differs; value_differs! big");
  CHECK(with(", 1]}}", ", 2]}}") == "differs; value_differs! sum");
  CHECK(with(R"(["{{steps.sum.output}}"])", R"(["{{steps.sum.output}}", 5])") ==
        "differs; value_differs! each");
  CHECK(with(R"("{{item}}")", R"("{{index}}")") == "differs; parameters_differ! each");
  CHECK(with(R"("run": "x", "with")", R"("run": "x", "on_error": "collect", "with")") ==
        "differs; value_differs! each");
}

TEST_CASE("diff: another flow of a child, or another input of its run, does not fit", "[runtime]") {
  const auto flow = [](const std::string& n, const std::string& type, const std::string& kind) {
    return flow_of(R"("c": {"child": {"flow": "g", "description": ")" + n +
                   R"(", "input": {"n": 0}, "steps": {"x": {"run": ")" + type +
                   R"("}}}, "with": {"n": )" + n + "}" + kind + "}");
  };
  const std::string own = flow("1", "x", "");
  Story story(own);
  story.started();
  story.opened("c", 1);
  story.output("c", 1, 10);
  const RunFixture run = fixture_of(story, own);
  CHECK(told(run, own) == "fits");
  CHECK(told(run, flow("1", "y", "")) == "differs; type_differs! c");
  CHECK(told(run, flow_of(R"("c": {"run": "x"})")) ==
        "differs; record_refused! c; type_differs! c");
  const RunDiff diff = diff_run(run, parse_flow(flow_of(R"("c": {"child": {"flow": "g",
    "description": "1", "input": {"n": 0}, "steps": {"x": {"run": "x"}}}, "with": {"n": 2}})"))
                                         .value())
                           .value();
  REQUIRE(diff.findings.size() == 1);
  CHECK(diff.findings[0].kind == DiffFinding::Kind::parameters_differ);
  CHECK(diff.findings[0].message == "its attempts had other parameters at /n");
}

TEST_CASE("diff: an input that the new flow needs and the run has not does not fit", "[runtime]") {
  const RunFixture run = under_way();
  const std::string d = R"("d": {"run": "x", "with": {"m": "{{input.m}}"}, "after": ["c"]})";
  const std::string steps = a + "," + b + "," + c + "," + d;
  CHECK(told(run, flow_of(steps)) == "differs; input_missing!; step_new d");
  CHECK(told(run, flow_of(steps, R"(, "input": {"m": 1})")) == "fits; step_new d");
}

TEST_CASE("diff: a signal that nobody awaits any more is told", "[runtime]") {
  const std::string flow = flow_of(R"("w": {"await": "go"})");
  Story story(flow);
  story.started();
  story.signalled("go", 1, "s-1");
  RunFixture run = fixture_of(story, flow);
  CHECK(told(run, flow_of(R"("w": {"await": "went"})")) ==
        "fits; step_changed w; signal_unawaited");
  story.wrote("w", 1, "s-1");
  run = fixture_of(story, flow);
  CHECK(told(run, flow_of(R"("w": {"await": "went"})")) ==
        "differs; record_refused! w; signal_unawaited");
}

TEST_CASE("diff: what the run's end would have been is told of an ended run", "[runtime]") {
  const std::string flow = flow_of(R"("a": {"run": "x"})");
  Story story(flow);
  story.started();
  story.output("a", 1, 1);
  story.ended({RunState::succeeded, {{"a", 1}}, std::nullopt});
  const RunFixture run = fixture_of(story, flow);
  CHECK(told(run, flow) == "fits");
  CHECK(told(run, flow_of(R"("a": {"run": "x"}, "n": {"run": "x", "after": ["a"]})")) ==
        "fits; end_differs; step_new n");
  CHECK(told(run, flow_of(R"("a": {"run": "x"})", R"(, "output": 5)")) ==
        "fits; end_differs; step_changed");
}

TEST_CASE("diff: a failed run is compared up to its end, its undos too", "[runtime]") {
  const std::string undo =
      R"("a": {"run": "x", "undo": {"run": "y", "with": {"o": "{{output}}"}}})";
  const std::string fails = R"("b": {"run": "x", "after": ["a"]})";
  Story story(flow_of(undo + "," + fails));
  story.started();
  story.output("a", 1, 1);
  story.receipt("b", 1, AttemptEnd::fatal);
  const Outcome end{RunState::failed, nullptr, RunError{Errc::step_failed, "b", "fatal 1"}};
  story.undoing(end);
  story.output("a:undo", 1, 1);
  story.ended(end);
  const RunFixture run = fixture_of(story, flow_of(undo + "," + fails));
  CHECK(told(run, run.flow.canonical()) == "fits");
  CHECK(
      told(run, flow_of(R"("a": {"run": "x", "undo": {"run": "z", "with": {"o": "{{output}}"}}},)" +
                        fails)) == "differs; type_differs! a");
  CHECK(told(run, flow_of(R"("a": {"run": "x", "undo": {"run": "y"}},)" + fails)) ==
        "differs; parameters_differ! a");
}

TEST_CASE("diff: records that do not follow with their own flow are corrupt", "[runtime]") {
  RunFixture run = under_way();
  run.records.erase(run.records.begin() + 1);
  CHECK(diff_run(run, run.flow).error().code == Errc::corrupt);
}

TEST_CASE("diff: no message has a value", "[runtime]") {
  const RunFixture run = under_way();
  const json document = to_json_value(
      diff_run(run,
               parse_flow(flow_of(a + "," +
                                  R"("b": {"run": "x", "with": {"of": "4711"}, "after": ["a"]})"))
                   .value())
          .value());
  CHECK(document["fits"] == false);
  CHECK(document["findings"][0]["kind"] == "parameters_differ");
  CHECK(document.dump().find("4711") == std::string::npos);
}
