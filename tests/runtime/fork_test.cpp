#include <pawl/fork.hpp>
#include <pawl/limits.hpp>
#include <pawl/run_diff.hpp>
#include <pawl/run_document.hpp>

#include "runtime/start_facts.hpp"
#include "support/catch.hpp"
#include "support/story.hpp"

namespace fork_test {

using namespace pawl;

namespace {

std::string flow_of(const std::string& steps) {
  return R"({"flow": "f", "steps": {)" + steps + "}}";
}

RunFixture fixture_of(const Story& story, const std::string& flow, json input = json::object()) {
  RunFixture fixture{parse_flow(flow).value(), "r1", std::move(input), "/folder", story.records};
  for (Record& record : fixture.records)
    if (record.kind == RecordKind::output) record.output_digest = digest_of(record.body);
  return fixture;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

/// The fork's records, as a store would give them back.
std::vector<Record> records_of(const RunFork& fork) {
  std::vector<Record> records;
  Record started;
  started.body = fork.body;
  records.push_back(started);
  for (const Record& record : fork.shared) records.push_back(record);
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].seq = static_cast<std::int64_t>(i) + 1;
    records[i].epoch = 1;
    records[i].at_ms = 1000;
  }
  return records;
}

/// What a machine that reads the fork's records does first.
std::string next_of(const RunFork& fork) {
  FlowMachine machine(fork.flow.plan(), RunId::trusted("r2"), fork.input);
  for (const Record& record : records_of(fork))
    REQUIRE(machine.apply(Recorded{record}).has_value());
  std::string text;
  const Commands commands = machine.apply(Resumed{}).value();
  for (const Command& command : commands) {
    text += text.empty() ? "" : "; ";
    if (const auto* start = std::get_if<StartAttempt>(&command))
      text += "start " + machine.name(start->step) + "#" + std::to_string(start->attempt) + " " +
              machine.parameters(start->step).value().dump();
    else if (const auto* wait = std::get_if<AwaitTimer>(&command))
      text += "wait " + machine.name(wait->step);
    else if (const auto* write = std::get_if<WriteRecord>(&command))
      text += "write " + write->record.step + " " + write->record.body;
    else if (const auto* child = std::get_if<StartChild>(&command))
      text += "child " + child->run;
    else if (const auto* end = std::get_if<EndRun>(&command))
      text += "end " + std::string(to_string(end->outcome.state));
  }
  return text;
}

std::string refusal(const RunFixture& run, const std::string& step,
                    const ForkOptions& options = {}) {
  const Result<RunFork> fork = fork_run(run, step, "r2", options);
  return fork ? "none" : fork.error().message;
}

ForkOptions with(const std::string& step, const json& output) {
  ForkOptions options;
  options.set[step] = output;
  return options;
}

const std::string chain = R"(
  "a": {"run": "x"},
  "b": {"run": "x", "with": {"a": "{{steps.a.output}}"}},
  "c": {"run": "x", "with": {"b": "{{steps.b.output}}"}},
  "side": {"run": "x"})";

/// a and b are done, b in its second attempt; c failed; side is done.
RunFixture failed_chain() {
  Story story(flow_of(chain));
  story.started();
  story.output("side", 1, "s");
  story.output("a", 1, 1);
  story.receipt("b", 1, AttemptEnd::failed);
  story.opened("b", 2);
  story.output("b", 2, 2);
  story.receipt("c", 1, AttemptEnd::fatal);
  story.ended({RunState::failed, nullptr, RunError{Errc::step_failed, "c", "why"}});
  return fixture_of(story, flow_of(chain));
}

}  // namespace

TEST_CASE("fork: it shares what does not depend on the step and runs the rest again", "[runtime]") {
  const RunFork fork = fork_run(failed_chain(), "b", "r2").value();
  CHECK(joined(fork.steps_shared) == "a side");
  CHECK(joined(fork.steps_again) == "b c");
  CHECK(fork.folder == "/folder");
  CHECK(fork.body == R"({"forked_from":{"run":"r1","step":"b"}})");
  CHECK(next_of(fork) == R"(start b#1 {"a":1})");
}

