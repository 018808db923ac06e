// The steps that the machine performs itself: branches, values, sleeps and awaits.
#include <pawl/limits.hpp>

#include "runtime/flow_machine.hpp"
#include "support/catch.hpp"
#include "support/story.hpp"

using namespace pawl;

namespace {

const std::string choice = R"("a": {"run": "x"},
  "big": {"if": {"less": [10, "{{steps.a.output}}"]}},
  "yes": {"run": "x", "when": "big"}, "after_yes": {"run": "x", "after": ["yes"]},
  "no": {"run": "x", "unless": "big"},
  "merge": {"run": "x", "after": ["after_yes", "no"],
            "with": {"yes": "{{steps.yes.output?}}", "no": "{{steps.no.output?}}"}})";

}  // namespace

TEST_CASE("branch: only the taken side runs, and a merge runs when that side has arrived",
          "[runtime]") {
  Story story = begun(choice);
  CHECK(story.started() == "start a#1");
  CHECK(story.output("a", 1, 50) == "write output big true");
  CHECK(story.state("big") == "running");
  CHECK(story.state("yes") == "pending");
  CHECK(story.wrote("big", true) == "start yes#1");
  CHECK(story.state("no") == "excluded");
  CHECK(story.output("yes", 1, "Y") == "start after_yes#1");
  CHECK(story.output("after_yes", 1) == R"(start merge#1 {"no":null,"yes":"Y"})");
  CHECK(story.output("merge", 1, 1) == R"(end succeeded {"merge":1})");
}

TEST_CASE("branch: everything that is reachable only through the side not taken is excluded",
          "[runtime]") {
  Story story = begun(choice);
  story.started();
  story.output("a", 1, 5);
  CHECK(story.wrote("big", false) == "start no#1");
  CHECK(story.state("yes") == "excluded");
  CHECK(story.state("after_yes") == "excluded");
  CHECK(story.output("no", 1, "N") == R"(start merge#1 {"no":"N","yes":null})");
}

TEST_CASE("branch: a step that cannot do without an excluded one's output is excluded",
          "[runtime]") {
  Story story = begun(R"("b": {"if": {"exists": "{{input.x?}}"}}, "t": {"run": "x", "when": "b"},
    "other": {"run": "x"},
    "uses": {"run": "x", "after": ["other"], "with": {"t": "{{steps.t.output}}"}})");
  CHECK(story.started() == "write output b false; start other#1");
  CHECK(story.wrote("b", false) == "");
  CHECK(story.output("other", 1) == "end succeeded {}");
  CHECK(story.state("uses") == "excluded");
}

TEST_CASE("branch: a nested branch on the excluded side is excluded with both of its sides",
          "[runtime]") {
  Story story = begun(R"("b": {"if": {"exists": "{{input.x?}}"}},
    "inner": {"if": {"exists": "{{run.id}}"}, "when": "b"},
    "t": {"run": "x", "when": "inner"}, "e": {"run": "x", "unless": "inner"},
    "last": {"run": "x", "unless": "b"})");
  story.started();
  CHECK(story.wrote("b", false) == "start last#1");
  for (const char* step : {"inner", "t", "e"}) CHECK(story.state(step) == "excluded");
  CHECK(story.output("last", 1, 3) == R"(end succeeded {"last":3})");
}

TEST_CASE("branch: a decision that cannot be made fails the run and names the place", "[runtime]") {
  Story story =
      begun(R"("b": {"if": {"less": ["{{input.n}}", 3]}}, "t": {"run": "x", "when": "b"})",
            {{"n", "three"}});
  const std::string asked = story.started();
  CHECK(asked.find("write receipt b") == 0);
  CHECK(asked.find("/steps/b/if") != std::string::npos);
  CHECK(asked.find("expected two numbers or two strings") != std::string::npos);
  CHECK(story.failed("b", Errc::invalid_argument, "no").find("end failed") == 0);
}

TEST_CASE("branch: a stored decision stands, whatever the condition would say now", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"b": {"if": {"equals": [1, 1]}},
    "t": {"run": "x", "when": "b"}, "e": {"run": "x", "unless": "b"}}})");
  story.started();
  story.wrote("b", false);
  CHECK(story.resumed() == "start e#1");
  CHECK(story.wrote("b", 7) == "unlawful");
}

TEST_CASE("value: a chain is computed at once, and the next step waits for all of its records",
          "[runtime]") {
  Story story = begun(R"("a": {"run": "x"},
    "v": {"value": {"n": "{{steps.a.output.n}}", "two": {"$add": ["{{steps.a.output.n}}", 1]}}},
    "w": {"value": {"$multiply": ["{{steps.v.output.two}}", 10]}},
    "z": {"run": "x", "with": {"w": "{{steps.w.output}}"}})");
  story.started();
  CHECK(story.output("a", 1, {{"n", 4}}) == R"(write output v {"n":4,"two":5}; write output w 50)");
  CHECK(story.wrote("v", {{"n", 4}, {"two", 5}}) == "");
  CHECK(story.wrote("w", 50) == R"(start z#1 {"w":50})");
}

