#include <pawl/run_document.hpp>
#include <pawl/run_fixture.hpp>

#include "support/catch.hpp"
#include "support/story.hpp"
#include "support/temp_folder.hpp"

#include <fstream>

namespace run_fixture_test {

using namespace pawl;

namespace {

RunFixture fixture_of(const Story& story, const std::string& flow, json input = json::object()) {
  return {parse_flow(flow).value(), "r1", std::move(input), "/folder", story.records};
}

const std::string flow_text = R"({"flow": "order", "steps": {
  "reserve": {"run": "x", "with": {"sku": "{{input.sku}}"}},
  "answer": {"await": "answered", "after": ["reserve"]},
  "charge": {"run": "x", "after": ["answer"]}}})";

RunFixture told() {
  Story story(flow_text, {{"sku", "tea"}});
  story.started();
  story.receipt("reserve", 1, AttemptEnd::failed, 500);
  story.opened("reserve", 2);
  story.output("reserve", 2, {{"n", 1.5}, {"text", "ä\n\"'"}});
  story.signalled("answered", {{"ok", true}}, "s-1");
  story.wrote("answer", {{"ok", true}}, "s-1");
  story.output("charge", 1, nullptr, 2);
  story.ended({RunState::succeeded, {{"charge", nullptr}}, std::nullopt});
  RunFixture fixture = fixture_of(story, flow_text, {{"sku", "tea"}});
  for (Record& record : fixture.records) {
    if (record.kind == RecordKind::output) record.output_digest = digest_of(record.body);
    record.at_ms = 1000 + record.seq;
    record.started_ms = 900;
    record.duration_ms = 7;
  }
  fixture.records[1].input_digest = digest_of("in");
  return fixture;
}

bool same(const Record& a, const Record& b) {
  return a.kind == b.kind && a.end == b.end && a.step == b.step && a.attempt == b.attempt &&
         a.started_ms == b.started_ms && a.duration_ms == b.duration_ms && a.due_ms == b.due_ms &&
         a.input_digest == b.input_digest && a.output_digest == b.output_digest &&
         a.body == b.body && a.seq == b.seq && a.epoch == b.epoch && a.at_ms == b.at_ms;
}

/// The error of a fixture whose document was changed.
std::string error_of(const std::function<void(json&)>& change) {
  json document = json::parse(fixture_text(told()));
  change(document);
  const Result<RunFixture> read = parse_run_fixture(document.dump());
  return read ? "none" : read.error().where + ": " + read.error().message;
}

}  // namespace

TEST_CASE("fixture: what is written comes back, record by record", "[runtime]") {
  const RunFixture fixture = told();
  const RunFixture read = parse_run_fixture(fixture_text(fixture)).value();
  CHECK(read.run == "r1");
  CHECK(read.folder == "/folder");
  CHECK(read.flow.digest() == fixture.flow.digest());
  CHECK(read.input == fixture.input);
  REQUIRE(read.records.size() == fixture.records.size());
  for (std::size_t i = 0; i < read.records.size(); ++i)
    CHECK(same(read.records[i], fixture.records[i]));
  CHECK(fixture_text(read) == fixture_text(fixture));
}

TEST_CASE("fixture: each record is a line with named members", "[runtime]") {
  const std::string text = fixture_text(told());
  CHECK(
      text.find("\n    {\"seq\": 2, \"kind\": \"receipt\", \"step\": \"reserve\", \"attempt\": 1, "
                "\"end\": \"failed\", \"epoch\": 1, \"at_ms\": 1002, \"started_ms\": 900, "
                "\"duration_ms\": 7, \"due_ms\": 500, \"input_digest\": \"" +
                digest_of("in").hex() +
                "\", \"body\": {\"code\":\"step_failed\",\"message\":\"failed 1\"}},\n") !=
      std::string::npos);
}

TEST_CASE("fixture: a body that would come back as other bytes stands as text", "[runtime]") {
  RunFixture fixture = told();
  std::string deep = "1";
  for (int i = 0; i < 127; ++i) deep = "[" + deep + "]";
  for (const std::string& body : {deep, std::string("{\"b\":1, \"a\":2}"), std::string("1.50")}) {
    fixture.records[3].body = body;
    fixture.records[3].output_digest = digest_of(body);
    const Result<RunFixture> read = parse_run_fixture(fixture_text(fixture));
    REQUIRE(read.has_value());
    CHECK(read->records[3].body == body);
  }
}