TEST_CASE("fork: it keeps the priority of the run, whatever a new flow says", "[runtime]") {
  RunFixture run = failed_chain();
  run.records.front().body = start_body({{}, {}, {}, 7});
  CHECK(start_facts_from(fork_run(run, "b", "r2").value().body).value().priority == 7);
  ForkOptions options;
  json document = json::parse(flow_of(chain));
  document["priority"] = -2;
  options.flow = parse_flow(document.dump()).value();
  CHECK(start_facts_from(fork_run(run, "b", "r2", options).value().body).value().priority == 7);
}

TEST_CASE("fork: from a step that failed everything before it is shared", "[runtime]") {
  const RunFork fork = fork_run(failed_chain(), "c", "r2").value();
  CHECK(joined(fork.steps_shared) == "a b side");
  CHECK(next_of(fork) == R"(start c#1 {"b":2})");
  for (const Record& record : fork.shared) CHECK(record.attempt == 0);
}

TEST_CASE("fork: shared steps have succeeded without an attempt of their own", "[runtime]") {
  const RunFork fork = fork_run(failed_chain(), "c", "r2").value();
  const json document = view_run(fork.flow, "r2", fork.input, records_of(fork)).value().document;
  CHECK(document["steps"]["b"]["state"] == "succeeded");
  CHECK(document["steps"]["b"]["output"] == 2);
  CHECK(document["steps"]["b"]["attempts"].empty());
  CHECK(document["steps"]["c"]["attempts"].size() == 1);
  CHECK(document["forked_from"] == json{{"run", "r1"}, {"step", "c"}});
  CHECK(document["parent"].is_null());
}

TEST_CASE("fork: an output that is set replaces the stored one and what depends on it runs again",
          "[runtime]") {
  const RunFork fork = fork_run(failed_chain(), "c", "r2", with("a", 7)).value();
  CHECK(joined(fork.steps_shared) == "side");
  CHECK(joined(fork.steps_again) == "b c");
  CHECK(fork.body ==
        R"({"forked_from":{"run":"r1","set":{"a":")" + digest_of("7").hex() + R"("},"step":"c"}})");
  CHECK(next_of(fork) == R"(start b#1 {"a":7})");
}

TEST_CASE("fork: the step itself is not run if its output is set", "[runtime]") {
  const RunFork fork = fork_run(failed_chain(), "b", "r2", with("b", 9)).value();
  CHECK(next_of(fork) == R"(start c#1 {"b":9})");
  const RunFork end = fork_run(failed_chain(), "c", "r2", with("c", 9)).value();
  CHECK(next_of(end) == "end succeeded");
}

TEST_CASE("fork: an output of a step that waits for one that runs again is refused", "[runtime]") {
  CHECK(refusal(failed_chain(), "a", with("c", 1)) ==
        "run r1 cannot be forked so: step c cannot be given an output, for it depends on step b, "
        "which runs again");
}

TEST_CASE("fork: names that the flow has not are refused with the nearest one", "[runtime]") {
  CHECK(refusal(failed_chain(), "sied") ==
        "the flow f has no step \"sied\"; did you mean \"side\"?");
  CHECK(refusal(failed_chain(), "b", with("d", 1)).find("has no step \"d\"") != std::string::npos);
  CHECK(refusal(failed_chain(), "a[0]") ==
        "run r1 cannot be forked so: a[0] is a part of step a; name the step");
  CHECK(fork_run(failed_chain(), "b", "r1").error().code == Errc::invalid_argument);
  CHECK(fork_run(failed_chain(), "b", "-").error().code == Errc::invalid_argument);
}

