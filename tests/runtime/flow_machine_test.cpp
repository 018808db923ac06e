#include "runtime/flow_machine.hpp"

#include <pawl/limits.hpp>

#include "support/catch.hpp"
#include "support/story.hpp"

using namespace pawl;

namespace {

const std::string one = R"({"flow": "f", "steps": {"a": {"run": "x"}}})";
const std::string chain = R"({"flow": "f", "steps": {"a": {"run": "x"},
  "b": {"run": "x", "with": {"v": "{{steps.a.output}}"}}}})";
const std::string fork_join = R"({"flow": "f", "steps": {"a": {"run": "x"},
  "b": {"run": "x", "after": ["a"]}, "c": {"run": "x", "after": ["a"]},
  "d": {"run": "x", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}}}})";
const std::string two = R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x"}}})";

const Outcome good_end{RunState::succeeded, nullptr, std::nullopt};

}  // namespace

TEST_CASE("machine: nothing starts before the stored records are applied", "[runtime]") {
  Story story(one);
  CHECK(story.started() == "");
  CHECK(story.resumed() == "start a#1");
}

TEST_CASE("machine: a step starts when the last output that it needs is durable", "[runtime]") {
  Story story(fork_join);
  story.resumed();
  CHECK(story.started() == "start a#1");
  CHECK(story.output("a", 1) == "start b#1; start c#1");
  CHECK(story.output("c", 1, "C") == "");
  CHECK(story.state("d") == "pending");
  CHECK(story.output("b", 1, "B") == R"(start d#1 {"b":"B","c":"C"})");
  CHECK(story.output("d", 1, 7) == R"(end succeeded {"d":7})");
  CHECK(story.machine.ending());
  CHECK(story.ended(good_end) == "");
  CHECK(story.machine.state() == RunState::succeeded);
}

TEST_CASE("machine: a run's output is its own, or that of its last steps", "[runtime]") {
  Story last(two);
  last.resumed();
  last.started();
  last.output("a", 1, 1);
  CHECK(last.output("b", 1, {{"x", 2}}) == R"(end succeeded {"a":1,"b":{"x":2}})");
  Story own(
      R"({"flow": "f", "steps": {"a": {"run": "x"}}, "output": ["{{steps.a.output.x}}", "{{run.id}}"]})");
  own.resumed();
  own.started();
  CHECK(own.output("a", 1, {{"x", 2}}) == R"(end succeeded [2,"r1"])");
}

TEST_CASE("machine: an output that cannot be resolved fails the run, not the steps", "[runtime]") {
  Story story(
      R"({"flow": "f", "steps": {"a": {"run": "x"}}, "output": "{{steps.a.output.gone}}"})");
  story.resumed();
  story.started();
  CHECK(story.output("a", 1, 1) == "end failed unresolved_reference ");
  CHECK(story.state("a") == "succeeded");
}

TEST_CASE("machine: parameters that cannot be resolved are told with the start", "[runtime]") {
  Story story(
      R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x", "with": {"v": "{{steps.a.output.gone}}"}}}})");
  story.resumed();
  story.started();
  CHECK(story.output("a", 1, 1) == "start b#1 unresolved_reference");
}

TEST_CASE("machine: a failed attempt waits, opens durably, and starts", "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  CHECK(story.receipt("a", 1, AttemptEnd::failed, 5000) == "wait a#2 until 5000 at most 200");
  CHECK(story.machine.state() == RunState::waiting);
  CHECK(story.machine.due_ms() == 5000);
  CHECK(story.over("a", 2) == "open a#2");
  CHECK(story.over("a", 2) == "");
  CHECK(story.opened("a", 2) == "start a#2");
  CHECK(story.receipt("a", 2, AttemptEnd::timed_out, 6000) == "wait a#3 until 6000 at most 400");
  CHECK(story.state("a") == "waiting");
}

TEST_CASE("machine: the last allowed failure fails the run and names the step", "[runtime]") {
  Story story(chain);
  story.resumed();
  story.started();
  story.receipt("a", 1, AttemptEnd::failed, 1);
  story.over("a", 2);
  story.opened("a", 2);
  story.receipt("a", 2, AttemptEnd::timed_out, 1);
  story.over("a", 3);
  story.opened("a", 3);
  CHECK(story.receipt("a", 3, AttemptEnd::failed) == "end failed attempts_exhausted a");
  CHECK(story.machine.error()->message == "failed 3");
  story.ended({RunState::failed, nullptr, story.machine.error()});
  CHECK(story.state("a") == "failed");
  CHECK(story.state("b") == "not_started");
}

