// docs/flow.schema.json is for editors. It must accept what pawl accepts, and refuse what it
// refuses for its shape.
#include <pawl/flow.hpp>

#include "support/catch.hpp"
#include "support/random_flow.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

using namespace pawl;

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class FlowSchema {
 public:
  FlowSchema() {
    const json document =
        json::parse(text_of(std::string(PAWL_SOURCES) + "/docs/flow.schema.json"));
    valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(document),
                                            schema_);
  }

  bool accepts(const json& flow) const {
    valijson::Validator validator;
    return validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(flow), nullptr);
  }

 private:
  valijson::Schema schema_;
};

std::string with_step(const std::string& step) {
  return R"({"flow": "f", "steps": {"a": )" + step + "}}";
}

}  // namespace

TEST_CASE("flow schema: accepts every example, and every random flow", "[runtime]") {
  const FlowSchema schema;
  int examples = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PAWL_SOURCES) + "/examples/flows")) {
    CAPTURE(entry.path());
    CHECK(schema.accepts(json::parse(text_of(entry.path()))));
    ++examples;
  }
  CHECK(examples >= 5);
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const RandomFlow random(seed);
    CAPTURE(random.flow.dump());
    CHECK(schema.accepts(random.flow));
  }
}

TEST_CASE("flow schema: a flow may name it", "[runtime]") {
  const std::string text =
      R"({"$schema": "docs/flow.schema.json", "flow": "f", "steps": {"a": {"run": "x"}}})";
  CHECK(FlowSchema().accepts(json::parse(text)));
  CHECK(parse_flow(text).has_value());
}

TEST_CASE("flow schema: refuses what pawl refuses for its shape", "[runtime]") {
  const FlowSchema schema;
  const auto text = GENERATE(
      as<std::string>(), "[]", R"({"flow": "f"})", R"({"steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "steps": {}})", R"({"flow": "f", "steps": []})",
      R"({"flow": "a b", "steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "version": 2, "steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "inputs": {}, "steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "input": 1, "steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "steps": {"2a": {"run": "x"}}})", with_step("1"), with_step("{}"),
      with_step(R"({"run": 1})"), with_step(R"({"run": "a b"})"),
      with_step(R"({"run": "x", "with": []})"), with_step(R"({"run": "x", "after": "b"})"),
      with_step(R"({"run": "x", "after": ["b", "b"]})"), with_step(R"({"run": "x", "afer": []})"),
      with_step(R"({"run": "x", "timeout_ms": -1})"),
      with_step(R"({"run": "x", "timeout_ms": "1s"})"),
      with_step(R"({"run": "x", "heartbeat_ms": -1})"),
      with_step(R"({"run": "x", "heartbeat_ms": "1s"})"),
      with_step(R"({"value": 1, "heartbeat_ms": 1})"),
      with_step(R"({"run": "x", "retry": {"max_attempts": 0}})"),
      with_step(R"({"run": "x", "retry": {"tries": 1}})"),
      with_step(R"({"run": "x", "retry": {"factor": 0.5}})"),
      with_step(R"({"run": "x", "value": 1})"), with_step(R"({"value": 1, "retry": {}})"),
      with_step(R"({"if": {"exists": 1, "not": {"exists": 1}}})"),
      with_step(R"({"if": {"equal": [1, 1]}})"), with_step(R"({"if": {"less": [1]}})"),
      with_step(R"({"if": {"any": []}})"), with_step(R"({"sleep_ms": -1})"),
      with_step(R"({"sleep_ms": true})"), with_step(R"({"sleep_ms": 1, "until_ms": 1})"),
      with_step(R"({"sleep_ms": "soon"})"), with_step(R"({"await": "a b"})"),
      with_step(R"({"await": 1})"), with_step(R"({"map": [1]})"),
      with_step(R"({"run": "x", "map": 1})"), with_step(R"({"run": "x", "max_parallel": 1})"),
      with_step(R"({"run": "x", "map": [], "on_error": "no"})"),
      with_step(R"({"run": "x", "undo": {}})"), with_step(R"({"run": "x", "undo": "y"})"),
      with_step(R"({"run": "x", "undo": {"run": "y", "default": 1}})"),
      with_step(R"({"run": "x", "at_most_once": 1})"),
      with_step(R"({"run": "x", "on_failure": "wait"})"),
      with_step(R"({"run": "x", "on_divergence": "ask"})"),
      with_step(R"({"await": "x", "on_divergence": "fail"})"),
      with_step(R"({"value": 1, "on_failure": "ask"})"),
      with_step(R"({"run": "x", "one_at_a_time": 1})"),
      with_step(R"({"run": "x", "one_at_a_time": ["k"]})"),
      with_step(R"({"value": 1, "one_at_a_time": "k"})"),
      with_step(R"({"child": {"flow": "g", "steps": {"b": {"run": "x"}}}, "one_at_a_time": "k"})"),
      with_step(R"({"run": "x", "undo": {"run": "y", "one_at_a_time": null}})"),
      R"({"flow": "f", "priority": 101, "steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "priority": -101, "steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "priority": 1.5, "steps": {"a": {"run": "x"}}})",
      R"({"flow": "f", "priority": "high", "steps": {"a": {"run": "x"}}})",
      with_step(R"({"run": "x", "in_doubt": "ask"})"), with_step(R"({"fail": 1})"));
  CAPTURE(text);
  CHECK_FALSE(schema.accepts(json::parse(text)));
  CHECK_FALSE(parse_flow(text).has_value());
}
