#include "runtime/expression.hpp"

#include "support/catch.hpp"

using namespace pawl;

namespace {

const json input = json::parse(R"({"n": 7, "half": 0.5, "name": "Äpfel", "empty": "", "zero": 0,
  "no": false, "none": null, "list": [{"id": 1, "ok": true}, {"id": 2, "ok": false}, {"id": 3, "ok": true}],
  "nested": [[1, 2], 3, [[4]]], "a b": {"c/d": [10, 20]}, "trick": {"$add": [1, 2]},
  "condition": {"exists": 1}})");

Scope scope() {
  static const std::vector<const json*> none;
  static const std::string run = "r1";
  return {input, run, none};
}

/// The value of an expression, or its error, or its problem.
std::string value(const std::string& text, std::size_t bytes_max = 10'000) {
  std::vector<Problem> problems;
  const Expression compiled = Expression::compile_value(json::parse(text), "/v", problems);
  if (!problems.empty()) return problems[0].pointer + ": " + problems[0].code;
  const Result<json> result = compiled.evaluate(scope(), bytes_max);
  return result ? result->dump()
                : std::string(to_string(result.error().code)) + " at " + result.error().where;
}

std::string condition(const std::string& text) {
  std::vector<Problem> problems;
  const Expression compiled = Expression::compile_condition(json::parse(text), "/if", problems);
  if (!problems.empty()) return problems[0].pointer + ": " + problems[0].code;
  const Result<json> result = compiled.evaluate(scope(), 10'000);
  return result ? result->dump()
                : std::string(to_string(result.error().code)) + " at " + result.error().where;
}

}  // namespace

TEST_CASE("expression: fields are picked and renamed, and text is made of them", "[runtime]") {
  CHECK(value(R"({"id": "{{input.n}}", "first": "{{input.list[0].id}}"})") ==
        R"({"first":1,"id":7})");
  CHECK(value(R"("{{input.name}} x {{input.n}}")") == R"("Äpfel x 7")");
  CHECK(value(R"(["{{input.gone?}}", 1, {"a": null}])") == R"([null,1,{"a":null}])");
  CHECK(value(R"("{{input.gone}}")") == "unresolved_reference at /v");
}