TEST_CASE("machine: a fatal answer fails the run at once", "[runtime]") {
  Story story(chain);
  story.resumed();
  story.started();
  CHECK(story.receipt("a", 1, AttemptEnd::fatal) == "end failed step_failed a");
}

TEST_CASE("machine: when a step fails, running siblings finish and nothing new starts",
          "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x"}, "c": {"run": "x"},
    "after_b": {"run": "x", "after": ["b"]}}})");
  story.resumed();
  CHECK(story.started() == "start a#1; start b#1; start c#1");
  CHECK(story.receipt("a", 1, AttemptEnd::fatal) == "");
  CHECK(story.machine.state() == RunState::failing);
  CHECK(story.output("b", 1) == "");
  CHECK(story.receipt("c", 1, AttemptEnd::failed, 9) == "end failed step_failed a");
  story.ended({RunState::failed, nullptr, story.machine.error()});
  CHECK(story.state("b") == "succeeded");
  CHECK(story.state("c") == "failed");
  CHECK(story.state("after_b") == "not_started");
}

TEST_CASE("machine: the first failure is the one that is told", "[runtime]") {
  Story story(two);
  story.resumed();
  story.started();
  story.receipt("b", 1, AttemptEnd::fatal);
  CHECK(story.receipt("a", 1, AttemptEnd::fatal) == "end failed step_failed b");
}

TEST_CASE("machine: a cancel stops waits at once and running attempts when they answer",
          "[runtime]") {
  Story story(two);
  story.resumed();
  story.started();
  story.receipt("a", 1, AttemptEnd::failed, 1000);
  CHECK(story.cancelled() == "cancel b#1");
  CHECK(story.machine.state() == RunState::cancelling);
  CHECK(story.over("a", 2) == "");
  CHECK(story.receipt("b", 1, AttemptEnd::cancelled) == "end cancelled");
  story.ended({RunState::cancelled, nullptr, RunError{Errc::cancelled, "", ""}});
  CHECK(story.state("a") == "cancelled");
  CHECK(story.state("b") == "cancelled");
}

TEST_CASE("machine: an attempt whose opening a cancel overtook never starts, live or replayed",
          "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  story.receipt("a", 1, AttemptEnd::failed, 1000);
  CHECK(story.over("a", 2) == "open a#2");
  CHECK(story.cancelled() == "end cancelled");
  story.postponed();
  CHECK(story.opened("a", 2) == "end cancelled");
  CHECK(story.state("a") == "cancelled");

  Story replayed(one);
  for (const Record& record : story.records)
    REQUIRE(replayed.machine.apply(Recorded{record}).has_value());
  CHECK(replayed.machine.attempts_open_before(99).empty());
  CHECK(replayed.resumed() == "end cancelled");
}

TEST_CASE("machine: an attempt whose opening a failure overtook never starts, live or replayed",
          "[runtime]") {
  Story story(two);
  story.resumed();
  story.started();
  story.receipt("a", 1, AttemptEnd::failed, 1000);
  CHECK(story.over("a", 2) == "open a#2");
  CHECK(story.receipt("b", 1, AttemptEnd::fatal) == "end failed step_failed b");
  story.postponed();
  CHECK(story.opened("a", 2) == "end failed step_failed b");

  Story replayed(two);
  for (const Record& record : story.records)
    REQUIRE(replayed.machine.apply(Recorded{record}).has_value());
  CHECK(replayed.receipt("a", 2, AttemptEnd::lost, 0, 2) == "");
  CHECK(replayed.resumed() == "end failed step_failed b");
}

TEST_CASE("machine: a wait that ends before its run goes on is asked for again", "[runtime]") {
  Story story(one);
  story.started();
  story.receipt("a", 1, AttemptEnd::failed, 1000);
  CHECK(story.over("a", 2) == "");
  CHECK(story.resumed() == "wait a#2 until 1000 at most 200");
}

