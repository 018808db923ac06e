#include <pawl/flow.hpp>
#include <pawl/limits.hpp>

#include "runtime/plan.hpp"
#include "runtime/validate.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

#include <fstream>

namespace flow_test {

using namespace pawl;

namespace {

const StepTypes types{
    {"echo", {}},
    {"pay",
     {"Pays.",
      {{"cents", ParamInfo::Kind::integer, true, "how much"},
       {"to", ParamInfo::Kind::string, false, ""}},
      true,
      ""}},
    {"run.argv",
     {"Runs.", {{"argv", ParamInfo::Kind::string_array, true, "the command"}}, true, ""}},
};

std::vector<Problem> problems_of(const std::string& text) {
  Result<Flow> flow = parse_flow(text, &types);
  return flow ? std::vector<Problem>{} : flow.error().problems;
}

/// A flow around one step's text.
std::string with_step(const std::string& step) {
  return R"({"flow": "f", "steps": {"a": )" + step + "}}";
}

std::string names_in_order(const std::string& text) {
  std::string names;
  const Flow flow = parse_flow(text).value();
  for (const PlannedStep& step : flow.plan()->steps) names += step.name.str() + " ";
  return names;
}

}  // namespace

TEST_CASE("flow: the smallest one is valid and has every default", "[runtime]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {"a": {"run": "echo"}}})", &types).value();
  CHECK(flow.name() == "f");
  const PlannedStep& step = flow.plan()->steps.at(0);
  CHECK(step.retry == RetryPolicy{});
  CHECK(step.timeout_ms == 300'000);
  CHECK(flow.plan()->input_defaults == json::object());
}

TEST_CASE("flow: every member of a step reaches the plan", "[runtime]") {
  const Flow flow = parse_flow(R"({"flow": "f", "version": 1, "description": "d", "input": {"n": 1},
    "steps": {
      "a": {"run": "echo", "description": "first", "with": {"x": "{{input.n}}"}, "timeout_ms": 0},
      "b": {"run": "echo", "after": ["a"], "timeout_ms": 5, "secret": ["with.x", "output.y[0]"],
            "retry": {"max_attempts": 7, "initial_ms": 10, "factor": 1.5, "max_ms": 1e3, "jitter": 0.25}}},
    "output": "{{steps.b.output}}", "secret": ["input.n"]})",
                               &types)
                        .value();
  const PlannedStep& b = flow.plan()->steps.at(1);
  CHECK(b.retry == RetryPolicy{7, 10, 1500, 1000, 250});
  CHECK(b.timeout_ms == 5);
  CHECK(b.needs == std::vector<std::size_t>{0});
  CHECK(b.secrets.size() == 2);
  CHECK(flow.plan()->secrets.size() == 1);
  CHECK(flow.plan()->steps.at(0).timeout_ms == 0);
  CHECK(flow.plan()->input_defaults == json{{"n", 1}});
}

TEST_CASE("flow: spelling does not matter, meaning does", "[runtime]") {
  const Flow one =
      parse_flow(R"({"flow": "f", "steps": {"a": {"run": "echo", "with": {"x": 1, "y": 2}}}})")
          .value();
  const Flow same =
      parse_flow(R"({"steps":{"a":{"with":{"y":2,"x":1},"run":"echo"}},"flow":"f"})").value();
  const Flow other =
      parse_flow(R"({"flow": "f", "steps": {"a": {"run": "echo", "with": {"x": 1, "y": 3}}}})")
          .value();
  CHECK(one.digest() == same.digest());
  CHECK(one.canonical() == same.canonical());
  CHECK(one.digest() != other.digest());
}

TEST_CASE("flow: a reference is a dependency, like after", "[runtime]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {
    "c": {"run": "echo", "with": {"deep": [{"x": "{{steps.b.output}} {{steps.a.output?}}"}]}, "after": ["b"]},
    "b": {"run": "echo"}, "a": {"run": "echo"}}})")
                        .value();
  const Plan& plan = *flow.plan();
  CHECK(plan.steps.at(2).name.str() == "c");
  CHECK(plan.steps.at(2).needs == std::vector<std::size_t>{0, 1});
  CHECK(plan.steps.at(0).dependents == std::vector<std::size_t>{2});
  CHECK(plan.terminal == std::vector<std::size_t>{2});
}

