// Templates and expressions: compiled from the input, resolved in one scope. What comes out stays
// within its bound, however often it mentions what is large.
#include <pawl/json.hpp>

#include "fuzz/fuzz.hpp"
#include "runtime/expression.hpp"
#include "runtime/template.hpp"

using namespace pawl;
using fuzz::demand;

namespace {

/// All that a reference can name.
const json input = json::parse(R"({"n": 3, "half": 0.5, "name": "\u00c4pfel", "empty": "",
  "list": [1, {"deep": [true, null]}, "x"], "large": 18446744073709551615, "least": -9223372036854775808,
  "a/b": {"~": 1}, "pairs": [[1, 2], [3]]})");
const json first = json::parse(R"({"id": 7, "text": "abc", "list": [1, 2, 3]})");
const json second = json(std::string(2000, 'y'));

const Scope& scope() {
  static const std::string run_id = "r1";
  static const std::vector<const json*> outputs{&first, &second, nullptr};
  static const Scope all{input, run_id, outputs};
  return all;
}

/// As a plan does: steps a and b have outputs, others have not.
void settle(Template::Use& use) {
  use.reference.step_index = use.reference.step == "a" ? 0 : use.reference.step == "b" ? 1 : 2;
}

constexpr std::size_t bytes_max = 20'000;

void check(const Result<json>& result) {
  if (!result) {
    demand(is_utf8(result.error().text()), "an error is UTF-8");
    return;
  }
  // Escapes may make the text of a string six times as long.
  demand(canonical_json(*result, 8 * bytes_max).has_value(),
         "a value is JSON, and within its bound");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Result<json> value =
      parse_json({reinterpret_cast<const char*>(data) + 1, size - 1}, 1 << 16);
  if (!value) return 0;
  std::vector<Problem> problems;
  switch (data[0] % 3) {
    case 0: {
      Template compiled = Template::compile(*value, "/v", problems);
      for (Template::Use& use : compiled.uses()) settle(use);
      if (problems.empty()) check(compiled.resolve(scope(), bytes_max));
      return 0;
    }
    case 1: {
      Expression compiled = Expression::compile_value(*value, "/v", problems);
      compiled.each_use(settle);
      if (problems.empty()) check(compiled.evaluate(scope(), bytes_max));
      return 0;
    }
    default: {
      Expression compiled = Expression::compile_condition(*value, "/v", problems);
      compiled.each_use(settle);
      if (!problems.empty()) return 0;
      const Result<json> decided = compiled.evaluate(scope(), bytes_max);
      demand(!decided || decided->is_boolean(), "a condition is true or false");
      check(decided);
      return 0;
    }
  }
}
