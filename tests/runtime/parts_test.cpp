// What comes to a plan while its run is under way: elements of maps, undos, and steps that may run
// at most once.
#include <pawl/doubts.hpp>
#include <pawl/limits.hpp>
#include <pawl/run_document.hpp>

#include "runtime/flow_machine.hpp"
#include "runtime/part_name.hpp"
#include "support/catch.hpp"
#include "support/story.hpp"

using namespace pawl;

namespace {

/// The machine of the same records in another process.
Story again(const Story& story, const std::string& steps, json input = json::object()) {
  Story other(R"({"flow": "f", "steps": {)" + steps + "}}", std::move(input));
  for (const Record& record : story.records)
    REQUIRE(other.machine.apply(Recorded{record}).has_value());
  other.records = story.records;
  return other;
}

Outcome failed(const std::string& step, Errc code) {
  return {RunState::failed, nullptr, RunError{code, step, "why"}};
}

const std::string fetches = R"("m": {"map": "{{input.urls}}", "run": "get", "max_parallel": 2,
  "with": {"url": "{{item}}", "n": "{{index}}"}}, "after": {"run": "x", "after": ["m"]})";

const json urls{{"urls", {"a", "b", "c"}}};

const std::string saga =
    R"("a": {"run": "x", "undo": {"run": "ux", "with": {"id": "{{output.id}}"}}},
  "b": {"run": "x", "after": ["a"], "undo": {"run": "ub"}},
  "c": {"run": "x", "after": ["b"]})";

}  // namespace

TEST_CASE("part names: what is written is read back, and nothing else is a part's name",
          "[runtime]") {
  for (const char* text : {"a", "a[0]", "a[17]", "a:undo", "a[3]:undo"})
    CHECK(part_name_from(text).str() == text);
  for (const char* text : {"a[", "a[]", "a[x]", "a[1", "a[1]x", "[", "a[-1]"}) {
    CHECK(part_name_from(text).step == text);
    CHECK_FALSE(part_name_from(text).element);
  }
}

// --- maps

TEST_CASE("map: elements run in their order, so many at once, and give an array", "[runtime]") {
  Story story = begun(fetches, urls);
  CHECK(story.started() == R"(start m[0]#1 {"n":0,"url":"a"}; start m[1]#1 {"n":1,"url":"b"})");
  CHECK(story.state("m") == "running");
  CHECK(story.state("m[2]") == "pending");
  CHECK(story.output("m[1]", 1, "B") == R"(start m[2]#1 {"n":2,"url":"c"})");
  CHECK(story.output("m[2]", 1, "C") == "");
  CHECK(story.output("m[0]", 1, "A") == R"(write output m ["A","B","C"])");
  CHECK(story.wrote("m", {"A", "B", "C"}) == "start after#1");
  CHECK(story.output("after", 1) == R"(end succeeded {"after":null})");
}

TEST_CASE("map: without a bound all run at once, and an empty array is done at once", "[runtime]") {
  const std::string all = R"("m": {"map": "{{input.urls}}", "run": "get"})";
  CHECK(begun(all, urls).started() == "start m[0]#1; start m[1]#1; start m[2]#1");
  Story none = begun(all, {{"urls", json::array()}});
  CHECK(none.started() == "write output m []");
  CHECK(none.wrote("m", json::array()) == R"(end succeeded {"m":[]})");
}

TEST_CASE("map: what is no array, or too large a one, fails the step", "[runtime]") {
  const std::string all = R"("m": {"map": "{{input.urls}}", "run": "get"})";
  Story story = begun(all, {{"urls", 7}});
  CHECK(story.started() ==
        R"(write receipt m {"code":"invalid_argument","message":"expected an array to map over, )"
        R"(found number"})");
  CHECK(story.failed("m", Errc::invalid_argument, "no array") == "end failed invalid_argument m");
  json many = json::array();
  for (std::size_t i = 0; i <= Limits::elements_max; ++i) many.push_back(0);
  CHECK_THAT(begun(all, {{"urls", many}}).started(), Catch::Contains("at most 10000 are allowed"));
}

