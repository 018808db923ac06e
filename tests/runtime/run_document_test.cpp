#include <pawl/run_document.hpp>

#include "support/catch.hpp"
#include "support/story.hpp"

using namespace pawl;

namespace {

const std::string flow_text = R"({"flow": "order", "steps": {
  "reserve": {"run": "x"},
  "charge": {"run": "x", "after": ["reserve"], "secret": ["output.token"]},
  "ship": {"run": "x", "after": ["charge"]}}})";

json document_of(const Story& story) {
  return view_run(parse_flow(flow_text).value(), "r1", json::object(), story.records)
      .value()
      .document;
}

std::string explanation_of(const Story& story, const std::string& step, std::int64_t now_ms) {
  std::string text;
  for (const std::string& line :
       explain_run(parse_flow(flow_text).value(), "r1", json::object(), story.records, step, now_ms)
           .value())
    text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("document: a run under way shows open and ended attempts", "[runtime]") {
  Story story(flow_text);
  story.started();
  story.output("reserve", 1, {{"n", 1}});
  story.receipt("charge", 1, AttemptEnd::failed, 500);
  story.opened("charge", 2);
  const json document = document_of(story);
  CHECK(document["run"] == "r1");
  CHECK(document["flow"] == "order");
  CHECK(document["state"] == "running");
  CHECK(document["output"] == nullptr);
  CHECK(document["error"] == nullptr);
  CHECK(document["steps"]["reserve"]["state"] == "succeeded");
  CHECK(document["steps"]["reserve"]["output"] == json{{"n", 1}});
  CHECK(
      document["steps"]["charge"]["attempts"].dump() ==
      R"([{"attempt":1,"due_ms":500,"duration_ms":0,"end":"failed","error":{"code":"step_failed","message":"failed 1"},)"
      R"("started_ms":0},{"attempt":2,"duration_ms":0,"end":"open","started_ms":0}])");
  CHECK(document["steps"]["ship"]["state"] == "pending");
}

TEST_CASE("document: the run and its steps carry the times of the records that ended them",
          "[runtime]") {
  Story story(flow_text);
  story.started();
  story.receipt("reserve", 1, AttemptEnd::failed, 500);
  story.opened("reserve", 2);
  story.output("reserve", 2, {{"n", 1}});
  story.receipt("reserve", 1, AttemptEnd::late);
  std::int64_t at_ms = 1000;
  for (Record& record : story.records) record.at_ms = at_ms += 100;
  const json running = document_of(story);
  CHECK(running["started_ms"] == 1100);
  CHECK(running["ended_ms"] == nullptr);
  CHECK(running["steps"]["reserve"]["ended_ms"] == 1400);
  CHECK(running["steps"]["charge"]["ended_ms"] == nullptr);
  CHECK(running["steps"]["ship"]["ended_ms"] == nullptr);
  story.receipt("charge", 1, AttemptEnd::fatal);
  story.ended({RunState::failed, nullptr, RunError{Errc::step_failed, "charge", "fatal 1"}});
  story.records[5].at_ms = 1700;
  story.records[6].at_ms = 1800;
  const json failed = document_of(story);
  CHECK(failed["ended_ms"] == 1800);
  CHECK(failed["steps"]["charge"]["ended_ms"] == 1700);
  CHECK(failed["steps"]["ship"]["ended_ms"] == nullptr);
}

TEST_CASE("document: a step between two attempts has not ended", "[runtime]") {
  Story story(flow_text);
  story.started();
  story.receipt("reserve", 1, AttemptEnd::failed, 500);
  CHECK(document_of(story)["steps"]["reserve"]["ended_ms"] == nullptr);
}

TEST_CASE("document: a map that an element failed ended with that element", "[runtime]") {
  const std::string text = R"({"flow": "f", "steps": {"m": {"map": [1, 2, 3], "run": "x"}}})";
  Story story(text);
  story.started();
  story.output("m[2]", 1);
  story.receipt("m[1]", 1, AttemptEnd::fatal);
  story.receipt("m[0]", 1, AttemptEnd::fatal);
  std::int64_t at_ms = 0;
  for (Record& record : story.records) record.at_ms = at_ms += 100;
  const json steps = view_run(parse_flow(text).value(), "r1", json::object(), story.records)
                         .value()
                         .document["steps"];
  CHECK(steps["m"]["ended_ms"] == 300);
  CHECK(steps["m"]["elements"][0]["ended_ms"] == 400);
  CHECK(steps["m"]["elements"][1]["ended_ms"] == 300);
  CHECK(steps["m"]["elements"][2]["ended_ms"] == 200);
}

TEST_CASE("document: what a flow marks secret is not shown, in the step or in the run's output",
          "[runtime]") {
  const std::string text =
      R"({"flow": "f", "steps": {"a": {"run": "x", "secret": ["output.token"]}}})";
  Story story(text);
  story.started();
  story.output("a", 1, {{"token", "hunter2"}, {"n", 1}});
  story.ended({RunState::succeeded, {{"a", {{"token", "hunter2"}, {"n", 1}}}}, std::nullopt});
  const json document =
      view_run(parse_flow(text).value(), "r1", json::object(), story.records).value().document;
  CHECK(document.dump().find("hunter2") == std::string::npos);
  CHECK(document["output"]["a"] == json{{"token", "[secret]"}, {"n", 1}});
}

TEST_CASE("document: a failed run names its step", "[runtime]") {
  Story story(flow_text);
  story.started();
  story.receipt("reserve", 1, AttemptEnd::fatal);
  story.ended({RunState::failed, nullptr, RunError{Errc::step_failed, "reserve", "fatal 1"}});
  const json document = document_of(story);
  CHECK(document["error"] ==
        json{{"code", "step_failed"}, {"step", "reserve"}, {"message", "fatal 1"}});
  CHECK(document["steps"]["charge"]["state"] == "not_started");
}

TEST_CASE("document: records that do not follow from each other are refused by name", "[runtime]") {
  Story story(flow_text);
  story.started();
  story.output("reserve", 1);
  std::vector<Record> records = story.records;
  std::swap(records[0], records[1]);
  const auto view = view_run(parse_flow(flow_text).value(), "r1", json::object(), records);
  REQUIRE_FALSE(view.has_value());
  CHECK(view.error().code == Errc::corrupt);
  CHECK(view.error().where == "r1");
}

TEST_CASE("document: an explanation says what a step waits for and what became of its attempts",
          "[runtime]") {
  Story story(flow_text);
  story.started();
  story.output("reserve", 1);
  story.receipt("charge", 1, AttemptEnd::lost);
  story.receipt("charge", 2, AttemptEnd::failed, 90'000);
  CHECK(explanation_of(story, "charge", 30'000) ==
        "step charge (x): waiting\n"
        "  attempt 1: lost (the process died; its effect may have happened): lost 1\n"
        "  attempt 2: failed: failed 2\n"
        "  the next attempt is due in 60 s\n");
  CHECK(explanation_of(story, "charge", 90'000 - 60 * 60'000)
            .find("the next attempt is due in 60 min") != std::string::npos);
  CHECK(explanation_of(story, "charge", 90'000 - 3 * 3'600'000)
            .find("the next attempt is due in 3 h") != std::string::npos);
  CHECK(explanation_of(story, "ship", 0) == "step ship (x): pending, waits for charge\n");
  CHECK(explanation_of(story, "", 90'000).find("run r1 (flow order): waiting\n") == 0);
  CHECK(explain_run(parse_flow(flow_text).value(), "r1", json::object(), story.records, "shop", 0)
            .error()
            .code == Errc::invalid_argument);
}

TEST_CASE("document: a difference between two starts is told by its places", "[runtime]") {
  const json flow{{"flow", "f"}, {"steps", {{"a", {{"run", "x"}}}}}};
  json other = flow;
  other["steps"]["a"]["run"] = "y";
  other["steps"]["b"] = {{"run", "x"}};
  CHECK(explain_difference(flow, {{"n", 1}}, other, {{"n", 2}}) ==
        R"(flow /steps/a/run was "x", is now "y"; flow /steps/b is new; input /n was 1, is now 2)");
  CHECK(explain_difference(flow, {{"n", 1}}, flow, json::object()) == "input /n is gone");
  json many = json::object();
  for (int i = 0; i < 9; ++i) many["k" + std::to_string(i)] = i;
  CHECK(explain_difference(flow, json::object(), flow, many).find("others") != std::string::npos);
}

TEST_CASE("document: a difference between two starts shows no value that either flow marks secret",
          "[runtime]") {
  const json flow{{"flow", "f"},
                  {"secret", {"input.token", "input.list[1].key"}},
                  {"input", {{"token", "hush-default"}}},
                  {"steps",
                   {{"a", {{"run", "x"}, {"with", {{"key", "hush-a"}}}, {"secret", {"with.key"}}}},
                    {"b", {{"run", "x"}, {"with", {{"key", "open-b"}}}}}}}};
  const json input{{"token", "hush-1"}, {"list", {1, {{"key", "hush-2"}}}}, {"plain", 1}};

  json at = flow;
  at["steps"]["a"]["with"]["key"] = "hush-now";
  at["steps"]["b"]["with"]["key"] = "open-now";
  at["input"]["token"] = "hush-now";
  CHECK(explain_difference(flow, {}, at, {}) ==
        R"(flow /input/token differs; flow /steps/a/with/key differs; )"
        R"(flow /steps/b/with/key was "open-b", is now "open-now")");

  const json below{{"token", {{"deep", "hush-now"}}}, {"list", {1, "hush-now"}}, {"plain", 2}};
  CHECK(explain_difference(flow, {{"token", {{"deep", "hush-1"}}}}, flow,
                           {{"token", {{"deep", "hush-now"}}}}) == "input /token/deep differs");
  const std::string above = explain_difference(flow, input, flow, below);
  CHECK(above == "input /list/1 differs; input /plain was 1, is now 2; input /token differs");
  CHECK(explain_difference(flow, input, flow, "hush") == "input differs");

  // What only the other flow marks is secret too; and names that only begin alike are not.
  json marks_more = flow;
  marks_more["secret"].push_back("input.plain");
  marks_more["steps"]["b"]["secret"] = {"with"};
  json other = input;
  other["plain"] = 7;
  other["plainer"] = 7;
  json first = input;
  first["plainer"] = 6;
  for (const bool is_stored : {true, false}) {
    const json& stored = is_stored ? marks_more : flow;
    const json& now = is_stored ? flow : marks_more;
    const std::string told = explain_difference(stored, first, now, other);
    CHECK(told.find("input /plain differs; input /plainer was 6, is now 7") != std::string::npos);
  }
}

TEST_CASE("document: what a step last reported is shown with its time, and hidden with its secrets",
          "[runtime]") {
  Story story(flow_text);
  story.started();
  const std::vector<Progress> progress{{"charge", 1, R"({"card":"4711"})", 1, 5000},
                                       {"reserve", 1, R"({"part":2})", 1, 4000},
                                       {"nowhere", 1, "1", 1, 4000}};
  const Flow flow = parse_flow(flow_text).value();
  const json steps =
      view_run(flow, "r1", json::object(), story.records, progress).value().document["steps"];
  CHECK(steps["reserve"]["progress"].dump() == R"({"at_ms":4000,"attempt":1,"value":{"part":2}})");
  CHECK(steps["charge"]["progress"]["value"] == "[secret]");
  CHECK_FALSE(steps["ship"].contains("progress"));
  CHECK_FALSE(steps.contains("nowhere"));
  std::string text;
  for (const std::string& line :
       explain_run(flow, "r1", json::object(), story.records, "reserve", 16'000, progress).value())
    text += line + "\n";
  CHECK(text.find("attempt 1 reported 12 s ago: {\"part\":2}") != std::string::npos);
}

TEST_CASE("document: elements of a map and undos show what they reported within their step",
          "[runtime]") {
  const std::string text = R"({"flow": "f", "steps": {
    "m": {"map": [1, 2], "run": "x", "secret": ["with.key"]}, "n": {"map": [1], "run": "x"}}})";
  Story story(text);
  story.started();
  const json steps = view_run(parse_flow(text).value(), "r1", json::object(), story.records,
                              {{"m[1]", 1, "1", 1, 5000}, {"n[0]", 1, "2", 1, 5000}})
                         .value()
                         .document["steps"];
  CHECK(steps["m"]["elements"][1]["progress"]["value"] == "[secret]");
  CHECK(steps["n"]["elements"][0]["progress"]["value"] == 2);
}