TEST_CASE("expression: a JSON pointer reaches members with odd names", "[runtime]") {
  CHECK(value(R"("{{input#/a b/c~1d/1}}")") == "20");
  CHECK(value(R"("{{input.list#/2/id}}")") == "3");
  CHECK(value(R"("{{input.list.2.id}}")") == "3");
  CHECK(value(R"("{{input#a}}")") == "/v: bad_reference");
  CHECK(value(R"("{{input#/a~2}}")") == "/v: bad_reference");
}

TEST_CASE("expression: lists are mapped, filtered and flattened", "[runtime]") {
  CHECK(
      value(
          R"({"$map": {"over": "{{input.list}}", "to": {"n": "{{item.id}}", "at": "{{index}}"}}})") ==
      R"([{"at":0,"n":1},{"at":1,"n":2},{"at":2,"n":3}])");
  CHECK(
      value(
          R"({"$filter": {"over": "{{input.list}}", "where": {"equals": ["{{item.ok}}", true]}}})") ==
      R"([{"id":1,"ok":true},{"id":3,"ok":true}])");
  CHECK(value(R"({"$flatten": "{{input.nested}}"})") == "[1,2,3,[4]]");
  CHECK(value(R"({"$map": {"over": {"$filter": {"over": "{{input.list}}",
    "where": {"not": {"equals": ["{{item.ok}}", true]}}}}, "to": {"$multiply": ["{{item.id}}", 10]}}})") ==
        "[20]");
  CHECK(
      value(
          R"({"$map": {"over": [[1, 2], [3]], "to": {"$map": {"over": "{{item}}", "to": "{{item}}-{{index}}"}}}})") ==
      R"([["1-0","2-1"],["3-0"]])");
  CHECK(value(R"({"$map": {"over": "{{input.n}}", "to": 1}})") ==
        "invalid_argument at /v/$map/over");
}

TEST_CASE("expression: whole numbers stay whole, and what is no number is an error", "[runtime]") {
  CHECK(value(R"({"$add": ["{{input.n}}", 1, 2]})") == "10");
  CHECK(value(R"({"$subtract": [1, "{{input.n}}"]})") == "-6");
  CHECK(value(R"({"$divide": [7, 2]})") == "3");
  CHECK(value(R"({"$divide": [-7, 2]})") == "-3");
  CHECK(value(R"({"$remainder": [7, 2]})") == "1");
  CHECK(value(R"({"$multiply": ["{{input.half}}", 3]})") == "1.5");
  CHECK(value(R"({"$add": ["{{input.half}}", 0.25]})") == "0.75");
  CHECK(value(R"({"$subtract": [1, "{{input.half}}"]})") == "0.5");
  CHECK(value(R"({"$divide": [1.0, 4]})") == "0.25");
  CHECK(value(R"({"$remainder": [7.5, 2]})") == "1.5");
  CHECK(value(R"({"$multiply": [1e308, 10.0]})") == "invalid_argument at /v");
  CHECK(value(R"({"$divide": [1.0, 0]})") == "invalid_argument at /v");
  CHECK(value(R"({"$divide": [1, 0]})") == "invalid_argument at /v");
  CHECK(value(R"({"$add": [9223372036854775807, 1]})") == "invalid_argument at /v");
  CHECK(value(R"({"$add": [18446744073709551615, 1]})") == "invalid_argument at /v");
  CHECK(value(R"({"$divide": [-9223372036854775808, -1]})") == "invalid_argument at /v");
  CHECK(value(R"({"$remainder": [-9223372036854775808, -1]})") == "0");
  CHECK(value(R"({"$add": ["{{input.name}}", 1]})") == "invalid_argument at /v/$add/0");
  CHECK(value(R"({"$length": "{{input.name}}"})") == "5");
  CHECK(value(R"({"$length": "{{input.list}}"})") == "3");
}

TEST_CASE("expression: no value is taken for an operator or a condition", "[runtime]") {
  CHECK(value(R"("{{input.trick}}")") == R"({"$add":[1,2]})");
  CHECK(value(R"({"$$add": [1, 2]})") == R"({"$add":[1,2]})");
  CHECK(condition(R"({"not": "{{input.condition}}"})") == "/if/not: bad_condition");
  CHECK(condition(R"({"equals": ["{{input.condition}}", {"exists": 1}]})") == "true");
}

TEST_CASE("expression: what is multiplied without end is refused", "[runtime]") {
  CHECK(value(R"({"$map": {"over": [1, 2, 3, 4, 5, 6, 7, 8], "to": "{{input.list}}"}})", 400) ==
        "too_large at /v/$map/to");
  CHECK(value(R"({"$map": {"over": "{{input.list}}", "to": "{{item}}"}})", 500) !=
        "too_large at /v");
}

TEST_CASE("expression: what it builds around values counts too", "[runtime]") {
  const std::string key(2000, 'k');
  CHECK(value(R"({"$map": {"over": "{{input.list}}", "to": {")" + key + R"(": 1}}})", 5000) ==
        "too_large at /v/$map/to");
  CHECK(
      value(R"({"$map": {"over": "{{input.list}}", "to": [[], [], {}]}})", 500).find("too_large") ==
      0);
  CHECK(value(R"({"$$a": 1, "$a": 2})") == "/v/$$a: duplicate_key");
}

TEST_CASE("expression: large unsigned numbers are what they are", "[runtime]") {
  CHECK(condition(R"({"equals": [18446744073709551615, -1]})") == "false");
  CHECK(condition(R"({"equals": [{"a": [18446744073709551615]}, {"a": [-1]}]})") == "false");
  CHECK(condition(R"({"less": [-1, 18446744073709551615]})") == "true");
  CHECK(condition(R"({"less": [18446744073709551614, 18446744073709551615]})") == "true");
  CHECK(condition(R"({"matches": ["a", "{{input.name}}"]})") == "/if/matches/1: bad_pattern");
}

TEST_CASE("expression: conditions", "[runtime]") {
  CHECK(condition(R"({"exists": "{{input.zero}}"})") == "true");
  CHECK(condition(R"({"exists": "{{input.empty}}"})") == "true");
  CHECK(condition(R"({"exists": "{{input.no}}"})") == "true");
  CHECK(condition(R"({"exists": "{{input.none}}"})") == "false");
  CHECK(condition(R"({"exists": "{{input.gone.far}}"})") == "false");
  CHECK(condition(R"({"equals": ["{{input.n}}", 7.0]})") == "true");
  CHECK(condition(R"({"equals": ["{{input.list[0]}}", {"ok": true, "id": 1}]})") == "true");
  CHECK(condition(R"({"equals": ["7", "{{input.n}}"]})") == "false");
  CHECK(condition(R"({"less": ["{{input.half}}", 1]})") == "true");
  CHECK(condition(R"({"less": ["a", "b"]})") == "true");
  CHECK(condition(R"({"less": ["a", 1]})") == "invalid_argument at /if");
  CHECK(condition(R"({"matches": ["{{input.name}}", "^Ä.f"]})") == "true");
  CHECK(condition(R"({"matches": ["{{input.n}}", "7"]})") == "invalid_argument at /if");
  CHECK(condition(R"({"matches": ["x", "(a"]})") == "/if/matches/1: bad_pattern");
  CHECK(condition(R"({"all": [{"exists": 1}, {"not": {"equals": [1, 2]}}]})") == "true");
  CHECK(condition(R"({"any": [{"equals": [1, 2]}, {"equals": [2, 1]}]})") == "false");
  CHECK(condition(R"({"any": []})") == "/if/any: bad_operands");
  CHECK(condition(R"({"equal": [1, 1]})") == "/if/equal: bad_condition");
  CHECK(condition(R"({"exists": 1, "not": {}})") == "/if: bad_condition");
  // The first that decides does: what comes after is not looked at.
  CHECK(condition(R"({"any": [{"exists": 1}, {"less": ["a", 1]}]})") == "true");
}

TEST_CASE("expression: an item has a meaning only within a list", "[runtime]") {
  CHECK(value(R"("{{item}}")") == "/v: bad_reference");
  CHECK(value(R"({"$map": {"over": ["{{index}}"], "to": 1}})") == "/v/$map/over/0: bad_reference");
  CHECK(value(R"({"$mop": 1})") == "/v/$mop: bad_operator");
  CHECK(value(R"({"$add": [1, 2], "b": 1})") == "/v/$add: bad_operator");
  CHECK(value(R"({"$map": {"over": []}})") == "/v/$map: bad_operands");
}