TEST_CASE("map: elements whose outputs are too large together fail the step", "[runtime]") {
  Story story = begun(R"("m": {"map": ["p", "q"], "run": "get"})");
  story.started();
  const std::string large(Limits::output_bytes_max / 2, 'x');
  story.output("m[0]", 1, large);
  CHECK(story.output("m[1]", 1, large).find("write receipt m {\"code\":\"too_large\"") == 0);
}

TEST_CASE("map: an element has attempts, waits and a default of its own", "[runtime]") {
  const std::string steps = R"("m": {"map": "{{input.urls}}", "run": "get",
    "retry": {"max_attempts": 2}, "default": {"missing": "{{item}}"}})";
  Story story = begun(steps, {{"urls", {"a", "b"}}});
  story.started();
  CHECK(story.receipt("m[0]", 1, AttemptEnd::failed, 500) == "wait m[0]#2 until 500 at most 200");
  CHECK(story.state("m[0]") == "waiting");
  CHECK(story.over("m[0]", 2) == "open m[0]#2");
  CHECK(story.opened("m[0]", 2) == "start m[0]#2");
  CHECK(story.receipt("m[0]", 2, AttemptEnd::failed) == R"(write output m[0] {"missing":"a"})");
  CHECK(story.wrote("m[0]", {{"missing", "a"}}) == "");
  CHECK(story.output("m[1]", 1, 1) == R"(write output m [{"missing":"a"},1])");
}

TEST_CASE("map: an element that fails for good fails the map and its run", "[runtime]") {
  Story story = begun(fetches, urls);
  story.started();
  CHECK(story.receipt("m[1]", 1, AttemptEnd::fatal) == "");
  CHECK(story.state("m") == "failed");
  CHECK(story.machine.step_error(story.at("m"))->message == "element 1: fatal 1");
  CHECK(story.output("m[0]", 1, "A") == "end failed step_failed m[1]");
}

TEST_CASE("map: with on_error collect, failed elements stand in the array", "[runtime]") {
  const std::string steps = R"("m": {"map": [1, 2], "run": "get", "on_error": "collect"})";
  Story story = begun(steps);
  story.started();
  story.receipt("m[0]", 1, AttemptEnd::fatal);
  CHECK(story.output("m[1]", 1, "B") ==
        R"(write output m [{"error":{"code":"step_failed","message":"fatal 1"}},{"output":"B"}])");
  CHECK(story.state("m[0]") == "failed");
}

TEST_CASE("map: a restart goes on with the elements that have no output", "[runtime]") {
  Story story = begun(fetches, urls);
  story.started();
  story.output("m[1]", 1, "B");
  Story other = again(story, fetches, urls);
  const auto open = other.machine.attempts_open_before(2);
  REQUIRE(open.size() == 2);
  CHECK(other.machine.name(open[0].step) == "m[0]");
  CHECK(other.machine.name(open[1].step) == "m[2]");
  other.receipt("m[0]", 1, AttemptEnd::lost, 0, 2);
  other.receipt("m[2]", 1, AttemptEnd::lost, 0, 2);
  CHECK(other.resumed() == R"(start m[0]#2 {"n":0,"url":"a"}; start m[2]#2 {"n":2,"url":"c"})");
}

TEST_CASE("map: records that were heard in another order than they are stored are lawful",
          "[runtime]") {
  // Heard: the output of 0, which lets 2 begin; stored: the failure of 1 before it.
  Story story = begun(fetches, urls);
  story.started();
  story.receipt("m[1]", 1, AttemptEnd::fatal);
  story.output("m[0]", 1, "A");
  CHECK(story.output("m[2]", 1, "C") != "unlawful");
  Story cancelled = begun(fetches, urls);
  cancelled.started();
  cancelled.cancelled();
  cancelled.output("m[0]", 1, "A");
  CHECK(cancelled.output("m[2]", 1, "C") != "unlawful");
  CHECK(cancelled.output("m[3]", 1, "D") == "unlawful");
}