TEST_CASE("fork: open attempts get receipts for whoever performs nothing", "[runtime]") {
  const RunFork fork = fork_run(failed_chain(), "b", "r2").value();
  REQUIRE(fork.interrupted.size() == 1);
  CHECK(fork.interrupted[0].step == "b");
  CHECK(fork.interrupted[0].end == AttemptEnd::interrupted);
  FlowMachine machine(fork.flow.plan(), RunId::trusted("r2"), fork.input);
  for (const Record& record : records_of(fork)) CHECK(machine.apply(Recorded{record}).has_value());
  CHECK(machine.apply(Recorded{fork.interrupted[0]}).has_value());
  CHECK(machine.attempts_open_before(99).empty());
}

TEST_CASE("fork: a live run is forked from what is settled", "[runtime]") {
  Story story(flow_of(chain));
  story.started();
  story.output("a", 1, 1);
  const RunFork fork = fork_run(fixture_of(story, flow_of(chain)), "c", "r2").value();
  CHECK(joined(fork.steps_shared) == "a");
  CHECK(joined(fork.steps_again) == "b side");
  CHECK(next_of(fork) == R"(start b#1 {"a":1}; start side#1 {})");
}

TEST_CASE("fork: a map is shared with its elements, those that failed too", "[runtime]") {
  const std::string flow = flow_of(R"(
    "m": {"map": [1, 2, 3], "run": "x", "max_parallel": 1, "on_error": "collect", "retry": {"max_attempts": 1}},
    "after": {"run": "x", "with": {"all": "{{steps.m.output}}"}})");
  Story story(flow);
  story.started();
  story.output("m[0]", 1, "one");
  story.receipt("m[1]", 1, AttemptEnd::fatal);
  story.output("m[2]", 1, "three");
  const json all{{{"output", "one"}},
                 {{"error", {{"code", "step_failed"}, {"message", "fatal 1"}}}},
                 {{"output", "three"}}};
  story.wrote("m", all);
  story.output("after", 1, 1);
  const RunFixture run = fixture_of(story, flow);
  const RunFork fork = fork_run(run, "after", "r2").value();
  CHECK(next_of(fork) == R"(start after#1 {"all":)" + all.dump() + "}");
  const RunFork set = fork_run(run, "after", "r2", with("m", 5)).value();
  CHECK(next_of(set) == R"(start after#1 {"all":5})");
  const RunFork again = fork_run(run, "m", "r2").value();
  CHECK(next_of(again) == "start m[0]#1 {}");
}

TEST_CASE("fork: a map whose elements have not all ended can be given no output", "[runtime]") {
  const std::string flow = flow_of(R"("m": {"map": [1, 2], "run": "x"})");
  Story story(flow);
  story.started();
  story.output("m[0]", 1, "one");
  CHECK(refusal(fixture_of(story, flow), "m", with("m", {1, 2})) ==
        "run r1 cannot be forked so: step m is a map, and its element 1 has not ended: only when "
        "all have can its output be given");
}

TEST_CASE("fork: a signal comes along with the step that took it and with no other", "[runtime]") {
  const std::string flow = flow_of(R"(
    "first": {"await": "go"}, "work": {"run": "x", "after": ["first"]},
    "second": {"await": "go", "after": ["work"]})");
  Story story(flow);
  story.started();
  story.signalled("go", 1, "s-1");
  story.signalled("go", 2, "s-2");
  story.signalled("go", 3, "s-3");
  story.wrote("first", 1, "s-1");
  story.output("work", 1, nullptr);
  story.wrote("second", 2, "s-2");
  const RunFixture run = fixture_of(story, flow);
  const RunFork fork = fork_run(run, "work", "r2").value();
  CHECK(fork.shared.size() == 2);
  CHECK(fork.shared[0].step == "s-1");
  CHECK(next_of(fork) == "start work#1 {}");
  const RunFork set = fork_run(run, "work", "r2", with("first", 5)).value();
  CHECK(set.shared.size() == 1);
}

