// What holds a run back: somebody's pause, a parent's, and outputs of one step that differ.
#include "runtime/pause.hpp"

#include <pawl/resolution.hpp>
#include <pawl/run_document.hpp>

#include "runtime/flow_machine.hpp"
#include "support/catch.hpp"
#include "support/story.hpp"

namespace pause_test {

using namespace pawl;

namespace {

/// The machine of the same records in another process, told to go on.
std::string again(const Story& story, const std::string& steps) {
  Story other(R"({"flow": "f", "steps": {)" + steps + "}}");
  for (const Record& record : story.records)
    REQUIRE(other.machine.apply(Recorded{record}).has_value());
  return other.resumed();
}

const std::string two = R"("a": {"run": "x"}, "b": {"run": "x", "after": ["a"]})";

const std::string keeps_both = R"("a": {"run": "x", "on_divergence": "pause"},
  "b": {"run": "x", "after": ["a"]})";

}  // namespace

TEST_CASE("pause: what runs comes to its end, and nothing follows it", "[runtime]") {
  Story story = begun(two);
  CHECK(story.started() == "start a#1");
  CHECK(story.paused() == "withdraw a#1 if it waits");
  CHECK(story.machine.state() == RunState::paused);
  CHECK(story.machine.error()->code == Errc::paused);
  CHECK(story.output("a", 1) == "withdraw b#1");
  CHECK(story.receipt("b", 1, AttemptEnd::interrupted) == "");
  CHECK(again(story, two) == "");
  CHECK(story.unpaused() == "wait b#2 until 0 at most 0");
  CHECK(story.machine.state() == RunState::waiting);
  CHECK(story.over("b", 2) == "open b#2");
  CHECK(story.opened("b", 2) == "start b#2");
  CHECK(story.output("b", 2) == R"(end succeeded {"b":null})");
}

TEST_CASE("pause: what was taken back starts again only once that is durable", "[runtime]") {
  Story story = begun(two);
  story.started();
  story.paused();
  CHECK(story.output("a", 1) == "withdraw b#1");
  CHECK(story.unpaused() == "");
  CHECK(story.paused() == "");  // it is being taken back already
  CHECK(story.unpaused() == "");
  CHECK(story.receipt("b", 1, AttemptEnd::interrupted) == "wait b#2 until 0 at most 0");
}

TEST_CASE("pause: the next engine finds it paused, and says nothing of what was under way",
          "[runtime]") {
  Story story = begun(two);
  story.started();
  story.paused();
  CHECK(again(story, two) == "withdraw a#1");
  story.receipt("a", 1, AttemptEnd::lost, 0, 2);
  CHECK(again(story, two) == "withdraw a#2");
}

TEST_CASE("pause: waits that end meanwhile are over at once afterwards", "[runtime]") {
  const std::string waits = R"("nap": {"sleep_ms": 50}, "t": {"run": "x"},
    "w": {"await": "go", "timeout_ms": 70, "default": 1})";
  Story story = begun(waits);
  CHECK(story.started() ==
        "wait nap#0 until 50 at most 50; wait w#0 until 70 at most 70; start t#1");
  CHECK(story.receipt("t", 1, AttemptEnd::failed, 30) == "wait t#2 until 30 at most 200");
  CHECK(story.paused() == "");
  CHECK(story.over("t", 2) == "");
  CHECK(story.over("nap", 0) == "");
  CHECK(story.over("w", 0) == "");
  CHECK(story.signalled("go", 7, "s1") == "");
  CHECK(story.unpaused() ==
        "wait nap#0 until 50 at most 50; wait w#0 until 70 at most 70; write output w 7; "
        "wait t#2 until 30 at most 200");
}