// --- undos

TEST_CASE("undo: a run that fails undoes what it did, the latest first, and then ends",
          "[runtime]") {
  Story story = begun(saga);
  story.started();
  story.output("a", 1, {{"id", 7}});
  story.output("b", 1);
  CHECK(story.receipt("c", 1, AttemptEnd::fatal) ==
        R"(write undoing  {"error":{"code":"step_failed","message":"fatal 1","step":"c"},)"
        R"("output":null,"state":"failed"})");
  CHECK(story.machine.state() == RunState::failing);
  CHECK(story.undoing(failed("c", Errc::step_failed)) == "start b:undo#1");
  CHECK(story.output("b:undo", 1) == R"(start a:undo#1 {"id":7})");
  CHECK(story.state("a:undo") == "running");
  CHECK(story.output("a:undo", 1) == "end failed step_failed c");
}

TEST_CASE("undo: nothing is undone in a run that succeeds, nor where nothing was done",
          "[runtime]") {
  Story good = begun(saga);
  good.started();
  good.output("a", 1);
  good.output("b", 1);
  CHECK(good.output("c", 1) == R"(end succeeded {"c":null})");
  Story early = begun(saga);
  early.started();
  CHECK(early.receipt("a", 1, AttemptEnd::fatal) == "end failed step_failed a");
}

TEST_CASE("undo: a cancelled run waits for its running attempts and undoes them too", "[runtime]") {
  Story story = begun(saga);
  story.started();
  CHECK(story.cancelled() == "cancel a#1");
  CHECK_THAT(story.output("a", 1, {{"id", 1}}), Catch::StartsWith("write undoing"));
  CHECK(story.undoing({RunState::cancelled, nullptr, RunError{Errc::cancelled, "", "x"}}) ==
        R"(start a:undo#1 {"id":1})");
  CHECK(story.output("a:undo", 1) == "end cancelled");
}

TEST_CASE("undo: a cancel that stands before it decides how the run ends, one after it does not",
          "[runtime]") {
  Story before = begun(saga);
  before.started();
  before.output("a", 1, {{"id", 1}});
  before.receipt("b", 1, AttemptEnd::fatal);
  before.cancelled();
  before.undoing(failed("b", Errc::step_failed));
  CHECK(before.output("a:undo", 1) == "end cancelled");
  Story after = begun(saga);
  after.started();
  after.output("a", 1, {{"id", 1}});
  after.receipt("b", 1, AttemptEnd::fatal);
  after.undoing(failed("b", Errc::step_failed));
  CHECK(after.cancelled() == "");
  CHECK(after.output("a:undo", 1) == "end failed step_failed b");
}

TEST_CASE("undo: it has attempts as any step, and one that fails for good is for a person",
          "[runtime]") {
  Story story = begun(saga);
  story.started();
  story.output("a", 1, {{"id", 1}});
  story.receipt("b", 1, AttemptEnd::fatal);
  story.undoing(failed("b", Errc::step_failed));
  CHECK(story.receipt("a:undo", 1, AttemptEnd::failed, 100) ==
        "wait a:undo#2 until 100 at most 200");
  CHECK(story.over("a:undo", 2) == "open a:undo#2");
  CHECK(story.opened("a:undo", 2) == R"(start a:undo#2 {"id":1})");
  CHECK(story.receipt("a:undo", 2, AttemptEnd::fatal) == "");
  CHECK(story.machine.state() == RunState::blocked);
  CHECK(story.machine.error()->code == Errc::undo_failed);
  CHECK(story.machine.error()->step == "a:undo");
  CHECK(story.unblocked() == "wait a:undo#3 until 0 at most 0");
  CHECK(story.machine.state() == RunState::failing);
  story.over("a:undo", 3);
  story.opened("a:undo", 3);
  CHECK(story.output("a:undo", 3) == "end failed step_failed b");
}

