// A flow that is written in C++ is what its JSON is: the same digest, the same problems.
#include <pawl/flow_builder.hpp>
#include <pawl/limits.hpp>

#include "runtime/plan.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <type_traits>

namespace flow_builder_test {

using namespace pawl::flows;

// docs/flows.md shows this function.
pawl::Result<pawl::Flow> order_flow() {
  return pawl::FlowBuilder("order")
      .input({{"currency", "EUR"}})
      .step(task("reserve", "reserve")
                .with({{"sku", "{{input.sku}}"}})
                .undo("release", {{"hold", "{{output.hold}}"}}))
      .step(task("charge", "charge")
                .after("reserve")
                .with({{"cents", "{{input.cents}}"}, {"currency", "{{input.currency}}"}})
                .at_most_once(pawl::InDoubt::fail)
                .retry({5, 100})
                .timeout_ms(20'000))
      .step(branch("big", {{"less", {100'000, "{{input.cents}}"}}}))
      .step(await("approval", "approved")
                .after("charge")
                .when("big")
                .timeout_ms(86'400'000)
                .default_output({{"by", nullptr}}))
      .step(map("parcels", "ship", "{{input.parcels}}")
                .after({"charge", "approval"})
                .with({{"parcel", "{{item}}"}})
                .max_parallel(4))
      .output("{{steps.parcels.output}}")
      .secret("input.card")
      .build();
}

using namespace pawl;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What each kind has, as the compiler sees it.
#define PAWL_CAN(word, call)              \
  template <class Step, class = void>     \
  struct Can_##word : std::false_type {}; \
  template <class Step>                   \
  struct Can_##word<Step, std::void_t<decltype(std::declval<Step&>().call)>> : std::true_type {};

PAWL_CAN(after, after("a"))
PAWL_CAN(with, with(json()))
PAWL_CAN(timeout_ms, timeout_ms(1))
PAWL_CAN(heartbeat_ms, heartbeat_ms(1))
PAWL_CAN(retry, retry(RetryPolicy()))
PAWL_CAN(default_output, default_output(json()))
PAWL_CAN(undo, undo(Undo("u")))
PAWL_CAN(at_most_once, at_most_once())
PAWL_CAN(one_at_a_time, one_at_a_time("k"))
PAWL_CAN(max_parallel, max_parallel(1))
PAWL_CAN(collect_errors, collect_errors())
#undef PAWL_CAN

template <class Step>
std::string words() {
  std::string words;
  if (Can_after<Step>::value) words += "after ";
  if (Can_with<Step>::value) words += "with ";
  if (Can_timeout_ms<Step>::value) words += "timeout_ms ";
  if (Can_heartbeat_ms<Step>::value) words += "heartbeat_ms ";
  if (Can_retry<Step>::value) words += "retry ";
  if (Can_default_output<Step>::value) words += "default ";
  if (Can_undo<Step>::value) words += "undo ";
  if (Can_at_most_once<Step>::value) words += "at_most_once ";
  if (Can_one_at_a_time<Step>::value) words += "one_at_a_time ";
  if (Can_max_parallel<Step>::value) words += "max_parallel ";
  if (Can_collect_errors<Step>::value) words += "on_error ";
  return words;
}

/// The problems, one a line, with what they say.
std::string told(const Result<Flow>& flow) {
  return flow ? "none" : flow.error().text();
}

std::string places(const Result<Flow>& flow) {
  std::string places;
  if (flow) return places;
  for (const Problem& problem : flow.error().problems)
    places += problem.pointer + " " + problem.code + "\n";
  return places;
}

}  // namespace

TEST_CASE("flow builder: the example of the documentation is this one, and is a flow",
          "[runtime]") {
  const Flow flow = order_flow().value();
  const Flow same = parse_flow(R"({"flow": "order", "input": {"currency": "EUR"}, "steps": {
    "reserve": {"run": "reserve", "with": {"sku": "{{input.sku}}"},
                "undo": {"run": "release", "with": {"hold": "{{output.hold}}"}}},
    "charge": {"run": "charge", "after": ["reserve"],
               "with": {"cents": "{{input.cents}}", "currency": "{{input.currency}}"},
               "at_most_once": true, "in_doubt": "fail",
               "retry": {"max_attempts": 5, "initial_ms": 100}, "timeout_ms": 20000},
    "big": {"if": {"less": [100000, "{{input.cents}}"]}},
    "approval": {"await": "approved", "after": ["charge"], "when": "big", "timeout_ms": 86400000,
                 "default": {"by": null}},
    "parcels": {"map": "{{input.parcels}}", "run": "ship", "after": ["charge", "approval"],
                "with": {"parcel": "{{item}}"}, "max_parallel": 4}},
    "output": "{{steps.parcels.output}}", "secret": ["input.card"]})")
                        .value();
  CHECK(flow.canonical() == same.canonical());
  const std::string source = text_of(PAWL_SOURCES "/tests/runtime/flow_builder_test.cpp");
  const auto begin = source.find("pawl::Result<pawl::Flow> order_flow() {");
  const std::string function = source.substr(begin, source.find("\n}\n", begin) + 3 - begin);
  CHECK(text_of(PAWL_SOURCES "/docs/flows.md").find(function) != std::string::npos);
}

TEST_CASE("flow builder: every member of a step is written as JSON has it", "[runtime]") {
  const auto [text, step] = GENERATE(table<std::string, pawl::flows::Step>({
      {R"({"run": "t"})", task("a", "t")},
      {R"({"run": "t", "with": {"x": 1}})", task("a", "t").with({{"x", 1}})},
      {R"({"run": "t", "with": {}})", task("a", "t").with({})},
      {R"({"run": "t", "after": ["b"]})", task("a", "t").after("b")},
      {R"({"run": "t", "after": ["b", "c"]})", task("a", "t").after({"b", "c"})},
      {R"({"run": "t", "after": ["b", "c", "d"]})", task("a", "t").after("b").after({"c", "d"})},
      {R"({"run": "t", "after": []})", task("a", "t").after({})},
      {R"({"run": "t", "when": "b"})", task("a", "t").when("b")},
      {R"({"run": "t", "when": ["b"]})", task("a", "t").when({"b"})},
      {R"({"run": "t", "when": ["b", "c"]})", task("a", "t").when("b").when("c")},
      {R"({"run": "t", "unless": ["b", "c"]})", task("a", "t").unless({"b", "c"})},
      {R"({"run": "t", "unless": "b"})", task("a", "t").unless(std::string("b"))},
      {R"({"run": "t", "secret": ["with.x"]})", task("a", "t").secret("with.x")},
      {R"({"run": "t", "description": "d"})", task("a", "t").description("d")},
      {R"({"run": "t", "timeout_ms": 0})", task("a", "t").timeout_ms(0)},
      {R"({"run": "t", "timeout_ms": 0, "heartbeat_ms": 30000})",
       task("a", "t").timeout_ms(0).heartbeat_ms(30'000)},
      {R"({"run": "t", "undo": {"run": "u", "heartbeat_ms": 7}})",
       task("a", "t").undo(undo("u").heartbeat_ms(7))},
      {R"({"run": "t", "timeout_ms": 300000})", task("a", "t").timeout_ms(300'000)},
      {R"({"run": "t", "retry": {"max_attempts": 1, "initial_ms": 2, "factor": 1.5, "max_ms": 3,
           "jitter": 0}})",
       task("a", "t").retry({1, 2, 1500, 3, 0})},
      {R"({"run": "t", "retry": {"factor": 3, "jitter": 0.25}})",
       task("a", "t").retry({3, 200, 3000, 30'000, 250})},
      {R"({"run": "t"})", task("a", "t").retry({7}).retry({})},
      {R"({"run": "t", "default": null})", task("a", "t").default_output(nullptr)},
      {R"({"run": "t", "default": [1]})", task("a", "t").default_output(json::array({1}))},
      {R"({"run": "t", "undo": {"run": "u", "with": {"x": 1}}})",
       task("a", "t").undo("u", {{"x", 1}})},
      {R"({"run": "t", "undo": {"run": "u"}})", task("a", "t").undo(undo("u"))},
      {R"({"run": "t", "undo": {"run": "u", "with": {}, "timeout_ms": 5, "description": "d",
           "retry": {"max_attempts": 9}}})",
       task("a", "t").undo(undo("u").with({}).timeout_ms(5).retry({9}).description("d"))},
      {R"({"run": "t", "at_most_once": true})", task("a", "t").at_most_once()},
      {R"({"run": "t", "one_at_a_time": "a-{{input.x}}"})",
       task("a", "t").one_at_a_time("b").one_at_a_time("a-{{input.x}}")},
      {R"({"run": "t", "undo": {"run": "u", "one_at_a_time": "{{output.k}}"}})",
       task("a", "t").undo(undo("u").one_at_a_time("{{output.k}}"))},
      {R"({"run": "t", "map": [1], "one_at_a_time": "{{item}}"})",
       pawl::flows::map("a", "t", json::array({1})).one_at_a_time("{{item}}")},
      {R"({"run": "t", "on_divergence": "pause"})",
       task("a", "t").on_divergence(OnDivergence::pause)},
      {R"({"run": "t", "on_divergence": "fail"})",
       task("a", "t").on_divergence(OnDivergence::fail)},
      {R"({"run": "t", "on_failure": "ask"})", task("a", "t").ask_on_failure()},
      {R"({"run": "t", "at_most_once": true, "in_doubt": "ask"})",
       task("a", "t").at_most_once(InDoubt::ask)},
      {R"({"run": "t", "at_most_once": true, "in_doubt": "fail"})",
       task("a", "t").at_most_once(InDoubt::fail)},
      {R"({"run": "t", "at_most_once": true, "in_doubt": "retry"})",
       task("a", "t").at_most_once(InDoubt::retry)},
      {R"({"run": "t", "map": [1, 2]})", pawl::flows::map("a", "t", {1, 2})},
      {R"({"run": "t", "map": "{{input}}", "max_parallel": 4, "on_error": "collect"})",
       pawl::flows::map("a", "t", "{{input}}").max_parallel(4).collect_errors()},
      {R"({"child": {"flow": "g", "steps": {"b": {"run": "t"}}}, "with": {"x": 1}, "default": 0,
           "undo": {"run": "u"}, "after": ["z"]})",
       child("a", FlowBuilder("g").step(task("b", "t")).document())
           .with({{"x", 1}})
           .default_output(0)
           .undo(undo("u"))
           .after("z")},
      {R"({"child": {"flow": "g", "steps": {"b": {"run": "t"}}}, "map": [1], "max_parallel": 2,
           "on_error": "collect", "with": {"n": "{{item}}"}})",
       child_map("a", FlowBuilder("g").step(task("b", "t")).build().value(), json::array({1}))
           .max_parallel(2)
           .collect_errors()
           .with({{"n", "{{item}}"}})},
      {R"({"if": {"exists": "{{input.x}}"}})", branch("a", {{"exists", "{{input.x}}"}})},
      {R"({"value": {"n": [1, {"m": 2}]}})", value("a", {{"n", {1, {{"m", 2}}}}})},
      {R"({"value": null})", value("a", nullptr)},
      {R"({"sleep_ms": 1000})", pawl::flows::sleep("a", 1000)},
      {R"({"sleep_ms": "{{input.x}}"})", pawl::flows::sleep("a", "{{input.x}}")},
      {R"({"until_ms": 1000})", sleep_until("a", 1000)},
      {R"({"until_ms": "{{input.x}}", "when": "b"})", sleep_until("a", "{{input.x}}").when("b")},
      {R"({"await": "s"})", await("a", "s")},
      {R"({"await": "s", "timeout_ms": 9, "default": {"x": 1}, "secret": ["output.x"]})",
       await("a", "s").timeout_ms(9).default_output({{"x", 1}}).secret("output.x")},
      {R"({"fail": "why"})", pawl::flows::fail("a", "why")},
      {R"({"fail": "why", "unless": "b"})", pawl::flows::fail("a", "why").unless("b")},
  }));
  CHECK(step.name() == "a");
  CHECK(step.members().dump() == json::parse(text).dump());
  const FlowBuilder builder = FlowBuilder("f").step(step);
  const std::string flow = R"({"flow": "f", "steps": {"a": )" + text + "}}";
  CHECK(builder.document().dump() == json::parse(flow).dump());
  CHECK(told(builder.build()) == told(parse_flow(flow)));
  if (const Result<Flow> built = builder.build())
    CHECK(built->digest() == parse_flow(flow).value().digest());
}

TEST_CASE("flow builder: every member of a flow is written as JSON has it", "[runtime]") {
  const FlowBuilder builder = FlowBuilder("f")
                                  .schema("flow.schema.json")
                                  .version(1)
                                  .priority(-7)
                                  .description("d")
                                  .input({{"x", 1}})
                                  .step(task("a", "t"))
                                  .step("b", {{"run", "t"}, {"retry", {{"max_attempts", 3}}}})
                                  .output(nullptr)
                                  .secret("input.x")
                                  .secret({"output.y", "output.z"});
  const std::string text =
      R"({"$schema": "flow.schema.json", "version": 1, "priority": -7, "flow": "f",
    "description": "d", "input": {"x": 1}, "output": null,
    "secret": ["input.x", "output.y", "output.z"],
    "steps": {"a": {"run": "t"}, "b": {"run": "t", "retry": {"max_attempts": 3}}}})";
  CHECK(builder.build().value().canonical() == parse_flow(text).value().canonical());
  CHECK(builder.document().dump() == json::parse(text).dump());
  CHECK(parse_flow(builder.document().dump(2)).value().digest() ==
        builder.build().value().digest());
  CHECK(FlowBuilder("f").input({}).document().at("input") == json::object());
}