TEST_CASE("fixture: what is wrong is told with its place", "[runtime]") {
  CHECK(error_of([](json&) {}) == "none");
  CHECK(error_of([](json& f) { f.erase("run"); }) == "/run: the fixture: this member is missing");
  CHECK(error_of([](json& f) { f.erase("records"); }) ==
        "/records: the fixture: this member is missing");
  CHECK(error_of([](json& f) { f["records"] = 1; }) ==
        "/records: the fixture: expected an array, found number");
  CHECK(error_of([](json& f) { f["recrods"] = 1; }) ==
        "/recrods: the fixture: no such member here; did you mean \"records\"?");
  CHECK(error_of([](json& f) { f["records"][1].erase("kind"); }) ==
        "/records/1/kind: the fixture: this member is missing");
  CHECK(error_of([](json& f) { f["records"][1]["kind"] = "receit"; }) ==
        "/records/1/kind: the fixture: \"receit\" is no kind of a record");
  CHECK(error_of([](json& f) { f["records"][1].erase("end"); }) ==
        "/records/1/end: the fixture: this member is missing");
  CHECK(error_of([](json& f) { f["records"][1]["end"] = "gone"; }) ==
        "/records/1/end: the fixture: no attempt ends as \"gone\"");
  CHECK(error_of([](json& f) { f["records"][2]["attempt"] = "2"; }) ==
        "/records/2/attempt: the fixture: expected a whole number from 0 to 2147483647");
  CHECK(error_of([](json& f) { f["records"][3].erase("step"); }) ==
        "/records/3/step: the fixture: this member is missing");
  CHECK(error_of([](json& f) { f["records"][3].erase("body"); }) ==
        "/records/3/body: the fixture: this member is missing");
  CHECK(error_of([](json& f) { f["records"][3]["step"] = ""; }) ==
        "/records/3/step: the fixture: this member is empty");
  CHECK(error_of([](json& f) {
          f["records"][3].erase("body");
          f["records"][3]["body_text"] = "";
        }) == "/records/3/body_text: the fixture: this member is empty");
  CHECK(error_of([](json& f) { f["records"][1]["end"] = "none"; }) ==
        "/records/1/end: the fixture: a receipt says how its attempt ended");
  CHECK(error_of([](json& f) { f["records"][1]["input_digest"] = "12"; }) ==
        "/records/1/input_digest: the fixture: expected a digest: 32 of the digits 0 to 9 and a "
        "to f");
  CHECK(error_of([](json& f) {
          f["records"][3]["body"] = 5;
        }).find("/records/3/output_digest: the fixture: the body is another one") == 0);
  CHECK(error_of([](json& f) { f["records"][0] = "x"; }) ==
        "/records/0: the fixture: expected an object, found string");
  CHECK(error_of([](json& f) { f["flow"].erase("steps"); }).find("/flow: ") == 0);
  CHECK(error_of([](json& f) { f["input"] = 1; }) ==
        "/input: the fixture: expected an object, found number");
  CHECK(error_of([](json& f) { f["run"] = "-"; }).find("/run: the fixture: a run id has") == 0);
  const Result<RunFixture> text = parse_run_fixture("{\"fixture\": 1,");
  REQUIRE_FALSE(text.has_value());
  CHECK(text.error().code == Errc::invalid_json);
  CHECK(text.error().message.find("the fixture: ") == 0);
}

TEST_CASE("fixture: another version is refused, a newer one as such", "[runtime]") {
  json document = json::parse(fixture_text(told()));
  document["fixture"] = 2;
  CHECK(parse_run_fixture(document.dump()).error().code == Errc::newer_format);
  document["fixture"] = 0;
  CHECK(parse_run_fixture(document.dump()).error().code == Errc::invalid_argument);
  document["fixture"] = "1";
  CHECK(parse_run_fixture(document.dump()).error().code == Errc::invalid_argument);
}

TEST_CASE("fixture: an output may be edited if its digest is left out", "[runtime]") {
  json document = json::parse(fixture_text(told()));
  document["records"][3]["body"] = 5;
  document["records"][3].erase("output_digest");
  const RunFixture read = parse_run_fixture(document.dump()).value();
  CHECK(read.records[3].output_digest == digest_of("5"));
}

TEST_CASE("fixture: a file that cannot be read is told by its name", "[runtime]") {
  const TempFolder folder;
  CHECK(load_run_fixture(folder / "none.json").error().code == Errc::io);
  const std::string path = folder / "bad.json";
  std::ofstream(path) << R"({"fixture": 1})";
  CHECK(load_run_fixture(path).error().where == path + ": /run");
  std::ofstream(path) << fixture_text(told());
  CHECK(load_run_fixture(path).has_value());
}