TEST_CASE("fork: decisions are shared, or set, and exclude what they decide against", "[runtime]") {
  const std::string flow = flow_of(R"(
    "n": {"run": "x"}, "big": {"if": {"less": [10, "{{steps.n.output}}"]}},
    "yes": {"run": "x", "when": "big"}, "no": {"run": "x", "unless": "big"},
    "end": {"run": "x", "after": ["yes", "no"]})");
  Story story(flow);
  story.started();
  story.output("n", 1, 20);
  story.wrote("big", true);
  story.output("yes", 1, 1);
  story.output("end", 1, 1);
  const RunFixture run = fixture_of(story, flow);
  CHECK(next_of(fork_run(run, "end", "r2").value()) == "start end#1 {}");
  CHECK(next_of(fork_run(run, "end", "r2", with("big", false)).value()) == "start no#1 {}");
  CHECK(refusal(run, "end", with("no", 1)) ==
        "run r1 cannot be forked so: step no is excluded by a branch; it neither runs nor has an "
        "output");
  CHECK(refusal(run, "no") ==
        "run r1 cannot be forked so: step no is excluded by a branch; it neither runs nor has an "
        "output");
  CHECK(refusal(run, "end", with("big", 1)) ==
        "run r1 cannot be forked so: the output of step big is a decision: true or false");
}

TEST_CASE("fork: what a fork shares was not undone when the fork is failing", "[runtime]") {
  const std::string flow = flow_of(R"(
    "a": {"run": "x", "undo": {"run": "y"}}, "b": {"run": "x", "after": ["a"]})");
  Story story(flow);
  story.started();
  story.output("a", 1, 1);
  story.output("b", 1, 1);
  const RunFork fork = fork_run(fixture_of(story, flow), "b", "r2").value();
  RunFixture failing{fork.flow, "r2", fork.input, fork.folder, records_of(fork)};
  Record failed;
  failed.kind = RecordKind::receipt;
  failed.end = AttemptEnd::fatal;
  failed.step = "b";
  failed.attempt = 1;
  failed.seq = 9;
  failed.body = error_body(Errc::step_failed, "why");
  failing.records.push_back(failed);
  const RunFork again = fork_run(failing, "b", "r3").value();
  CHECK(joined(again.steps_shared) == "a");
  CHECK(again.steps_undone.empty());
}

TEST_CASE("fork: what was undone is done again and what is shared is not undone", "[runtime]") {
  const std::string flow = flow_of(R"(
    "hotel": {"run": "x"},
    "a": {"run": "x", "undo": {"run": "y"}, "after": ["hotel"]},
    "b": {"run": "x", "after": ["a"]})");
  Story story(flow);
  story.started();
  story.output("hotel", 1, 1);
  story.output("a", 1, 1);
  story.receipt("b", 1, AttemptEnd::fatal);
  const RunFixture failing = fixture_of(story, flow);
  const Outcome end{RunState::failed, nullptr, RunError{Errc::step_failed, "b", "fatal 1"}};
  story.undoing(end);
  story.output("a:undo", 1, 1);
  story.ended(end);
  for (const RunFixture& run : {failing, fixture_of(story, flow)}) {
    const RunFork fork = fork_run(run, "b", "r2").value();
    CHECK(joined(fork.steps_shared) == "hotel");
    CHECK(joined(fork.steps_undone) == "a");
    CHECK(next_of(fork) == "start a#1 {}");
  }

  Story good(flow);
  good.started();
  good.output("hotel", 1, 1);
  good.output("a", 1, 1);
  good.output("b", 1, 1);
  const RunFork fork = fork_run(fixture_of(good, flow), "b", "r2").value();
  CHECK(joined(fork.steps_shared) == "hotel a");
  FlowMachine machine(fork.flow.plan(), RunId::trusted("r2"), fork.input);
  for (const Record& record : records_of(fork)) CHECK(machine.apply(Recorded{record}).has_value());
  CHECK(machine.apply(Resumed{}).has_value());
  Record failed;
  failed.kind = RecordKind::receipt;
  failed.end = AttemptEnd::fatal;
  failed.step = "b";
  failed.attempt = 1;
  failed.body = error_body(Errc::step_failed, "why");
  const Commands commands = machine.apply(Recorded{failed}).value();
  REQUIRE(commands.size() == 1);
  CHECK(std::get<EndRun>(commands[0]).outcome.state == RunState::failed);
}