TEST_CASE("undo: a restart in the middle goes on undoing, and undoes nothing twice", "[runtime]") {
  Story story = begun(saga);
  story.started();
  story.output("a", 1, {{"id", 7}});
  story.output("b", 1);
  story.receipt("c", 1, AttemptEnd::fatal);
  story.undoing(failed("c", Errc::step_failed));
  story.output("b:undo", 1);
  Story other = again(story, saga);
  const auto open = other.machine.attempts_open_before(2);
  REQUIRE(open.size() == 1);
  CHECK(other.machine.name(open[0].step) == "a:undo");
  other.receipt("a:undo", 1, AttemptEnd::lost, 0, 2);
  CHECK(other.resumed() == R"(start a:undo#2 {"id":7})");
}

TEST_CASE("undo: before its record is written a restart asks for it again", "[runtime]") {
  Story story = begun(saga);
  story.started();
  story.output("a", 1, {{"id", 7}});
  story.receipt("b", 1, AttemptEnd::fatal);
  Story other = again(story, saga);
  CHECK_THAT(other.resumed(), Catch::StartsWith("write undoing"));
}

TEST_CASE("undo: elements of a map are undone one by one, with their items", "[runtime]") {
  Story story = begun(R"("m": {"map": ["p", "q"], "run": "x",
    "undo": {"run": "u", "with": {"of": "{{item}}", "made": "{{output}}"}}},
    "z": {"run": "x", "after": ["m"]})");
  story.started();
  story.output("m[1]", 1, "Q");
  story.output("m[0]", 1, "P");
  story.wrote("m", {"P", "Q"});
  story.receipt("z", 1, AttemptEnd::fatal);
  CHECK(story.undoing(failed("z", Errc::step_failed)) ==
        R"(start m[0]:undo#1 {"made":"P","of":"p"})");
  CHECK(story.output("m[0]:undo", 1) == R"(start m[1]:undo#1 {"made":"Q","of":"q"})");
  CHECK(story.output("m[1]:undo", 1) == "end failed step_failed z");
}

TEST_CASE("undo: a default is undone by nothing, for the step did nothing", "[runtime]") {
  Story story = begun(R"("a": {"run": "x", "default": 0, "undo": {"run": "u"}},
    "b": {"run": "x", "after": ["a"]})");
  story.started();
  story.receipt("a", 1, AttemptEnd::fatal);
  story.wrote("a", 0);
  CHECK(story.receipt("b", 1, AttemptEnd::fatal) == "end failed step_failed b");
}

TEST_CASE("undo: a run whose output cannot be made undoes what it did", "[runtime]") {
  Story story(R"({"flow": "f", "output": "{{steps.a.output.no}}",
    "steps": {"a": {"run": "x", "undo": {"run": "u"}}}})");
  story.resumed();
  story.started();
  CHECK_THAT(story.output("a", 1, 1), Catch::StartsWith("write undoing"));
  CHECK(story.undoing(failed("", Errc::unresolved_reference)) == "start a:undo#1");
  CHECK(story.output("a:undo", 1) == "end failed unresolved_reference ");
}

// --- at most once

TEST_CASE("at most once: a record of its own opens every attempt, the first too", "[runtime]") {
  Story story = begun(R"("a": {"run": "x", "at_most_once": true})");
  CHECK(story.started() == "wait a#1 until 0 at most 0");
  CHECK(story.over("a", 1) == "open a#1");
  CHECK(story.opened("a", 1) == "start a#1");
  CHECK(story.output("a", 1, 1) == R"(end succeeded {"a":1})");
}

TEST_CASE("at most once: what was not opened before a crash begins after it", "[runtime]") {
  const std::string steps = R"("a": {"run": "x", "at_most_once": true})";
  Story story = begun(steps);
  story.started();
  Story other = again(story, steps);
  CHECK(other.machine.attempts_open_before(2).empty());
  CHECK(other.resumed() == "wait a#1 until 0 at most 0");
}