TEST_CASE("machine: what a cancelled step still completes is kept, and starts nothing",
          "[runtime]") {
  Story story(chain);
  story.resumed();
  story.started();
  story.cancelled();
  CHECK(story.output("a", 1, 1) == "end cancelled");
  CHECK(story.state("a") == "succeeded");
}

TEST_CASE("machine: a cancel wins over a failure and over success, until the end is known",
          "[runtime]") {
  Story failing(two);
  failing.resumed();
  failing.started();
  failing.receipt("a", 1, AttemptEnd::fatal);
  CHECK(failing.cancelled() == "cancel b#1");
  CHECK(failing.output("b", 1) == "end cancelled");

  Story done(one);
  done.started();
  done.output("a", 1);
  done.cancelled();
  CHECK(done.resumed() == "end cancelled");
}

TEST_CASE("machine: an end that was postponed is asked for again, as it is then", "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  CHECK(story.output("a", 1) == R"(end succeeded {"a":null})");
  CHECK(story.postponed() == "");
  CHECK_FALSE(story.machine.ending());
  CHECK(story.cancelled() == "end cancelled");
}

TEST_CASE("machine: a cancelled run that was recovered ends without starting anything",
          "[runtime]") {
  Story story(two);
  story.started(1);
  story.cancelled();
  CHECK(story.machine.attempts_open_before(2).size() == 2);
  story.receipt("a", 1, AttemptEnd::lost, 0, 2);
  story.receipt("b", 1, AttemptEnd::lost, 0, 2);
  CHECK(story.resumed() == "end cancelled");
}

TEST_CASE("machine: a log may hold a failure before what was opened without knowing of it",
          "[runtime]") {
  // Messages and log may differ in their order: the machine that wrote this heard of c and d before
  // b.
  Story story(
      R"({"flow": "f", "steps": {"b": {"run": "x"}, "c": {"run": "x"}, "d": {"run": "x"}}})");
  story.started();
  CHECK(story.receipt("b", 1, AttemptEnd::fatal) == "");
  CHECK(story.receipt("c", 1, AttemptEnd::failed, 5) == "");
  CHECK(story.opened("c", 2) == "");
  CHECK(story.output("c", 2) == "");
  CHECK(story.receipt("d", 1, AttemptEnd::lost) == "");
  CHECK(story.output("d", 2) == "");
  CHECK(story.resumed() == "end failed step_failed b");
}

TEST_CASE("machine: a step that was lost and then cancelled had begun", "[runtime]") {
  Story story(two);
  story.started(1);
  story.receipt("a", 1, AttemptEnd::lost, 0, 2);
  story.cancelled();
  story.ended({RunState::cancelled, nullptr, RunError{Errc::cancelled, "", ""}});
  CHECK(story.state("a") == "cancelled");
  CHECK(story.state("b") == "not_started");
}

TEST_CASE("machine: only attempts of earlier epochs were open at the crash", "[runtime]") {
  Story story(fork_join);
  story.started(1);
  story.output("a", 1, nullptr, 1);
  story.output("b", 1, nullptr, 2);
  const auto open = [&](std::int64_t epoch) {
    return story.machine.attempts_open_before(epoch).size();
  };
  CHECK(open(1) == 0);  // c was opened in epoch 1 and is still open
  CHECK(open(2) == 1);
  CHECK(open(3) == 1);
}

TEST_CASE("machine: a lost attempt is followed by the next one at once, and does not count",
          "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"max_attempts": 1}}}})");
  story.started(1);
  CHECK(story.receipt("a", 1, AttemptEnd::lost, 0, 2) == "");
  CHECK(story.resumed() == "start a#2");
  CHECK(story.machine.attempts_open_before(2).empty());
  CHECK(story.machine.attempts_open_before(3).size() == 1);
}

TEST_CASE("machine: attempts are counted over restarts", "[runtime]") {
  Story before(one);
  before.resumed();
  before.started();
  before.receipt("a", 1, AttemptEnd::failed, 1);
  before.over("a", 2);
  before.opened("a", 2);
  before.receipt("a", 2, AttemptEnd::failed, 1);

  Story after(one);
  for (const Record& record : before.records)
    REQUIRE(after.machine.apply(Recorded{record}).has_value());
  CHECK(after.resumed() == "wait a#3 until 1 at most 400");
  after.over("a", 3);
  after.opened("a", 3);
  CHECK(after.receipt("a", 3, AttemptEnd::failed) == "end failed attempts_exhausted a");
}