TEST_CASE("flow: the order is topological, and ties go by name", "[runtime]") {
  CHECK(names_in_order(R"({"flow": "f", "steps": {
    "z": {"run": "x"}, "m": {"run": "x", "after": ["z"]}, "a": {"run": "x", "after": ["m"]}, "b": {"run": "x"}}})") ==
        "b z m a ");
  CHECK(names_in_order(R"({"flow": "f", "steps": {
    "d": {"run": "x", "after": ["b", "c"]}, "c": {"run": "x", "after": ["a"]}, "b": {"run": "x", "after": ["a"]},
    "a": {"run": "x"}}})") == "a b c d ");
}

TEST_CASE("flow: each kind of mistake is found, at its place, under its name", "[runtime]") {
  const auto [text, pointer, code] = GENERATE(table<std::string, std::string, std::string>({
      {"[]", "", "wrong_kind"},
      {"{", "", "syntax"},
      {R"({"steps": {"a": {"run": "echo"}}})", "", "missing_member"},
      {R"({"flow": "f"})", "", "missing_member"},
      {R"({"flow": "f", "steps": {}})", "/steps", "no_steps"},
      {R"({"flow": "f", "steps": []})", "/steps", "wrong_kind"},
      {R"({"flow": "", "steps": {"a": {"run": "echo"}}})", "/flow", "bad_name"},
      {R"({"flow": "a b", "steps": {"a": {"run": "echo"}}})", "/flow", "bad_name"},
      {R"({"flow": 1, "steps": {"a": {"run": "echo"}}})", "/flow", "wrong_kind"},
      {R"({"flow": "f", "version": 2, "steps": {"a": {"run": "echo"}}})", "/version",
       "newer_version"},
      {R"({"flow": "f", "inputs": {}, "steps": {"a": {"run": "echo"}}})", "/inputs",
       "unknown_member"},
      {R"({"flow": "f", "input": 1, "steps": {"a": {"run": "echo"}}})", "/input", "wrong_kind"},
      {R"({"flow": "f", "secret": ["with.x"], "steps": {"a": {"run": "echo"}}})", "/secret/0",
       "bad_secret"},
      {R"({"flow": "f", "steps": {"a": {"run": "echo"}}, "output": "{{steps.b.output}}"})",
       "/output", "unknown_step"},
      {R"({"flow": "f", "steps": {"a": {"run": "echo"}, "a": {"run": "echo"}}})", "/steps/a",
       "duplicate_key"},
      {R"({"flow": "f", "steps": {"2a": {"run": "echo"}}})", "/steps/2a", "bad_name"},
      {R"({"flow": "f", "steps": {"a/b": {"run": "echo"}}})", "/steps/a~1b", "bad_name"},
      {with_step("1"), "/steps/a", "wrong_kind"},
      {with_step("{}"), "/steps/a", "missing_member"},
      {with_step(R"({"run": 1})"), "/steps/a/run", "wrong_kind"},
      {with_step(R"({"run": "ecko"})"), "/steps/a/run", "unknown_step_type"},
      {with_step(R"({"run": "a b"})"), "/steps/a/run", "bad_name"},
      {with_step(R"({"run": "echo", "with": []})"), "/steps/a/with", "wrong_kind"},
      {with_step(R"({"run": "echo", "after": "b"})"), "/steps/a/after", "wrong_kind"},
      {with_step(R"({"run": "echo", "after": [1]})"), "/steps/a/after/0", "wrong_kind"},
      {with_step(R"({"run": "echo", "after": ["b"]})"), "/steps/a/after/0", "unknown_step"},
      {with_step(R"({"run": "echo", "after": ["a"]})"), "/steps/a/after/0", "self_dependency"},
      {with_step(R"({"run": "echo", "afer": []})"), "/steps/a/afer", "unknown_member"},
      {with_step(R"({"run": "echo", "timeout_ms": -1})"), "/steps/a/timeout_ms", "out_of_range"},
      {with_step(R"({"run": "echo", "timeout_ms": 1.5})"), "/steps/a/timeout_ms", "wrong_kind"},
      {with_step(R"({"run": "echo", "timeout_ms": 18446744073709551615})"), "/steps/a/timeout_ms",
       "out_of_range"},
      {with_step(R"({"run": "echo", "timeout_ms": "1s"})"), "/steps/a/timeout_ms", "wrong_kind"},
      {with_step(R"({"run": "echo", "retry": {"max_attempts": 0}})"), "/steps/a/retry/max_attempts",
       "out_of_range"},
      {with_step(R"({"run": "echo", "retry": {"tries": 1}})"), "/steps/a/retry/tries",
       "unknown_member"},
      {with_step(R"({"run": "echo", "retry": {"factor": 0.5}})"), "/steps/a/retry/factor",
       "out_of_range"},
      {with_step(R"({"run": "echo", "retry": {"factor": 1.23456}})"), "/steps/a/retry/factor",
       "too_precise"},
      {with_step(R"({"run": "echo", "retry": {"jitter": 1.1}})"), "/steps/a/retry/jitter",
       "out_of_range"},
      {with_step(R"({"run": "echo", "retry": {"initial_ms": 60000}})"), "/steps/a/retry",
       "out_of_range"},
      {with_step(R"({"run": "echo", "retry": 3})"), "/steps/a/retry", "wrong_kind"},
      {with_step(R"({"run": "echo", "secret": ["token"]})"), "/steps/a/secret/0", "bad_secret"},
      {with_step(R"({"run": "echo", "secret": ["with.x?"]})"), "/steps/a/secret/0", "bad_secret"},
      {with_step(R"({"run": "echo", "with": {"x": "{{steps.a.output}}"}})"), "/steps/a/with/x",
       "self_dependency"},
      {with_step(R"({"run": "echo", "with": {"x": "{{steps.zz.output}}"}})"), "/steps/a/with/x",
       "unknown_step"},
      {with_step(R"({"run": "echo", "with": {"x": "{{oops"}})"), "/steps/a/with/x",
       "unclosed_template"},
      {with_step(R"({"run": "pay"})"), "/steps/a/with", "missing_parameter"},
      {with_step(R"({"run": "pay", "with": {"cents": "1"}})"), "/steps/a/with/cents", "wrong_kind"},
      {with_step(R"({"run": "pay", "with": {"cents": 1, "too": "x"}})"), "/steps/a/with/too",
       "unknown_parameter"},
      {with_step(R"({"run": "run.argv", "with": {"argv": "ls -l"}})"), "/steps/a/with/argv",
       "wrong_kind"},
      {with_step(R"({"run": "run.argv", "with": {"argv": ["ls", 1]}})"), "/steps/a/with/argv",
       "wrong_kind"},
      {with_step(R"({"run": "echo", "value": 1})"), "/steps/a/value", "two_kinds"},
      {with_step(R"({"value": 1, "retry": {}})"), "/steps/a/retry", "unknown_member"},
      {with_step(R"({"run": "echo", "when": "b"})"), "/steps/a/when", "unknown_step"},
      {with_step(R"({"run": "echo", "unless": ["a"]})"), "/steps/a/unless", "self_dependency"},
      {R"({"flow": "f", "steps": {"a": {"run": "echo"}, "b": {"run": "echo", "when": "a"}}})",
       "/steps/b/when", "no_branch"},
      {R"({"flow": "f", "steps": {"c": {"if": {"exists": 1}},
          "b": {"run": "echo", "when": "c", "unless": "c"}}})",
       "/steps/b/unless", "duplicate_dependency"},
      {R"({"flow": "f", "steps": {"c": {"if": {"exists": 1}}, "b": {"run": "echo", "when": "c"}},
          "output": "{{steps.b.output}}"})",
       "/output", "may_be_excluded"},
      {with_step(R"({"if": {"exists": 1, "not": {}}})"), "/steps/a/if", "bad_condition"},
      {with_step(R"({"if": {"equals": ["{{steps.zz.output}}", 1]}})"), "/steps/a/if/equals/0",
       "unknown_step"},
      {with_step(R"({"value": {"$map": {"over": "{{steps.a.output}}", "to": 1}}})"),
       "/steps/a/value/$map/over", "self_dependency"},
      {with_step(R"({"run": "echo", "with": {"x": "{{item}}"}})"), "/steps/a/with/x",
       "bad_reference"},
      {with_step(R"({"sleep_ms": -1})"), "/steps/a/sleep_ms", "out_of_range"},
      {with_step(R"({"sleep_ms": true})"), "/steps/a/sleep_ms", "wrong_kind"},
      {with_step(R"({"sleep_ms": 1, "until_ms": 1})"), "/steps/a/until_ms", "two_kinds"},
      {with_step(R"({"await": "a b"})"), "/steps/a/await", "bad_name"},
      {with_step(R"({"await": 1})"), "/steps/a/await", "wrong_kind"},
      {with_step(R"({"await": "go", "default": 1})"), "/steps/a/default", "never_used"},
      {with_step(R"({"await": "go", "heartbeat_ms": 1})"), "/steps/a/heartbeat_ms",
       "unknown_member"},
      {with_step(R"({"run": "echo", "heartbeat_ms": -1})"), "/steps/a/heartbeat_ms",
       "out_of_range"},
      {with_step(R"({"run": "echo", "heartbeat_ms": 300000})"), "/steps/a/heartbeat_ms",
       "never_used"},
      {with_step(
           R"({"run": "echo", "undo": {"run": "echo", "retry": {"initial_ms": 9, "max_ms": 8}}})"),
       "/steps/a/undo/retry", "out_of_range"},
      {with_step(R"({"run": "echo", "undo": {"run": "echo", "timeout_ms": 5, "heartbeat_ms": 5}})"),
       "/steps/a/undo/heartbeat_ms", "never_used"},
  }));
  CAPTURE(text);
  const std::vector<Problem> problems = problems_of(text);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].pointer == pointer);
  CHECK(problems[0].code == code);
}