TEST_CASE("at most once: an attempt of which nobody knows is for a person, by default",
          "[runtime]") {
  const std::string steps =
      R"("a": {"run": "x", "at_most_once": true}, "b": {"run": "x", "after": ["a"]})";
  Story story = begun(steps);
  story.started();
  story.over("a", 1);
  story.opened("a", 1);
  Story other = again(story, steps);
  REQUIRE(other.machine.attempts_open_before(2).size() == 1);
  other.receipt("a", 1, AttemptEnd::lost, 0, 2);
  CHECK(other.resumed() == "");
  CHECK(other.machine.state() == RunState::blocked);
  CHECK(other.machine.error()->code == Errc::in_doubt);
  SECTION("who knows that it happened gives its output") {
    CHECK(other.wrote("a", "it did") == "start b#1");
  }
  SECTION("who knows that it did not lets it run again") {
    CHECK(other.unblocked() == "wait a#2 until 0 at most 0");
  }
  SECTION("or the run is cancelled") {
    CHECK(other.cancelled() == "end cancelled");
  }
}

TEST_CASE("at most once: the flow says what becomes of a doubt", "[runtime]") {
  const auto lost = [](const std::string& in_doubt, const std::string& more = "") {
    Story story = begun(R"("a": {"run": "x", "at_most_once": true, "in_doubt": ")" + in_doubt +
                        "\"" + more + "}");
    story.started();
    story.over("a", 1);
    story.opened("a", 1);
    return story.receipt("a", 1, AttemptEnd::lost);
  };
  CHECK(lost("fail") == "end failed in_doubt a");
  CHECK(lost("fail", R"(, "default": 0)") == "write output a 0");
  CHECK(lost("retry") == "wait a#2 until 0 at most 0");
}

TEST_CASE("at most once: an answer that did not come in time leaves a doubt, a retry none",
          "[runtime]") {
  const std::string steps = R"("a": {"run": "x", "at_most_once": true})";
  Story late = begun(steps);
  late.started();
  late.over("a", 1);
  late.opened("a", 1);
  late.receipt("a", 1, AttemptEnd::timed_out, 100);
  CHECK(late.machine.state() == RunState::blocked);
  Story again = begun(steps);
  again.started();
  again.over("a", 1);
  again.opened("a", 1);
  CHECK(again.receipt("a", 1, AttemptEnd::failed, 100) == "wait a#2 until 100 at most 200");
}

// --- what is refused, and what is shown