TEST_CASE("value: a chain's records may stand in the log in any order", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"v": {"value": 1},
    "w": {"value": {"$add": ["{{steps.v.output}}", 1]}},
    "z": {"run": "x", "with": {"w": "{{steps.w.output}}"}}}})");
  story.started();
  CHECK(story.wrote("w", 2) == "");
  CHECK(story.resumed() == R"(write output v 1; start z#1 {"w":2})");
  CHECK(story.wrote("v", 1) == "");
  CHECK(story.output("z", 1, 3) == R"(end succeeded {"z":3})");
}

TEST_CASE("value: what a crash left of a chain is computed again", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"v": {"value": 1},
    "w": {"value": {"$add": ["{{steps.v.output}}", 1]}}}})");
  story.started();
  story.wrote("v", 1);
  CHECK(story.resumed() == "write output w 2");
  CHECK(story.wrote("w", 2) == R"(end succeeded {"w":2})");
}

TEST_CASE("value: a value that cannot be computed fails the run", "[runtime]") {
  Story story = begun(R"("v": {"value": {"$divide": [1, 0]}})");
  CHECK(
      story.started() ==
      R"(write receipt v {"code":"invalid_argument","message":"/steps/v/value: a division by zero"})");
}

TEST_CASE("sleep: it lasts from the last record that it waited for, and no longer than it says",
          "[runtime]") {
  Story story = begun(R"("a": {"sleep_ms": 500})");
  CHECK(story.started() == "wait a#0 until 500 at most 500");
  CHECK(story.state("a") == "waiting");
  CHECK(story.machine.state() == RunState::waiting);
  CHECK(story.machine.due_ms() == 500);
  CHECK(story.over("a", 0) == "write output a null");
  CHECK(story.over("a", 0) == "");
  CHECK(story.wrote("a", nullptr) == R"(end succeeded {"a":null})");
}

TEST_CASE("sleep: a restart sleeps on to the same moment", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"v": {"value": 700},
    "a": {"sleep_ms": "{{steps.v.output}}"}}})");
  story.started();
  story.wrote("v", 700, {}, 1000);
  CHECK(story.resumed() == "wait a#0 until 1700 at most 700");
}

TEST_CASE("sleep: until a moment, and a time that is none fails the run", "[runtime]") {
  Story until = begun(R"("a": {"until_ms": "{{input.at}}"})", {{"at", 123456}});
  CHECK(until.started() == "wait a#0 until 123456 at most 9223372036854775807");
  for (const json& at : {json(-1), json("soon"), json(1.5), json(Limits::time_ms_max + 1)}) {
    Story bad = begun(R"("a": {"until_ms": "{{input.at}}"})", {{"at", at}});
    CHECK(bad.started().find("write receipt a {\"code\":\"invalid_argument\"") == 0);
  }
}

TEST_CASE("sleep: a cancelled run sleeps no more", "[runtime]") {
  Story story = begun(R"("a": {"sleep_ms": 500})");
  story.started();
  CHECK(story.cancelled().find("end cancelled") == 0);
  CHECK(story.state("a") == "cancelled");
  CHECK(story.over("a", 0) == "");
}

TEST_CASE("await: it takes the oldest signal of its name, whether it came before or after",
          "[runtime]") {
  Story story = begun(R"("x": {"run": "x"}, "a": {"await": "go", "after": ["x"]},
    "b": {"await": "go", "after": ["a"]})");
  story.started();
  CHECK(story.signalled("go", 1, "s1") == "");
  CHECK(story.signalled("go", 2, "s2") == "");
  CHECK(story.signalled("go", 1, "s1") == "");  // once more, by a sender that had no answer
  CHECK(story.output("x", 1) == "write output a 1");
  CHECK(story.wrote("a", 1, "s1") == "write output b 2");
  CHECK(story.wrote("b", 2, "s2") == R"(end succeeded {"b":2})");
}

TEST_CASE("await: two that await one name take one signal each", "[runtime]") {
  Story story = begun(R"("a": {"await": "go"}, "b": {"await": "go"})");
  CHECK(story.started() == "");
  CHECK(story.machine.state() == RunState::waiting);
  CHECK(story.machine.due_ms() == std::numeric_limits<std::int64_t>::max());
  CHECK(story.signalled("other", 0, "s0") == "");
  CHECK(story.signalled("go", 1, "s1") == "write output a 1");
  CHECK(story.signalled("go", 2, "s2") == "write output b 2");
}