TEST_CASE("flow: a template satisfies any kind of parameter", "[runtime]") {
  CHECK(problems_of(with_step(R"({"run": "pay", "with": {"cents": "{{input.cents}}"}})")).empty());
  CHECK(problems_of(with_step(R"({"run": "run.argv", "with": {"argv": ["ls", "{{input.dir}}"]}})"))
            .empty());
}

TEST_CASE("flow: all problems are reported at once, by place", "[runtime]") {
  const std::vector<Problem> problems = problems_of(R"({"flow": "f", "stepz": 1, "steps": {
    "a": {"run": "ecko", "after": ["b", "b", "q"]},
    "b": {"run": "echo", "with": {"x": "{{steps.a.output}}", "y": "{{input"}, "retry": {"factor": 0}},
    "c": {"run": "pay"}}})");
  std::string places;
  for (const Problem& problem : problems) places += problem.pointer + " " + problem.code + "\n";
  CHECK(places ==
        "/steps/a cycle\n"
        "/steps/a/after/1 duplicate_dependency\n"
        "/steps/a/after/2 unknown_step\n"
        "/steps/a/run unknown_step_type\n"
        "/steps/b/retry/factor out_of_range\n"
        "/steps/b/with/y unclosed_template\n"
        "/steps/c/with missing_parameter\n"
        "/stepz unknown_member\n");
}