TEST_CASE("parts: what makes no sense is refused with its place", "[runtime]") {
  const auto problem = [](const std::string& steps) {
    const Result<Flow> flow = parse_flow(R"({"flow": "f", "steps": {)" + steps + "}}");
    if (flow) return std::string("none");
    return flow.error().problems.front().pointer + " " + flow.error().problems.front().code;
  };
  CHECK(problem(R"("a": {"run": "x", "max_parallel": 2})") ==
        "/steps/a/max_parallel unknown_member");
  CHECK(problem(R"("a": {"run": "x", "in_doubt": "ask"})") == "/steps/a/in_doubt unknown_member");
  CHECK(problem(R"("a": {"map": [], "value": 1})") == "/steps/a/map unknown_member");
  CHECK(problem(R"("a": {"map": [1], "run": "x", "on_error": "ignore"})") ==
        "/steps/a/on_error unknown_word");
  CHECK(problem(R"("a": {"map": [1], "run": "x", "max_parallel": 0})") ==
        "/steps/a/max_parallel out_of_range");
  CHECK(problem(R"("a": {"map": "{{item}}", "run": "x"})") == "/steps/a/map bad_reference");
  CHECK(problem(R"("a": {"run": "x", "with": {"i": "{{item}}"}})") ==
        "/steps/a/with/i bad_reference");
  CHECK(problem(R"("a": {"run": "x", "with": {"i": "{{output}}"}})") ==
        "/steps/a/with/i bad_reference");
  CHECK(problem(R"("a": {"run": "x", "undo": {"with": {}}})") == "/steps/a/undo missing_member");
  CHECK(problem(R"("a": {"run": "x", "undo": {"run": "u", "with": {"i": "{{item}}"}}})") ==
        "/steps/a/undo/with/i bad_reference");
  CHECK(problem(R"("a": {"run": "x", "undo": {"run": "u", "with": {"i": "{{steps.b.output}}"}}},
                  "b": {"run": "x"})") == "/steps/a/undo/with/i not_before");
  CHECK(problem(R"("a": {"run": "x"}, "b": {"run": "x", "after": ["a"],
                  "undo": {"run": "u", "with": {"i": "{{steps.a.output}}"}}})") == "none");
  CHECK(problem(R"("a": {"run": "x", "at_most_once": 1})") == "/steps/a/at_most_once wrong_kind");
  CHECK(problem(R"("a": {"map": [1], "run": "x", "on_error": "collect", "default": 1})") ==
        "/steps/a/default never_used");
  CHECK(problem(R"("a": {"run": "x", "on_failure": "ask", "default": 1})") ==
        "/steps/a/default never_used");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": 7})") == "/steps/a/one_at_a_time wrong_kind");
  CHECK(problem(R"("a": {"value": 7, "one_at_a_time": "k"})") ==
        "/steps/a/one_at_a_time unknown_member");
  CHECK(problem(R"("a": {"child": {"flow": "g", "steps": {"b": {"run": "x"}}},
                  "one_at_a_time": "k"})") == "/steps/a/one_at_a_time unknown_member");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": "k{{item}}"})") ==
        "/steps/a/one_at_a_time bad_reference");
  CHECK(problem(R"("a": {"map": [1], "run": "x", "one_at_a_time": "k{{item}}{{index}}"})") ==
        "none");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": "{{output}}"})") ==
        "/steps/a/one_at_a_time bad_reference");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": "{{steps.b.output}}"})") ==
        "/steps/a/one_at_a_time unknown_step");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": "{{steps.a.output}}"})") ==
        "/steps/a/one_at_a_time self_dependency");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": "{{steps.b.output}}"},
                  "b": {"run": "x", "after": ["a"]})") == "/steps/a cycle");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": ")" + std::string(257, 'k') + "\"}") ==
        "/steps/a/one_at_a_time too_large");
  CHECK(problem(R"("a": {"run": "x", "one_at_a_time": ")" + std::string(256, 'k') + "\"}") ==
        "none");
  CHECK(problem(R"("a": {"run": "x", "undo": {"run": "u", "one_at_a_time": "{{item}}"}})") ==
        "/steps/a/undo/one_at_a_time bad_reference");
  CHECK(problem(R"("a": {"run": "x", "undo": {"run": "u", "one_at_a_time": "{{steps.b.output}}"}},
                  "b": {"run": "x"})") == "/steps/a/undo/one_at_a_time not_before");
  CHECK(problem(R"("a": {"run": "x", "undo": {"run": "u", "one_at_a_time": "{{output.k}}"}})") ==
        "none");
  CHECK(problem(R"("a": {"run": "x", "on_failure": "wait"})") ==
        "/steps/a/on_failure unknown_word");
}

TEST_CASE("parts: a run's document shows elements and undos within their steps", "[runtime]") {
  const std::string steps = R"("m": {"map": [1, 2], "run": "x", "secret": ["output.key"],
    "undo": {"run": "u"}}, "z": {"run": "x", "after": ["m"]})";
  Story story = begun(steps);
  story.started();
  story.output("m[0]", 1, {{"key", "k"}, {"n", 1}});
  story.output("m[1]", 1, {{"key", "l"}, {"n", 2}});
  story.wrote("m", {{{"key", "k"}, {"n", 1}}, {{"key", "l"}, {"n", 2}}});
  story.receipt("z", 1, AttemptEnd::fatal);
  story.undoing(failed("z", Errc::step_failed));
  story.output("m[1]:undo", 1);
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {)" + steps + "}}").value();
  const json shown = view_run(flow, "r1", json::object(), story.records).value().document["steps"];
  CHECK(shown["m"]["state"] == "succeeded");
  CHECK(shown["m"]["elements"].size() == 2);
  CHECK(shown["m"]["elements"][0]["attempts"].size() == 1);
  CHECK(shown["m"]["elements"][0]["undo"]["state"] == "running");
  CHECK(shown["m"]["elements"][1]["undo"]["state"] == "succeeded");
  CHECK_THAT(shown.dump(), !Catch::Contains("\"k\"") && !Catch::Contains("\"l\""));
  const auto lines = explain_run(flow, "r1", json::object(), story.records, "m", 0).value();
  CHECK_THAT(lines,
             Catch::VectorContains(std::string("step m[0]:undo (u): running, attempt 1 is open")));
}