TEST_CASE("await: the output says which signal it took, in whatever order the log has them",
          "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"a": {"await": "go"}, "b": {"await": "go"},
    "c": {"await": "go"}}})");
  story.started();
  story.signalled("go", 1, "s1");
  story.signalled("go", 2, "s2");
  CHECK(story.wrote("b", 2, "s2") == "");
  CHECK(story.wrote("c", 2, "s2") == "unlawful");
  CHECK(story.resumed() == "write output a 1");
}

TEST_CASE("await: after its timeout it takes its default, or fails", "[runtime]") {
  Story with = begun(R"("a": {"await": "go", "timeout_ms": 100, "default": {"no": "{{run.id}}"}})");
  CHECK(with.started() == "wait a#0 until 100 at most 100");
  CHECK(with.over("a", 0) == R"(write output a {"no":"r1"})");
  CHECK(with.signalled("go", 1, "s1") == "");  // too late
  CHECK(with.wrote("a", {{"no", "r1"}}) == R"(end succeeded {"a":{"no":"r1"}})");
  Story without = begun(R"("a": {"await": "go", "timeout_ms": 100})");
  without.started();
  CHECK(without.over("a", 0) ==
        R"(write receipt a {"code":"deadline","message":"no signal \"go\" came within 100 ms"})");
  CHECK(without.failed("a", Errc::deadline, "late").find("end failed") == 0);
}

TEST_CASE("await: a signal that comes just before the timeout wins", "[runtime]") {
  Story story = begun(R"("a": {"await": "go", "timeout_ms": 100})");
  story.started();
  CHECK(story.signalled("go", 1, "s1") == "write output a 1");
  CHECK(story.over("a", 0) == "");
}

TEST_CASE("own steps: a record that overtook a cancel is lawful", "[runtime]") {
  Story story = begun(R"("v": {"value": 1}, "t": {"run": "x"})");
  story.started();
  story.cancelled();
  CHECK(story.state("v") == "cancelled");
  CHECK(story.wrote("v", 1) == "");
  CHECK(story.state("v") == "succeeded");
}

TEST_CASE("default: a task that fails for good takes it, and says why", "[runtime]") {
  Story story =
      begun(R"("a": {"run": "x", "retry": {"max_attempts": 2}, "default": {"n": "{{run.id}}"}},
    "b": {"run": "x", "with": {"a": "{{steps.a.output.n}}"}})");
  CHECK(story.started() == "start a#1");
  story.receipt("a", 1, AttemptEnd::failed);
  story.over("a", 2);
  story.opened("a", 2);
  CHECK(story.receipt("a", 2, AttemptEnd::failed) == R"(write output a {"n":"r1"})");
  CHECK(story.wrote("a", {{"n", "r1"}}) == R"(start b#1 {"a":"r1"})");
  CHECK(story.state("a") == "succeeded");
  REQUIRE(story.machine.step_error(story.at("a")));
  CHECK(story.machine.step_error(story.at("a"))->message == "failed 2");
}

TEST_CASE("default: a restart between the failure and the default writes it", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"a": {"run": "x", "default": 7}}})");
  story.started();
  story.receipt("a", 1, AttemptEnd::fatal);
  CHECK(story.resumed() == "write output a 7");
  CHECK(story.wrote("a", 7) == R"(end succeeded {"a":7})");
}

TEST_CASE(
    "default: none is lawful before the step has failed, and one that cannot be made fails the run",
    "[runtime]") {
  Story early = begun(R"("a": {"run": "x", "default": 7})");
  early.started();
  CHECK(early.wrote("a", 7) == "unlawful");
  Story bad = begun(R"("a": {"run": "x", "default": {"$divide": [1, 0]}})");
  bad.started();
  CHECK(bad.receipt("a", 1, AttemptEnd::fatal)
            .find("write receipt a {\"code\":\"invalid_argument\"") == 0);
  CHECK(bad.failed("a", Errc::invalid_argument, "no").find("end failed") == 0);
}

TEST_CASE("await: it does not hide that another step needs a person", "[runtime]") {
  Story story = begun(R"("w": {"await": "go"}, "a": {"run": "x"})");
  story.started();
  story.receipt("a", 1, AttemptEnd::interrupted);
  CHECK(story.machine.state() == RunState::waiting);
  story.type_missing("a");
  CHECK(story.machine.state() == RunState::blocked);
}

TEST_CASE("sleep: its error does not tell what may be secret", "[runtime]") {
  Story story = begun(R"("a": {"sleep_ms": "{{input.k}}"})", {{"k", "topsecret"}});
  const std::string asked = story.started();
  CHECK(asked.find("and is string") != std::string::npos);
  CHECK(asked.find("topsecret") == std::string::npos);
}