TEST_CASE("flow builder: a kind of step has the words of its kind and no others", "[runtime]") {
  const std::string task =
      "after with timeout_ms heartbeat_ms retry default undo at_most_once one_at_a_time ";
  CHECK(words<Task>() == task);
  CHECK(words<pawl::flows::Map>() == task + "max_parallel on_error ");
  CHECK(words<Child>() == "after with default undo ");
  CHECK(words<ChildMap>() == words<Child>() + "max_parallel on_error ");
  CHECK(words<Await>() == "after timeout_ms default ");
  CHECK(words<Plain>() == "after ");
  CHECK(words<Undo>() == "with timeout_ms heartbeat_ms retry one_at_a_time ");
}

TEST_CASE("flow builder: a retry policy is kept to the thousandth", "[runtime]") {
  const auto kept = [](const std::vector<RetryPolicy>& policies) {
    FlowBuilder builder("f");
    for (std::size_t i = 0; i < policies.size(); ++i)
      builder.step(
          task("s" + std::to_string(i), "t").retry(policies[i]).undo(undo("u").retry(policies[i])));
    const Flow flow = builder.build().value();
    for (std::size_t i = 0; i < policies.size(); ++i) {
      const PlannedStep& step = flow.plan()->steps[flow.plan()->index.at("s" + std::to_string(i))];
      CAPTURE(policies[i].factor_permille, policies[i].jitter_permille);
      REQUIRE(step.retry == policies[i]);
      REQUIRE(step.undo->retry == policies[i]);
    }
  };
  std::vector<RetryPolicy> jitters;
  for (int permille = 0; permille <= 1000; ++permille)
    jitters.push_back({3, 200, 2000, 30'000, permille});
  kept(jitters);
  std::vector<RetryPolicy> factors{{1'000'000, 0, 1'000'000, Limits::delay_ms_max, 1000}};
  for (std::int64_t permille = 1000; permille <= 1'000'000; permille += permille < 3000 ? 1 : 331)
    factors.push_back({1, permille, permille, 2'000'000, 1});
  kept(factors);
}

TEST_CASE("flow builder: a retry policy reads as a person would write it", "[runtime]") {
  for (std::int64_t permille = 1001; permille <= 1'000'000; permille += 17) {
    const std::string text =
        task("a", "t").retry({3, 200, permille}).members()["retry"]["factor"].dump();
    if (permille == 2000) continue;
    CAPTURE(permille, text);
    std::string expected =
        std::to_string(permille / 1000) + "." + std::to_string(1000 + permille % 1000).substr(1);
    expected.erase(expected.find_last_not_of('0') + 1);
    if (expected.back() == '.') expected.pop_back();
    REQUIRE(text == expected);
  }
}

TEST_CASE("flow builder: a retry policy out of bounds is told at its place", "[runtime]") {
  const auto built = [](const RetryPolicy& policy) {
    return places(FlowBuilder("f").step(task("a", "t").retry(policy)).build());
  };
  CHECK(built({0}) == "/steps/a/retry/max_attempts out_of_range\n");
  CHECK(built({3, -1}) == "/steps/a/retry/initial_ms out_of_range\n");
  CHECK(built({3, 200, 999}) == "/steps/a/retry/factor out_of_range\n");
  CHECK(built({3, 200, 1'000'001}) == "/steps/a/retry/factor out_of_range\n");
  CHECK(built({3, 200, 2000, 100}) == "/steps/a/retry out_of_range\n");
  CHECK(built({3, 200, 2000, 30'000, 1001}) == "/steps/a/retry/jitter out_of_range\n");
  CHECK(built({3, 200, 2000, 30'000, -1}) == "/steps/a/retry/jitter out_of_range\n");
}

TEST_CASE("flow builder: problems are those of the JSON, with its pointers", "[runtime]") {
  const StepTypes types{{"echo", {}}};
  const auto [text, builder] = GENERATE(table<std::string, FlowBuilder>({
      {R"({"flow": "f", "steps": {"a": {"run": "echo"}, "a": {"value": 1}}})",
       FlowBuilder("f").step(task("a", "echo")).step(flows::value("a", 1))},
      {R"({"flow": "f", "steps": {"a": {"run": "ecko"}, "a": {}, "b": {"run": "echo", "after": ["q"]}, "a": {}}})",
       FlowBuilder("f")
           .step(task("a", "ecko"))
           .step("a", json::object())
           .step(task("b", "echo").after("q"))
           .step("a", json::object())},
      {R"({"flow": "f", "steps": {}})", FlowBuilder("f")},
      {R"({"flow": "", "steps": {"": {"run": ""}}})", FlowBuilder("").step(task("", ""))},
      {R"({"flow": "f", "steps": {"a/b~": {"run": "echo", "after": ["a/b~", "c"]}}})",
       FlowBuilder("f").step(task("a/b~", "echo").after({"a/b~", "c"}))},
      {R"({"flow": "f", "input": [1], "secret": ["with"], "version": 2, "output": "{{steps.b.output}}",
           "steps": {"a": {"run": "echo", "with": {"x": ["{{steps.z.output}}", "{{oops"]}}}})",
       FlowBuilder("f")
           .input(json::array({1}))
           .secret("with")
           .version(2)
           .output("{{steps.b.output}}")
           .step(task("a", "echo").with({{"x", {"{{steps.z.output}}", "{{oops"}}}))},
      {R"({"flow": "f", "steps": {"a": {"sleep_ms": 1.5}, "b": {"await": "s", "default": 1},
           "c": {"if": {"lss": [1, 2]}}, "d": {"run": "echo", "map": 1, "max_parallel": 0},
           "e": {"run": "echo", "timeout_ms": -1}, "f": 1}})",
       FlowBuilder("f")
           .step(pawl::flows::sleep("a", 1.5))
           .step(await("b", "s").default_output(1))
           .step(branch("c", {{"lss", {1, 2}}}))
           .step(pawl::flows::map("d", "echo", 1).max_parallel(0))
           .step(task("e", "echo").timeout_ms(-1))
           .step("f", 1)},
      {R"({"flow": "f", "steps": {"a": {"run": "echo", "after": ["b"]}, "b": {"run": "echo", "after": ["a"]}}})",
       FlowBuilder("f").step(task("a", "echo").after("b")).step(task("b", "echo").after("a"))},
  }));
  CAPTURE(text);
  const Result<Flow> built = builder.build(&types);
  REQUIRE_FALSE(built.has_value());
  CHECK(built.error().code == Errc::invalid_flow);
  CHECK(told(built) == told(parse_flow(text, &types)));
}

TEST_CASE("flow builder: two steps of one name are told, and the first stands in the document",
          "[runtime]") {
  const FlowBuilder builder = FlowBuilder("f").step(task("a", "t")).step(flows::value("a", 1));
  CHECK(places(builder.build()) == "/steps/a duplicate_key\n");
  CHECK(builder.document()["steps"] == json{{"a", {{"run", "t"}}}});
}

TEST_CASE("flow builder: what no JSON can hold is told at its place", "[runtime]") {
  const double nan = std::nan("");
  CHECK(places(FlowBuilder("f")
                   .input({{"n", nan}})
                   .output(json::binary({1, 2}))
                   .step(task("a", "t").with({{"x/y", {1, {{"z", "\xff"}}}}}))
                   .step(value("b", {0, std::numeric_limits<double>::infinity()}))
                   .build()) ==
        "/input/n syntax\n/output syntax\n/steps/a/with/x~1y/1/z syntax\n"
        "/steps/b/value/1 syntax\n");
  const std::string broken = places(FlowBuilder("f").step(task("\xff", "t")).build());
  CHECK(broken == "/steps/\xef\xbf\xbd syntax\n");
}

TEST_CASE("flow builder: what is too deep or too large is refused as JSON is", "[runtime]") {
  const auto nested = [](std::size_t levels) {
    json value = 1;
    for (std::size_t i = 0; i < levels; ++i) value = json::array({std::move(value)});
    return value;
  };
  // The flow, its steps and the step are three levels.
  for (const std::size_t levels : {124u, 125u, 126u, 127u, 1000u}) {
    const FlowBuilder builder = FlowBuilder("f").step(value("a", nested(levels)));
    CAPTURE(levels);
    CHECK(told(builder.build()) == told(parse_flow(builder.document().dump())));
    CHECK(builder.build().has_value() == (levels <= 125));
  }
  const FlowBuilder large =
      FlowBuilder("f").step(value("a", std::string(Limits::flow_bytes_max, 'x')));
  CHECK(places(large.build()) == " too_large\n");
}

TEST_CASE("flow builder: it may go on after it was built", "[runtime]") {
  FlowBuilder builder("f");
  builder.step(task("a", "t").after("b"));
  CHECK(places(builder.build()) == "/steps/a/after/0 unknown_step\n");
  const FlowBuilder copy = builder;
  builder.step(task("b", "t"));
  CHECK(builder.build().has_value());
  CHECK_FALSE(copy.build().has_value());
}

TEST_CASE("flow builder: a step is a value, and can be one among many like it", "[runtime]") {
  const Task usual = task("a", "t").retry({9}).timeout_ms(5);
  FlowBuilder builder("f");
  builder.step(usual);
  Task other = usual;
  other.after("b");
  CHECK(usual.members() == json{{"run", "t"}, {"retry", {{"max_attempts", 9}}}, {"timeout_ms", 5}});
  CHECK(other.members()["after"] == json::array({"b"}));
}

}  // namespace flow_builder_test