TEST_CASE("flow: a misspelt name comes with the nearest known one", "[runtime]") {
  const auto [text, suggestion] = GENERATE(table<std::string, std::string>({
      {with_step(R"({"run": "echo", "timout_ms": 1})"), "\"timeout_ms\""},
      {with_step(R"({"run": "ehco"})"), "\"echo\""},
      {with_step(R"({"run": "pay", "with": {"cents": 1, "t0": "x"}})"), "\"to\""},
      {R"({"flow": "f", "steps": {"prepare": {"run": "echo"}, "b": {"run": "echo", "after": ["prepaer"]}}})",
       "\"prepare\""},
      {R"({"flow": "f", "steps": {"prepare": {"run": "echo"}}, "output": "{{steps.Prepare.output}}"})",
       "\"prepare\""},
  }));
  CAPTURE(text);
  const std::vector<Problem> problems = problems_of(text);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].message.find("did you mean " + suggestion) != std::string::npos);
}

TEST_CASE("flow: every cycle is reported once, with its way round", "[runtime]") {
  const std::vector<Problem> problems = problems_of(R"({"flow": "f", "steps": {
    "a": {"run": "echo", "after": ["b"]}, "b": {"run": "echo", "after": ["a"]},
    "x": {"run": "echo", "after": ["z", "a"]}, "y": {"run": "echo", "after": ["x"]},
    "z": {"run": "echo", "with": {"v": "{{steps.y.output}}"}}, "behind": {"run": "echo", "after": ["x"]}}})");
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].message.find("a -> b -> a") != std::string::npos);
  CHECK(problems[1].message.find("x -> z -> y -> x") != std::string::npos);
}

TEST_CASE("flow: its size is bounded", "[runtime]") {
  json steps = json::object();
  for (std::size_t i = 0; i <= Limits::steps_max; ++i)
    steps["s" + std::to_string(i)] = {{"run", "echo"}};
  CHECK(problems_of(json{{"flow", "f"}, {"steps", steps}}.dump()).at(0).code == "too_many_steps");
  steps.erase("s0");
  CHECK(problems_of(json{{"flow", "f"}, {"steps", steps}}.dump()).empty());
  CHECK(problems_of(std::string(Limits::flow_bytes_max + 1, ' ')).at(0).code == "too_large");
}

TEST_CASE("flow: one step cannot wait for any number of others", "[runtime]") {
  json steps = json::object();
  json after = json::array();
  for (std::size_t i = 0; i <= Limits::dependencies_max; ++i) {
    after.push_back("s" + std::to_string(i));
    steps[after.back().get<std::string>()] = {{"run", "echo"}};
  }
  steps["join"] = {{"run", "echo"}, {"after", after}};
  CHECK(problems_of(json{{"flow", "f"}, {"steps", steps}}.dump()).at(0).code ==
        "too_many_dependencies");
}

