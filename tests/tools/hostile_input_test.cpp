// Input that means harm: the library and the command refuse the same, in the same words, at the
// same place; and what is odd but lawful comes back as it went in.
#include <pawl/flow.hpp>
#include <pawl/json.hpp>
#include <pawl/limits.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace hostile_input_test {

using namespace pawl;

namespace {

struct Desk {
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  }

  ProcessEnd pawl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path(), {}, {});
  }

  TempFolder folder;
};

std::string times(std::size_t count, const std::string& text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

/// Text that is no JSON, or that could not come back as it went in; and where.
struct Hostile {
  const char* what;
  std::string text;
  std::string where;
  std::string words;
};

std::vector<Hostile> hostile_texts() {
  using namespace std::string_literals;
  return {
      {"not a number", R"({"a": NaN})", "/a", "invalid literal"},
      {"an infinity", R"({"a": -Infinity})", "/a", "invalid"},
      {"a number beyond any", R"({"a": [1, 1e999]})", "/a/1", "1e999"},
      {"more than 64 bits", R"({"a": {"b": 18446744073709551616}})", "/a/b", "as a string"},
      {"less than 64 bits", R"({"a": -9223372036854775809})", "/a", "as a string"},
      {"a key twice", R"({"a": {"k": 1, "k": 2}})", "/a/k", "twice"},
      {"the same key in other letters", R"({"a": {"k": 1, "\u006b": 2}})", "/a/k", "twice"},
      {"no UTF-8", "{\"a\": \"\xc3\x28\"}", "/a", "UTF-8"},
      {"UTF-8 that is longer than it need be", "{\"a\": \"\xc0\xaf\"}", "/a", "UTF-8"},
      {"half of a surrogate pair", R"({"a": "\ud800"})", "/a", "surrogate"},
      {"a raw NUL in a string", "{\"a\": \"x\0y\"}"s, "/a", "control character"},
      {"a raw NUL between members", "{\"a\": 1,\0 \"b\": 2}"s, "", "syntax error"},
      {"a NUL and more behind the end", "{\"a\": 1}\0{"s, "", "raw NUL stands at byte 8"},
      {"two values", R"({"a": 1} {"b": 2})", "", "syntax error"},
      {"a comment", R"({"a": 1 /* one */})", "", "syntax error"},
      {"nothing", "", "", "syntax error"},
      {"100,000 arrays", R"({"a": )" + std::string(100'000, '['), "/a" + times(127, "/0"),
       "nested deeper than 128 levels; flatten it"},
      {"100,000 objects", times(100'000, R"({"a":)"), times(128, "/a"),
       "nested deeper than 128 levels; flatten it"},
      {"too much", R"({"a": ")" + std::string(Limits::input_bytes_max, 'x') + "\"}", "",
       "more than " + std::to_string(Limits::input_bytes_max) + " bytes"},
  };
}

}  // namespace

TEST_CASE("hostile input: the library and the command refuse the same, at the same place",
          "[tools]") {
  Desk desk;
  desk.write("flow.json", R"({"flow": "f", "steps": {"a": {"run": "echo"}}})");
  for (const Hostile& hostile : hostile_texts()) {
    INFO(hostile.what);
    const Result<json> value = parse_json(hostile.text, Limits::input_bytes_max);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().where == hostile.where);
    CHECK(value.error().message.find(hostile.words) != std::string::npos);

    desk.write("input.json", hostile.text);
    const ProcessEnd run = desk.pawl({"run", "flow.json", "--input", "@input.json"});
    CHECK(run.code == 2);
    CHECK(run.out.empty());
    CHECK(run.err.find(value.error().message) != std::string::npos);
    if (hostile.where.size() < 100) CHECK(run.err.find(hostile.where) != std::string::npos);
    CHECK(::access((desk.folder / "pawl.db").c_str(), F_OK) != 0);

    // The same text where a flow is wanted, and within one.
    const std::string begin = R"({"flow": "f", "steps": {"a": {"run": "echo", "with": )";
    for (const std::string& text : {hostile.text, begin + hostile.text + "}}}"}) {
      const Result<Flow> flow = parse_flow(text);
      REQUIRE_FALSE(flow.has_value());
      desk.write("hostile.json", text);
      const ProcessEnd validated = desk.pawl({"validate", "hostile.json", "--json"});
      CHECK(validated.code == 2);
      const json problems = json::parse(validated.out)["problems"];
      REQUIRE(problems.size() == flow.error().problems.size());
      REQUIRE_FALSE(problems.empty());
      for (std::size_t i = 0; i < problems.size(); ++i) {
        CHECK(problems[i]["pointer"] == flow.error().problems[i].pointer);
        CHECK(problems[i]["code"] == flow.error().problems[i].code);
        CHECK(problems[i]["message"] == flow.error().problems[i].message);
      }
    }
  }
}

TEST_CASE("hostile input: what is odd but lawful comes back as it went in", "[tools]") {
  Desk desk;
  desk.write("flow.json",
             R"({"flow": "f", "steps": {"a": {"run": "echo", "with": {"v": "{{input}}"}}},
                 "output": "{{steps.a.output.v}}"})");
  const std::string odd =
      R"({"":"","least":-9223372036854775808,"most":18446744073709551615,"half":0.5,"tiny":5e-324,)"
      R"("large":1.7976931348623157e+308,"minus":-0.0,"nul":"a\u0000b","quote":"\"\\/\u001f\u007f",)"
      R"("braces":"{{input}} {{{{","shell":"$(reboot); `id` | ' \" \n","pair":"\ud83d\ude00",)"
      R"("line":"\u2028\u2029","mark":"\ufeff","last":"\uffff","sql":"'; DROP TABLE runs; --",)"
      R"("/a~b":{"$map":1,"{{x}}":2},"deep":)" +
      std::string(100, '[') + std::string(100, ']') + "}";
  desk.write("input.json", odd);
  const json value = parse_json(odd, Limits::input_bytes_max).value();
  const ProcessEnd run =
      desk.pawl({"run", "flow.json", "--id", "r", "--input", "@input.json", "--json"});
  REQUIRE(run.code == 0);
  CHECK(json::parse(run.out)["output"] == value);
  const ProcessEnd shown = desk.pawl({"show", "r", "--json"});
  CHECK(json::parse(shown.out)["output"] == value);
  CHECK(json::parse(shown.out)["output"].dump() == value.dump());
  const json fixture = json::parse(desk.pawl({"export", "r"}).out);
  CHECK(fixture["input"].dump() == value.dump());
}

TEST_CASE("hostile input: files without an end, and what is no file, are refused", "[tools]") {
  Desk desk;
  desk.write("flow.json", R"({"flow": "f", "steps": {"a": {"run": "echo"}}})");
  const ProcessEnd flow = desk.pawl({"validate", "/dev/zero"});
  CHECK(flow.code == 2);
  CHECK(flow.out.find("more than " + std::to_string(Limits::flow_bytes_max) + " bytes") !=
        std::string::npos);
  REQUIRE(::mkfifo((desk.folder / "pipe.db").c_str(), 0600) == 0);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"list"}, std::vector<std::string>{"verify"},
        std::vector<std::string>{"resume"}, std::vector<std::string>{"run", "flow.json"},
        std::vector<std::string>{"backup", "copy.db"}}) {
    CAPTURE(arguments);
    for (const char* store : {"pipe.db", "/dev/null"}) {
      std::vector<std::string> all = arguments;
      all.insert(all.end(), {"--store", store});
      const ProcessEnd end = desk.pawl(all);
      CHECK(end.code == 3);
      CHECK(end.err.find("leads to a pipe, a socket or a device, not to a file") !=
            std::string::npos);
    }
  }
}

}  // namespace hostile_input_test