TEST_CASE("undo: a restart of a cancelled run does not cancel what undoes it", "[runtime]") {
  Story story = begun(saga);
  story.started();
  story.cancelled();
  story.output("a", 1, {{"id", 1}});
  story.undoing({RunState::cancelled, nullptr, RunError{Errc::cancelled, "", "x"}});
  Story other = again(story, saga);
  other.receipt("a:undo", 1, AttemptEnd::lost, 0, 2);
  CHECK(other.resumed() == R"(start a:undo#2 {"id":1})");
}

// --- fail

TEST_CASE("fail: the run fails with its words, and undoes what it did", "[runtime]") {
  Story story = begun(R"("a": {"run": "x", "undo": {"run": "u"}},
    "no": {"fail": "no more than {{input.max}}, and a said {{steps.a.output}}"})",
                      {{"max", 3}});
  story.started();
  CHECK(story.output("a", 1, "so") ==
        R"(write receipt no {"code":"step_failed","message":"no more than 3, and a said so"})");
  CHECK_THAT(story.failed("no", Errc::step_failed, "no more"), Catch::StartsWith("write undoing"));
}

// --- what came of a review

TEST_CASE("at most once: code that threw, or was killed, leaves a doubt, and one that answers none",
          "[runtime]") {
  AttemptFacts facts;
  facts.step = "a";
  facts.at_most_once = true;
  const auto code_of = [&](StepResult result, Cancellation::Reason reason) {
    const Record record = conclude(facts, std::move(result), reason);
    return std::string(to_string(record.end)) + " " +
           std::string(to_string(error_from_body(record.body).code));
  };
  CHECK(code_of(unclear("threw"), Cancellation::Reason::none) == "failed in_doubt");
  CHECK(code_of(retry("not now"), Cancellation::Reason::none) == "failed step_failed");
  CHECK(code_of(unclear("killed"), Cancellation::Reason::interrupted) == "interrupted in_doubt");
  CHECK(code_of(retry("stopped"), Cancellation::Reason::interrupted) == "interrupted closed");
  CHECK(code_of(fail("never"), Cancellation::Reason::interrupted) == "fatal step_failed");
  facts.at_most_once = false;
  CHECK(code_of(unclear("threw"), Cancellation::Reason::none) == "failed step_failed");
  CHECK(code_of(fail("never"), Cancellation::Reason::interrupted) == "interrupted closed");
}

TEST_CASE("at most once: an unblock lets go on what was blocked then, and nothing since",
          "[runtime]") {
  const std::string steps = R"("y": {"run": "x", "at_most_once": true})";
  Story story = begun(steps);
  story.started();
  story.over("y", 1);
  story.opened("y", 1);
  story.receipt("y", 1, AttemptEnd::timed_out);
  const std::vector<Record> unblocking = story.machine.unblocking();
  REQUIRE(unblocking.size() == 1);
  CHECK(unblocking[0].step == "y");
  CHECK(unblocking[0].attempt == 1);
  Record other = unblocking[0];
  other.step = "z";
  REQUIRE(story.machine.apply(Recorded{other}).has_value());
  CHECK(story.machine.state() == RunState::blocked);
  REQUIRE(story.machine.apply(Recorded{unblocking[0]}).has_value());
  CHECK(story.machine.state() == RunState::waiting);
}