TEST_CASE("fork: a step that may run at most once and may have run is not run again unasked",
          "[runtime]") {
  const std::string flow = flow_of(R"(
    "a": {"run": "x"}, "tell": {"run": "x", "at_most_once": true, "in_doubt": "fail", "after": ["a"]})");
  Story story(flow);
  story.started();
  story.output("a", 1, 1);
  story.opened("tell", 1);
  CHECK(refusal(fixture_of(story, flow), "a") ==
        "run r1 cannot be forked so: step tell may run at most once, and is under way; fork from "
        "it if it may run again");
  story.receipt("tell", 1, AttemptEnd::lost);
  CHECK(refusal(fixture_of(story, flow), "a").find("nobody knows whether it did") !=
        std::string::npos);
  const RunFork fork = fork_run(fixture_of(story, flow), "tell", "r2").value();
  CHECK(next_of(fork) == "wait tell");
  CHECK(fork.interrupted.empty());
  CHECK(next_of(fork_run(fixture_of(story, flow), "tell", "r2", with("tell", 1)).value()) ==
        "end succeeded");
}

TEST_CASE("fork: a step that ran at most once is shared without running", "[runtime]") {
  const std::string flow = flow_of(R"(
    "tell": {"run": "x", "at_most_once": true}, "b": {"run": "x", "after": ["tell"]})");
  Story story(flow);
  story.started();
  story.opened("tell", 1);
  story.output("tell", 1, 1);
  story.output("b", 1, 1);
  CHECK(next_of(fork_run(fixture_of(story, flow), "b", "r2").value()) == "start b#1 {}");
}

TEST_CASE("fork: a new flow is taken if what is shared fits it", "[runtime]") {
  const std::string better = R"(
    "a": {"run": "x"}, "b": {"run": "x", "with": {"a": "{{steps.a.output}}"}},
    "c": {"run": "y", "with": {"b": "{{steps.b.output}}", "unit": "{{input.unit}}"}},
    "side": {"run": "x"}, "new": {"run": "x"})";
  ForkOptions options;
  options.flow =
      parse_flow(R"({"flow": "f", "input": {"unit": "EUR"}, "steps": {)" + better + "}}").value();
  const RunFork fork = fork_run(failed_chain(), "c", "r2", options).value();
  CHECK(joined(fork.steps_shared) == "a b side");
  CHECK(next_of(fork) == R"(start c#1 {"b":2,"unit":"EUR"}; start new#1 {})");

  options.flow = parse_flow(flow_of(better)).value();
  CHECK(fork_run(failed_chain(), "c", "r2", options).error().code == Errc::invalid_input);

  std::string other = chain;
  other.replace(other.find(R"("{{steps.a.output}}")"), 20, R"("no {{steps.a.output}}")");
  options.flow = parse_flow(flow_of(other)).value();
  CHECK(refusal(failed_chain(), "c", options) ==
        "run r1 cannot be forked so: step b would be shared, and does not fit the new flow: its "
        "attempts had other parameters at /a; fork from it, or from a step before it");
  CHECK(fork_run(failed_chain(), "b", "r2", options).has_value());
}

TEST_CASE("fork: a fork can be forked", "[runtime]") {
  const RunFork fork = fork_run(failed_chain(), "c", "r2").value();
  const RunFixture run{fork.flow, "r2", fork.input, fork.folder, records_of(fork)};
  const RunFork again = fork_run(run, "b", "r3").value();
  CHECK(joined(again.steps_shared) == "a side");
  CHECK(joined(again.steps_again) == "b c");
  CHECK(again.body == R"({"forked_from":{"run":"r2","step":"b"}})");
}