TEST_CASE("pause: what the run does itself waits, and so do its undos and its end", "[runtime]") {
  const std::string own = R"("a": {"run": "x", "undo": {"run": "u"}},
    "v": {"value": "{{steps.a.output}}"}, "f": {"fail": "no", "after": ["v"]})";
  Story story = begun(own);
  CHECK(story.started() == "start a#1");
  story.paused();
  CHECK(story.output("a", 1, 3) == "");
  CHECK(story.unpaused() == "write output v 3");
  CHECK(story.wrote("v", 3) == R"(write receipt f {"code":"step_failed","message":"no"})");
  story.paused();
  CHECK(story.failed("f", Errc::step_failed, "no") == "");
  CHECK(story.machine.state() == RunState::paused);
  CHECK(story.unpaused().substr(0, 14) == "write undoing ");
  story.paused();
  CHECK(story.undoing({RunState::failed, nullptr, RunError{Errc::step_failed, "f", "no"}}) ==
        "withdraw a:undo#1");
  CHECK(story.receipt("a:undo", 1, AttemptEnd::interrupted) == "");
  CHECK(story.unpaused() == "wait a:undo#2 until 0 at most 0");
  story.over("a:undo", 2);
  CHECK(story.opened("a:undo", 2) == "start a:undo#2");
  story.paused();
  CHECK(story.output("a:undo", 2) == "");
  CHECK(story.unpaused() == "end failed step_failed f");
}

TEST_CASE("pause: a cancel ends it, and nothing pauses what is being cancelled", "[runtime]") {
  Story story = begun(two);
  story.started();
  story.paused();
  CHECK(story.cancelled() == "cancel a#1");
  CHECK(story.machine.state() == RunState::cancelling);
  CHECK(story.machine.is_moot(pause_record(true, PausedBy::person)));
  CHECK(story.paused() == "");
  CHECK(story.receipt("a", 1, AttemptEnd::cancelled) == "end cancelled");
}

TEST_CASE("pause: children are paused and go on with their parent, and are told once",
          "[runtime]") {
  const std::string parent = R"("c": {"child": {"flow": "in", "steps": {"x": {"run": "x"}}}})";
  Story story = begun(parent);
  CHECK(story.started() == "child r1.c {}");
  CHECK(story.opened("c", 1) == "");
  CHECK(story.paused() == "pause child r1.c");
  CHECK(story.unpaused() == "unpause child r1.c");
  CHECK(again(story, parent) == "unpause child r1.c");
  story.paused();
  CHECK(again(story, parent) == "pause child r1.c");
}

TEST_CASE("pause: a parent's pause is not ended by unpausing the child", "[runtime]") {
  Story story = begun(two);
  story.started();
  story.paused(PausedBy::parent);
  CHECK(story.machine.state() == RunState::paused);
  CHECK(story.machine.unpausing().empty());
  CHECK(story.machine.is_moot(pause_record(true, PausedBy::parent)));
  CHECK_FALSE(story.machine.is_moot(pause_record(true, PausedBy::person)));
  story.paused();
  CHECK(story.let_go() == "");
  CHECK(story.machine.state() == RunState::paused);
  story.unpaused(PausedBy::parent);
  CHECK(story.machine.state() == RunState::running);
}

TEST_CASE("pause: a record that does not say who it was is unlawful", "[runtime]") {
  Story story = begun(two);
  story.started();
  Record record = pause_record(true, PausedBy::person);
  record.body = R"({"by":"the cat"})";
  CHECK(story.machine.apply(Recorded{record}).error().code == Errc::corrupt);
}

// --- outputs that differ

TEST_CASE("divergence: with pause the run waits for a person, who may keep the stored output",
          "[runtime]") {
  const AttemptEnd end = GENERATE(AttemptEnd::diverged, AttemptEnd::late);
  Story story = begun(keeps_both);
  story.started();
  story.receipt("a", 1, AttemptEnd::timed_out);
  story.over("a", 2);
  story.opened("a", 2);
  if (end == AttemptEnd::late) CHECK(story.unused("a", 1, end, "other") == "");
  CHECK(story.output("a", 2, "mine") == (end == AttemptEnd::late ? "withdraw b#1" : "start b#1"));
  if (end == AttemptEnd::diverged)
    CHECK(story.unused("a", 1, end, "other") == "withdraw b#1 if it waits");
  CHECK(story.machine.state() == RunState::paused);
  CHECK(story.machine.error()->code == Errc::diverged);
  CHECK(story.machine.error()->step == "a");
  CHECK(again(story, keeps_both) == "withdraw b#1");
  const std::vector<Record> records = story.machine.unpausing();
  REQUIRE(records.size() == 1);
  CHECK(records[0].step == "a");
  CHECK(records[0].attempt == 1);
  story.let_go();
  CHECK(story.machine.state() == RunState::running);
  // A pause by hand is another thing, and leaves this one alone.
  CHECK(story.machine.unpausing().empty());
}