TEST_CASE("fixture: what a flow marks secret can be left out, and the rest still follows",
          "[runtime]") {
  const std::string text = R"({"flow": "f", "secret": ["input.card", "output.token"],
    "input": {"card": "4711-default"},
    "steps": {
      "login": {"run": "x", "with": {"key": "k-literal", "user": "Mr {{input.user}}"},
                "secret": ["with.key", "output.token"], "undo": {"run": "y"}},
      "answer": {"await": "answered", "secret": ["output.pin"]},
      "each": {"map": ["one"], "run": "x", "secret": ["output"]},
      "pay": {"run": "x", "with": {"card": "{{input.card}}", "as": "{{steps.login.output.token}}"},
              "after": ["answer", "each"]}},
    "output": {"token": "{{steps.login.output.token}}"}})";
  const json input{{"card", "4711-0815"}, {"user", "ada"}};
  Story story(text, input);
  story.started();
  story.output("login", 1, {{"token", "hunter2"}, {"n", 1}});
  story.signalled("answered", {{"pin", "1234"}}, "s-1");
  story.wrote("answer", {{"pin", "1234"}}, "s-1");
  story.output("each[0]", 1, "inner-secret");
  story.wrote("each", {"inner-secret"});
  RunFixture fixture = fixture_of(story, text, input);
  Record pay;
  pay.kind = RecordKind::output;
  pay.end = AttemptEnd::succeeded;
  pay.step = "pay";
  pay.attempt = 1;
  pay.body = "null";
  pay.input_digest = digest_of(R"({"as":"hunter2","card":"4711-0815"})");
  fixture.records.push_back(pay);
  Record diverged = pay;
  diverged.kind = RecordKind::receipt;
  diverged.end = AttemptEnd::diverged;
  diverged.step = "login";
  diverged.attempt = 2;
  diverged.body = R"({"token":"hunter3"})";
  fixture.records.push_back(diverged);
  Record ended;
  ended.kind = RecordKind::ended;
  ended.body =
      to_json_value(Outcome{RunState::succeeded, {{"token", "hunter2"}}, std::nullopt}).dump();
  fixture.records.push_back(ended);

  const RunFixture shown = redacted(fixture).value();
  const std::string written = fixture_text(shown);
  for (const char* secret : {"hunter2", "hunter3", "4711", "k-literal", "1234", "inner-secret"}) {
    CAPTURE(secret);
    CHECK(written.find(secret) == std::string::npos);
  }
  CHECK(written.find("Mr {{input.user}}") != std::string::npos);
  CHECK(shown.records[1].body == R"({"n":1,"token":"[secret]"})");
  CHECK(shown.records[1].output_digest == digest_of(shown.records[1].body));
  CHECK(shown.records[6].input_digest == digest_of(R"({"as":"[secret]","card":"[secret]"})"));
  CHECK(parse_run_fixture(written).has_value());
  CHECK(view_run(shown.flow, "r1", shown.input, shown.records).has_value());
}

TEST_CASE("fixture: what a child's flow marks secret is left out of its parent too", "[runtime]") {
  const std::string flow = R"({"flow": "f", "steps": {"c": {"with": {"pin": "0815"}, "child": {
    "flow": "g", "secret": ["input.pin"], "input": {"pin": "4711"}, "steps": {
      "x": {"run": "x", "secret": ["output.token"]}}}}}})";
  Story story(flow);
  story.started();
  story.opened("c", 1);
  story.output("c", 1, {{"x", {{"token", "hush"}, {"n", 1}}}});
  const std::string text = fixture_text(
      redacted({parse_flow(flow).value(), "r1", json::object(), "", story.records}).value());
  for (const char* secret : {"0815", "4711", "hush"}) CHECK(text.find(secret) == std::string::npos);
  CHECK(text.find(R"("n":1)") != std::string::npos);
}

TEST_CASE("fixture: a run that decided by a secret cannot be redacted", "[runtime]") {
  const std::string text = R"({"flow": "f", "steps": {
    "a": {"run": "x", "secret": ["output"]},
    "b": {"run": "x", "with": {"part": "{{steps.a.output.part}}"}}}})";
  Story story(text);
  story.started();
  story.output("a", 1, {{"part", 1}});
  story.output("b", 1, 2);
  RunFixture fixture = fixture_of(story, text);
  fixture.records[2].input_digest = digest_of(R"({"part":1})");
  const Result<RunFixture> shown = redacted(fixture);
  REQUIRE_FALSE(shown.has_value());
  CHECK(shown.error().code == Errc::invalid_argument);
  CHECK(shown.error().message.find("cannot be redacted") != std::string::npos);
}

TEST_CASE("fixture: what steps reported comes back, and is left out with their secrets",
          "[runtime]") {
  const std::string text = R"({"flow": "f", "steps": {
    "a": {"run": "x", "secret": ["with.key"]}, "b": {"map": [1], "run": "x"}}})";
  Story story(text);
  story.started();
  RunFixture fixture = fixture_of(story, text);
  CHECK(fixture_text(fixture).find("progress") == std::string::npos);
  fixture.progress = {{"a", 2, R"({"key":"hunter2"})", 3, 5000}, {"b[0]", 1, "1", 3, 6000}};
  const RunFixture read = parse_run_fixture(fixture_text(fixture)).value();
  REQUIRE(read.progress.size() == 2);
  CHECK(read.progress[0].step == "a");
  CHECK(read.progress[0].attempt == 2);
  CHECK(read.progress[0].body == R"({"key":"hunter2"})");
  CHECK(read.progress[0].epoch == 3);
  CHECK(read.progress[0].at_ms == 5000);
  CHECK(fixture_text(read) == fixture_text(fixture));
  const RunFixture shown = redacted(fixture).value();
  CHECK(shown.progress[0].body == R"("[secret]")");
  CHECK(shown.progress[1].body == "1");

  json document = json::parse(fixture_text(fixture));
  document["progress"][1]["tried"] = 1;
  CHECK(parse_run_fixture(document.dump()).error().where == "/progress/1/tried");
  document["progress"] = 1;
  CHECK(parse_run_fixture(document.dump()).error().where == "/progress");
}

}  // namespace run_fixture_test