TEST_CASE("fork: of a child its output is shared, and one that runs again is another run",
          "[runtime]") {
  const std::string leaf = R"({"flow": "leaf", "steps": {"s": {"run": "x"}}})";
  const std::string flow = flow_of(R"("a": {"run": "x"},
    "c": {"child": )" + leaf + R"(, "after": ["a"]},
    "each": {"map": [1, 2], "child": )" +
                                   leaf + R"(, "after": ["a"]},
    "end": {"run": "x", "after": ["c", "each"]})");
  Story story(flow);
  story.started();
  story.output("a", 1, 1);
  for (const char* child : {"c", "each[0]", "each[1]"}) {
    story.opened(child, 1);
    story.output(child, 1, child);
  }
  story.wrote("each", {"each[0]", "each[1]"});
  story.output("end", 1, 1);
  const RunFixture run = fixture_of(story, flow);

  const RunFork fork = fork_run(run, "end", "r2").value();
  CHECK(joined(fork.steps_shared) == "a c each");
  CHECK(next_of(fork) == "start end#1 {}");
  const json document = view_run(fork.flow, "r2", fork.input, records_of(fork)).value().document;
  CHECK(document["steps"]["c"]["output"] == "c");
  CHECK_FALSE(document["steps"]["c"].contains("child"));
  CHECK_FALSE(document["steps"]["each"]["elements"][1].contains("child"));

  const RunFork again = fork_run(run, "a", "r2", with("a", 5)).value();
  CHECK(joined(again.steps_again) == "c each end");
  CHECK(again.interrupted.empty());
  CHECK(next_of(again) == "child r2.c; child r2.each.0; child r2.each.1");
  CHECK(fork_run(run, "end", std::string(128, 'r')).error().code == Errc::invalid_argument);
}

TEST_CASE("fork: a child that is under way, and may hold what may run at most once, runs once",
          "[runtime]") {
  const std::string flow = flow_of(R"("a": {"run": "x"}, "c": {"child": {"flow": "leaf", "steps": {
    "tell": {"run": "x", "at_most_once": true}}}, "after": ["a"]})");
  Story story(flow);
  story.started();
  story.output("a", 1, 1);
  story.opened("c", 1);
  CHECK(refusal(fixture_of(story, flow), "a") ==
        "run r1 cannot be forked so: step c has a child with a step that may run at most once, and "
        "is under way; fork from it if it may run again");
  CHECK(next_of(fork_run(fixture_of(story, flow), "c", "r2").value()) == "child r2.c");
}

TEST_CASE("fork: a child can be forked, and its fork is no child", "[runtime]") {
  RunFixture run = failed_chain();
  run.records.front().body = start_body({{{"team", "tea"}}, ParentStep{"p", "each[2]", 1}});
  ForkOptions options;
  options.labels = {{"why", "test"}};
  const RunFork fork = fork_run(run, "c", "r2", options).value();
  CHECK(fork.body == R"({"forked_from":{"run":"r1","step":"c"},"labels":{"why":"test"}})");
  options.labels = {{"", "test"}};
  CHECK_FALSE(fork_run(run, "c", "r2", options).has_value());
}

TEST_CASE("fork: what a start says of its fork comes back and tells forks apart", "[runtime]") {
  const StartFacts facts{{}, {}, ForkedFrom{"r1", "c", {{"a", digest_of("secret")}}}};
  const std::string body = start_body(facts);
  CHECK(start_facts_from(body).value().forked_from == facts.forked_from);
  CHECK_FALSE(start_facts_from(R"({"forked_from": {"run": "r1"}})").has_value());
  CHECK_FALSE(start_facts_from(R"({"forked_from": {"run": "r1", "step": "a", "set": {"a": "x"}}})")
                  .has_value());
  CHECK(explain_origins(body, body).empty());
  CHECK(explain_origins(body, start_body({{{"team", "tea"}}, {}, facts.forked_from})).empty());
  CHECK(explain_origins(body, start_body({{}, {}, ForkedFrom{"r1", "c", {}}})) ==
        "it is a fork of run r1 from step c, and was given other outputs");
  CHECK(explain_origins("", body) ==
        "it was neither a child nor a fork, is now a fork of run r1 from step c");
}