TEST_CASE("divergence: what comes after somebody said to go on pauses the run again", "[runtime]") {
  Story story = begun(keeps_both);
  story.started();
  story.output("a", 1, 1);
  story.unused("a", 2, AttemptEnd::late, 2);
  story.unused("a", 3, AttemptEnd::diverged, 3);
  CHECK(story.machine.unpausing().size() == 2);
  story.paused();
  CHECK(story.machine.unpausing().size() == 3);
  story.unpaused();
  CHECK(story.machine.state() == RunState::paused);
  story.let_go();
  CHECK(story.machine.state() == RunState::running);
  story.unused("a", 4, AttemptEnd::late, 4);
  CHECK(story.machine.state() == RunState::paused);
}

TEST_CASE(
    "divergence: with \"fail\" the run fails and undoes the step, and with \"keep\" nothing "
    "follows",
    "[runtime]") {
  const auto told = [](const std::string& choice) {
    Story story = begun(R"("a": {"run": "x", "undo": {"run": "u"}, "on_divergence": ")" + choice +
                        R"("}, "b": {"run": "x", "after": ["a"]})");
    story.started();
    story.output("a", 1, 1);
    const std::string then = story.unused("a", 2, AttemptEnd::late, 2);
    CHECK(then == "");
    return story.output("b", 1);
  };
  CHECK(told("keep") == R"(end succeeded {"b":null})");
  CHECK(told("fail").find(R"("code":"diverged")") != std::string::npos);
  CHECK(told("fail").substr(0, 14) == "write undoing ");
}

TEST_CASE("divergence: the same output again, and an answer without one, differ from nothing",
          "[runtime]") {
  Story story = begun(keeps_both);
  story.started();
  story.output("a", 1, {{"id", 1}});
  story.unused("a", 2, AttemptEnd::late, {{"id", 1}});
  story.receipt("a", 3, AttemptEnd::late);
  CHECK(story.machine.state() == RunState::running);
}

TEST_CASE("divergence: the document shows both outputs, and hides what the flow marks secret",
          "[runtime]") {
  const std::string steps =
      R"("a": {"run": "x", "on_divergence": "pause", "secret": ["output.key"]})";
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {)" + steps + "}}").value();
  Story story = begun(steps);
  story.started();
  story.output("a", 1, {{"key", "k1"}, {"n", 1}});
  story.unused("a", 2, AttemptEnd::late, {{"key", "k2"}, {"n", 2}});
  const RunView view = view_run(flow, "r1", json::object(), story.records).value();
  CHECK(view.state == RunState::paused);
  const json& attempts = view.document["steps"]["a"]["attempts"];
  CHECK(attempts[1]["output"] == json{{"key", "[secret]"}, {"n", 2}});
  CHECK(view.document["steps"]["a"]["output"] == json{{"key", "[secret]"}, {"n", 1}});
  CHECK(view.document.dump().find("k2") == std::string::npos);
  CHECK(unpausing_records(flow, "r1", json::object(), story.records).value().size() == 1);
}

TEST_CASE("divergence: only a task has a choice about it", "[runtime]") {
  const auto problem = [](const std::string& step) {
    const Result<Flow> flow = parse_flow(R"({"flow": "f", "steps": {"a": )" + step + "}}");
    return flow.error().problems.at(0).pointer + " " + flow.error().problems.at(0).code;
  };
  CHECK(problem(R"({"value": 1, "on_divergence": "fail"})") ==
        "/steps/a/on_divergence unknown_member");
  CHECK(problem(R"({"run": "x", "on_divergence": "both"})") ==
        "/steps/a/on_divergence unknown_word");
}

}  // namespace pause_test