TEST_CASE(
    "machine: a step that is lost too often in a row blocks its run until a person unblocks it",
    "[runtime]") {
  Story story(one);
  story.started(1);
  int attempt = 1;
  for (; attempt < Limits::lost_attempts_max; ++attempt)
    story.receipt("a", attempt, AttemptEnd::lost, 0, attempt + 1);
  CHECK(story.machine.state() == RunState::running);
  story.receipt("a", attempt, AttemptEnd::lost, 0, attempt + 1);
  CHECK(story.resumed() == "");
  CHECK(story.machine.state() == RunState::blocked);
  CHECK(story.machine.error()->code == Errc::crash_loop);
  CHECK(story.machine.error()->step == "a");
  CHECK(story.unblocked() == "wait a#11 until 0 at most 0");
  CHECK(story.over("a", 11) == "open a#11");
  CHECK(story.opened("a", 11) == "start a#11");
}

TEST_CASE("machine: the parameters of an attempt are those that the next ones must have",
          "[runtime]") {
  Story story(one);
  story.started();
  CHECK(story.resumed() == "start a#1");
  story.receipt_with("a", 1, AttemptEnd::failed, Errc::step_failed, 1);
  story.over("a", 2);
  CHECK(story.opened("a", 2) == "start a#2 like " + digest_of("1").hex());
  CHECK(story.receipt_with("a", 2, AttemptEnd::fatal, Errc::inputs_differ, 2) == "");
  CHECK(story.machine.state() == RunState::blocked);
  CHECK(story.machine.error()->code == Errc::inputs_differ);
  CHECK(story.unblocked() == "wait a#3 until 0 at most 0");
  story.over("a", 3);
  CHECK(story.opened("a", 3) == "start a#3 like " + digest_of("2").hex());
}

TEST_CASE("machine: a step that asks when it fails blocks its run until a person sees to it",
          "[runtime]") {
  const std::string flow = R"({"flow": "f", "steps": {
    "a": {"run": "x", "on_failure": "ask", "retry": {"max_attempts": 1}},
    "b": {"run": "x", "after": ["a"]}, "c": {"run": "x"}}})";
  Story story(flow);
  story.started();
  CHECK(story.resumed() == "start a#1; start c#1");
  CHECK(story.receipt("a", 1, AttemptEnd::failed) == "");
  CHECK(story.machine.state() == RunState::running);  // c goes on
  story.output("c", 1);
  CHECK(story.machine.state() == RunState::blocked);
  CHECK(story.machine.error()->code == Errc::attempts_exhausted);
  CHECK(story.machine.error()->message ==
        "failed 1; see to it, then unblock the run to try again, or give its output");
  CHECK(story.unblocked() == "wait a#2 until 0 at most 0");
  story.over("a", 2);
  CHECK(story.opened("a", 2) == "start a#2");
  CHECK(story.receipt("a", 2, AttemptEnd::fatal) == "");
  CHECK(story.machine.error()->code == Errc::step_failed);

  Story after(flow);
  for (const Record& record : story.records)
    REQUIRE(after.machine.apply(Recorded{record}).has_value());
  CHECK(after.resumed() == "");
  CHECK(after.machine.state() == RunState::blocked);
  CHECK(after.wrote("a", 7) == "start b#1");
  CHECK(after.machine.state() == RunState::running);
}

TEST_CASE("machine: a run that fails or is cancelled asks nobody", "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"a": {"run": "x", "on_failure": "ask"},
                                         "b": {"run": "x"}}})");
  story.started();
  story.resumed();
  const bool cancelled = GENERATE(true, false);
  if (cancelled)
    story.cancelled();
  else
    story.receipt("b", 1, AttemptEnd::fatal);
  const std::string end = story.receipt("a", 1, AttemptEnd::fatal);
  if (cancelled)
    CHECK(story.receipt("b", 1, AttemptEnd::cancelled) == "end cancelled");
  else
    CHECK(end == "end failed step_failed b");
}