TEST_CASE("flow: the list of problems is bounded too", "[runtime]") {
  json step{{"run", "echo"}};
  for (int i = 0; i < 1000; ++i) step["unknown" + std::to_string(i)] = i;
  CHECK(problems_of(json{{"flow", "f"}, {"steps", {{"a", step}}}}.dump()).size() ==
        Limits::problems_max);
}

TEST_CASE("flow: input that a run lacks is told before it starts", "[runtime]") {
  const Flow flow = parse_flow(R"({"flow": "f", "input": {"a": 1}, "steps": {
    "s": {"run": "echo", "with": {"x": "{{input.a}}", "y": "{{input.b.c}}", "z": "{{input.d?}}"}}},
    "output": "{{input.e}}"})")
                        .value();
  const std::vector<Problem> missing = missing_input(*flow.plan(), json{{"a", 1}, {"b", 2}});
  REQUIRE(missing.size() == 2);
  CHECK(missing[0].pointer == "/steps/s/with/y");
  CHECK(missing[1].pointer == "/output");
  CHECK(missing_input(*flow.plan(), json{{"a", 1}, {"b", {{"c", 2}}}, {"e", 0}}).empty());
}

TEST_CASE("flow: a file is read, and its name stands in its errors", "[runtime]") {
  TempFolder folder;
  std::ofstream(folder / "good.json") << R"({"flow": "f", "steps": {"a": {"run": "echo"}}})";
  std::ofstream(folder / "bad.json") << R"({"flow": "f"})";
  std::ofstream(folder / "empty.json");
  CHECK(load_flow(folder / "good.json").value().name() == "f");
  CHECK(load_flow(folder / "bad.json").error().where == folder / "bad.json");
  CHECK(load_flow(folder / "empty.json").error().code == Errc::invalid_flow);
  CHECK(load_flow(folder / "none.json").error().code == Errc::io);
  CHECK(load_flow(folder.path()).error().code == Errc::io);
}

TEST_CASE("flow: its graph has every step and every arrow", "[runtime]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {
    "end": {"run": "echo", "after": ["begin"]}, "begin": {"run": "pay"}}})")
                        .value();
  CHECK(
      graph_dot(flow) ==
      "digraph \"f\" {\n  rankdir=LR;\n  node [shape=box];\n  \"begin\" [label=\"begin\\npay\"];\n"
      "  \"end\" [label=\"end\\necho\"];\n  \"begin\" -> \"end\";\n}\n");
  CHECK(graph_mermaid(flow) ==
        "flowchart LR\n  s0[\"begin<br/>pay\"]\n  s1[\"end<br/>echo\"]\n  s0 --> s1\n");
}

TEST_CASE("flow: each kind of parameter takes what it says, and nothing else", "[runtime]") {
  const std::vector<std::string> values{
      "null",        "true", "7",           "1.5", R"("text")",     "{}", R"({"m": "text"})",
      R"({"m": 1})", "[]",   R"(["text"])", "[1]", R"([1, "text"])"};
  using Kind = ParamInfo::Kind;
  const auto [kind, name, taken] = GENERATE(table<Kind, std::string, std::string>({
      {Kind::any, "any", "yyyyyyyyyyyy"},
      {Kind::string, "string", "....y......."},
      {Kind::integer, "integer", "..y........."},
      {Kind::boolean, "boolean", ".y.........."},
      {Kind::object, "object", ".....yyy...."},
      {Kind::array, "array", "........yyyy"},
      {Kind::string_array, "string_array", "........yy.."},
      {Kind::integer_array, "integer_array", "........y.y."},
      {Kind::string_object, "string_object", ".....yy....."},
  }));
  CAPTURE(name);
  const StepTypes one{{"s", {"", {{"p", kind, true, ""}}, true, ""}}};
  std::string actual;
  for (const std::string& value : values) {
    const Result<Flow> flow =
        parse_flow(with_step(R"({"run": "s", "with": {"p": )" + value + "}}"), &one);
    actual += flow ? 'y' : '.';
    if (flow) continue;
    const Problem& problem = flow.error().problems.at(0);
    CHECK(problem.pointer == "/steps/a/with/p");
    CHECK(problem.message.find("expected " + name + ", found ") == 0);
  }
  CHECK(actual == taken);
}

}  // namespace flow_test