TEST_CASE("at most once: with retry, ten crashes in a row block the run as with any step",
          "[runtime]") {
  Story story = begun(R"("a": {"run": "x", "at_most_once": true, "in_doubt": "retry"})");
  story.started();
  for (int attempt = 1; attempt <= Limits::lost_attempts_max; ++attempt) {
    story.over("a", attempt);
    story.opened("a", attempt);
    story.receipt("a", attempt, AttemptEnd::lost);
  }
  CHECK(story.machine.error()->code == Errc::crash_loop);
}

TEST_CASE("undo: it may not name a step that a branch may exclude", "[runtime]") {
  const Result<Flow> flow = parse_flow(R"({"flow": "f", "steps": {
    "b": {"if": {"exists": "{{input.x?}}"}}, "x": {"run": "x", "when": "b"}, "w": {"run": "x"},
    "y": {"run": "x", "after": ["x", "w"], "undo": {"run": "u", "with": {"x": "{{steps.x.output}}"}}}}})");
  REQUIRE_FALSE(flow.has_value());
  CHECK(flow.error().problems.front().code == "may_be_excluded");
}

TEST_CASE("doubts: an attempt without an answer, and whether another followed it", "[runtime]") {
  const auto record = [](AttemptEnd end, const std::string& step, int attempt, Errc code) {
    Record made;
    made.kind = end == AttemptEnd::succeeded ? RecordKind::output : RecordKind::receipt;
    made.end = end;
    made.step = step;
    made.attempt = attempt;
    made.started_ms = 5;
    if (made.kind == RecordKind::receipt) made.body = error_body(code, "why");
    return made;
  };
  const std::vector<Record> records{record(AttemptEnd::lost, "a", 1, Errc::internal),
                                    record(AttemptEnd::succeeded, "a", 2, Errc::internal),
                                    record(AttemptEnd::failed, "b", 1, Errc::step_failed),
                                    record(AttemptEnd::succeeded, "b", 2, Errc::internal),
                                    record(AttemptEnd::timed_out, "c[1]", 1, Errc::deadline),
                                    record(AttemptEnd::failed, "d", 1, Errc::in_doubt)};
  const std::vector<Doubt> doubts = doubts_of("r1", records);
  REQUIRE(doubts.size() == 3);
  CHECK(doubts[0].key == "r1/a");
  CHECK(doubts[0].kind == Doubt::Kind::repeated);
  CHECK(doubts[1].key == "r1/c[1]");
  CHECK(doubts[1].kind == Doubt::Kind::undecided);
  CHECK(doubts[2].key == "r1/d");
  CHECK(doubts[2].attempts == std::vector<int>{1});
}

TEST_CASE("at most once: a doubt opens the same elements in whichever order failures are heard",
          "[runtime]") {
  // Heard: the doubt of 0, which lets 1 begin; stored: the failure of another step before it.
  const std::string steps = R"("m": {"map": [1, 2], "run": "x", "max_parallel": 1,
    "at_most_once": true, "in_doubt": "fail", "on_error": "collect"}, "x": {"run": "x"})";
  Story story = begun(steps);
  story.started();
  story.over("m[0]", 1);
  story.opened("m[0]", 1);
  story.receipt("x", 1, AttemptEnd::fatal);
  story.receipt("m[0]", 1, AttemptEnd::timed_out);
  CHECK(story.opened("m[1]", 1) != "unlawful");
  CHECK(story.output("m[1]", 1, 2) != "unlawful");
}

TEST_CASE("at most once: an output that a person gave is lawful behind a failure heard after it",
          "[runtime]") {
  Story story = begun(R"("y": {"run": "x", "at_most_once": true}, "x": {"run": "x"})");
  story.started();
  story.over("y", 1);
  story.opened("y", 1);
  story.receipt("x", 1, AttemptEnd::fatal);
  story.receipt("y", 1, AttemptEnd::timed_out);
  CHECK(story.wrote("y", "it did") != "unlawful");
}