TEST_CASE("machine: crashes between which the run gets on are no loop", "[runtime]") {
  json steps{{"slow", {{"run", "x"}}}};
  for (int i = 0; i < 15; ++i) steps["s" + std::to_string(100 + i)] = {{"run", "x"}};
  Story story(json{{"flow", "f"}, {"steps", steps}}.dump());
  story.started(1);
  for (int i = 0; i < 15; ++i) {
    story.output("s" + std::to_string(100 + i), 1, nullptr, i + 1);
    story.receipt("slow", i + 1, AttemptEnd::lost, 0, i + 2);
  }
  CHECK(story.machine.state() == RunState::running);
}

TEST_CASE("machine: an interrupted attempt is followed by the next one, and does not count",
          "[runtime]") {
  Story story(R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"max_attempts": 1}}}})");
  story.started(1);
  story.receipt("a", 1, AttemptEnd::interrupted);
  CHECK(story.machine.attempts_open_before(2).empty());
  CHECK(story.resumed() == "wait a#2 until 0 at most 0");
}

TEST_CASE("machine: a step type that is missing blocks the run and nothing else", "[runtime]") {
  Story story(two);
  story.resumed();
  story.started();
  story.receipt("a", 1, AttemptEnd::interrupted);
  CHECK(story.type_missing("a") == "");
  CHECK(story.machine.state() == RunState::running);
  story.output("b", 1);
  CHECK(story.machine.state() == RunState::blocked);
  CHECK(story.machine.error()->code == Errc::unknown_step_type);
  CHECK(story.state("a") == "blocked");
  CHECK(story.machine.attempts_open_before(99).empty());
}

TEST_CASE("machine: a blocked run can be cancelled", "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  story.receipt("a", 1, AttemptEnd::interrupted);
  story.type_missing("a");
  CHECK(story.cancelled() == "end cancelled");
}

TEST_CASE("machine: nothing but late receipts follows the end", "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  story.output("a", 1);
  story.ended(good_end);
  CHECK(story.receipt("a", 1, AttemptEnd::late) == "");
  CHECK(story.receipt("a", 1, AttemptEnd::diverged) == "");
  CHECK(story.receipt("a", 1, AttemptEnd::succeeded) == "");
  CHECK(story.receipt("a", 1, AttemptEnd::lost) == "unlawful");
  CHECK(story.cancelled() == "unlawful");
  CHECK(story.output("a", 2) == "unlawful");
  CHECK(story.ended(good_end) == "unlawful");
  CHECK(story.machine.state() == RunState::succeeded);
}

TEST_CASE("machine: a failure of no attempt is unlawful while an attempt of the task is open",
          "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  CHECK(story.failed("a", Errc::step_failed, "why") == "unlawful");
  CHECK(story.state("a") == "running");
  CHECK(story.receipt("a", 1, AttemptEnd::failed, 5000) == "wait a#2 until 5000 at most 200");
  CHECK(story.failed("a", Errc::step_failed, "why") == "unlawful");
  CHECK(story.over("a", 2) == "open a#2");
  CHECK(story.failed("a", Errc::step_failed, "why") == "unlawful");
}

TEST_CASE("machine: a timer that is still under way at the end asks for nothing", "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  CHECK(story.receipt("a", 1, AttemptEnd::failed, 5000) == "wait a#2 until 5000 at most 200");
  // Another program's doing: no machine asks for an end while a step waits.
  REQUIRE(story.ended({RunState::failed, nullptr, RunError{Errc::step_failed, "a", "why"}}) == "");
  CHECK(story.over("a", 2) == "");
  CHECK(story.type_missing("a") == "");
  CHECK(story.postponed() == "");
  CHECK(story.state("a") == "failed");
}

TEST_CASE("machine: an unlawful record changes nothing and is named", "[runtime]") {
  Story story(chain);
  story.resumed();
  story.started();
  Record early;
  early.kind = RecordKind::output;
  early.end = AttemptEnd::succeeded;
  early.step = "b";
  early.attempt = 1;
  early.body = "1";
  early.seq = 17;
  const Result<Commands> refused = story.machine.apply(Recorded{early});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::corrupt);
  CHECK(refused.error().message.find("record 17, output (succeeded) of step b, attempt 1") !=
        std::string::npos);
  CHECK(story.output("a", 1, 1) == R"(start b#1 {"v":1})");
}