TEST_CASE("fork: its records fit a flow if what it shares does", "[runtime]") {
  const auto told = [](const RunFork& fork, const std::string& steps) {
    const RunFixture run{fork.flow, "r2", fork.input, fork.folder, records_of(fork)};
    const RunDiff diff = diff_run(run, parse_flow(flow_of(steps)).value()).value();
    return diff.fits() ? "fits" : diff.findings.front().step;
  };
  std::string other = chain;
  other.replace(other.find(R"("{{steps.a.output}}")"), 20, R"("no {{steps.a.output}}")");
  CHECK(told(fork_run(failed_chain(), "c", "r2").value(), chain) == "fits");
  CHECK(told(fork_run(failed_chain(), "c", "r2").value(), other) == "b");
  CHECK(told(fork_run(failed_chain(), "c", "r2", with("b", 3)).value(), other) == "fits");
}

TEST_CASE("fork: it comes back from a fixture, and is redacted with what it was given",
          "[runtime]") {
  const std::string flow = flow_of(R"(
    "a": {"run": "x", "secret": ["output.token"]}, "b": {"run": "x", "after": ["a"]})");
  Story story(flow);
  story.started();
  story.output("a", 1, {{"token", "old"}});
  story.output("b", 1, 1);
  const json given{{"token", "4711"}};
  const RunFork fork = fork_run(fixture_of(story, flow), "b", "r2", with("a", given)).value();
  const RunFixture run{fork.flow, "r2", fork.input, fork.folder, records_of(fork)};
  const RunFixture read = parse_run_fixture(fixture_text(run)).value();
  CHECK(read.records.front().body == fork.body);
  CHECK(diff_run(read, fork.flow).value().fits());
  const std::string redacted_text = fixture_text(redacted(run).value());
  CHECK(redacted_text.find("4711") == std::string::npos);
  CHECK(redacted_text.find(digest_of(given.dump()).hex()) == std::string::npos);
  const RunFixture shown = parse_run_fixture(redacted_text).value();
  CHECK(diff_run(shown, shown.flow).value().fits());
  CHECK(fork_run(shown, "b", "r3").value().steps_shared == std::vector<std::string>{"a"});
}

TEST_CASE("machine: outputs of no attempt are lawful only where a fork begins", "[runtime]") {
  Story story(flow_of(chain));
  story.started();
  CHECK(story.wrote("a", 1) == "unlawful");
  const RunFork fork = fork_run(failed_chain(), "a", "r2").value();
  FlowMachine machine(fork.flow.plan(), RunId::trusted("r2"), fork.input);
  for (const Record& record : records_of(fork)) CHECK(machine.apply(Recorded{record}).has_value());
  Record output;
  output.kind = RecordKind::output;
  output.end = AttemptEnd::succeeded;
  output.step = "a";
  output.attempt = 1;
  output.body = "1";
  CHECK(machine.apply(Recorded{output}).has_value());
  output.step = "b";
  output.attempt = 0;
  CHECK_FALSE(machine.apply(Recorded{output}).has_value());
  Record bad;
  bad.body = "5";
  CHECK_FALSE(FlowMachine(fork.flow.plan(), RunId::trusted("r3"), fork.input)
                  .apply(Recorded{bad})
                  .has_value());
}

TEST_CASE("fork: an output that is set must be one that a store takes", "[runtime]") {
  const std::string large(Limits::output_bytes_max, 'x');
  CHECK(refusal(failed_chain(), "c", with("a", large)).find("the output of step a: ") == 0);
  CHECK(refusal(failed_chain(), "c", with("a", "small")) == "none");
}

}  // namespace fork_test