// Every phase of a step × every record about it: which may follow. One row per phase, one column
// per record; + is lawful. This is the table of flow_machine.hpp, seen from outside.
TEST_CASE("machine: which records may follow in which phase", "[runtime]") {
  struct Row {
    std::string phase;
    std::string lawful;  // opened, output, failed, fatal, timed_out, lost, interrupted, cancelled,
                         // late, diverged
    std::vector<std::string> script;
  };

  const auto row = GENERATE(values<Row>({
      {"pending", "--------++", {}},
      {"open", "-+++++++++", {"a done"}},
      {"backoff", "+-------++", {"a done", "b failed"}},
      {"opening", "+-------++", {"a done", "b failed", "b over"}},
      {"open again", "-+++++++++", {"a done", "b failed", "b over", "b opened"}},
      {"succeeded", "--------++", {"a done", "b done"}},
      {"failed", "--------++", {"a done", "b fatal"}},
      {"unstartable", "--------++", {"a done", "b failed", "b missing"}},
      {"stopped", "+-------++", {"a done", "b failed", "cancel"}},
      {"stopped while opening", "+-------++", {"a done", "b failed", "b over", "cancel"}},
      {"stopped, then opened",
       "+-------++",
       {"a done", "b failed", "b over", "cancel", "b opened"}},
      {"stopped by a failure", "+-------++", {"a done", "c fatal", "b failed"}},
  }));
  CAPTURE(row.phase);
  const auto told = [&] {
    Story story(
        R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x", "after": ["a"]}, "c": {"run": "x"}}})");
    story.resumed();
    story.started();
    for (const std::string& word : row.script) {
      if (word == "a done") story.output("a", 1);
      if (word == "b done") story.output("b", 1);
      if (word == "b failed") story.receipt("b", 1, AttemptEnd::failed, 5);
      if (word == "c fatal") story.receipt("c", 1, AttemptEnd::fatal);
      if (word == "b fatal") story.receipt("b", 1, AttemptEnd::fatal);
      if (word == "b over") story.over("b", 2);
      if (word == "b opened") story.opened("b", 2);
      if (word == "b missing") story.type_missing("b");
      if (word == "cancel") story.cancelled();
    }
    return story;
  };
  const int current = told().machine.attempts(1);
  const auto mark = [](const std::string& commands) { return commands == "unlawful" ? '-' : '+'; };
  std::string lawful;
  lawful += mark(told().opened("b", current + 1));
  lawful += mark(told().output("b", current));
  for (const AttemptEnd end :
       {AttemptEnd::failed, AttemptEnd::fatal, AttemptEnd::timed_out, AttemptEnd::lost,
        AttemptEnd::interrupted, AttemptEnd::cancelled, AttemptEnd::late, AttemptEnd::diverged})
    lawful += mark(told().receipt("b", current, end, 5));
  CHECK(lawful == row.lawful);
}

TEST_CASE("machine: records of other attempts than the open one are unlawful", "[runtime]") {
  Story story(one);
  story.resumed();
  story.started();
  const int attempt = GENERATE(0, 2, -1);
  CHECK(story.output("a", attempt) == "unlawful");
  CHECK(story.receipt("a", attempt, AttemptEnd::failed) == "unlawful");
  CHECK(story.receipt("a", attempt, AttemptEnd::lost) == "unlawful");
  CHECK(story.output("zz", 1) == "unlawful");
}

TEST_CASE("machine: replaying the records gives the state that living through them gave",
          "[runtime]") {
  Story lived(fork_join);
  lived.resumed();
  lived.started(1);
  lived.output("a", 1, {{"n", 1}}, 1);
  lived.receipt("b", 1, AttemptEnd::failed, 700, 1);
  lived.output("c", 1, "C", 1);
  lived.over("b", 2);
  lived.opened("b", 2, 1);

  Story replayed(fork_join);
  for (const Record& record : lived.records)
    REQUIRE(replayed.machine.apply(Recorded{record}).has_value());
  for (const char* step : {"a", "b", "c", "d"}) CHECK(replayed.state(step) == lived.state(step));
  CHECK(replayed.machine.state() == lived.machine.state());
  CHECK(replayed.resumed() == "start b#2");
}
