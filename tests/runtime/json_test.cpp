#include <pawl/json.hpp>
#include <pawl/limits.hpp>

#include "runtime/json_reader.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace pawl;

namespace {

Error refusal(const std::string& text) {
  Result<json> parsed = parse_json(text, 1000);
  REQUIRE_FALSE(parsed.has_value());
  return parsed.error();
}

/// Whether there is a canonical text. Fails if it differs from theirs.
bool is_written_as_theirs(const json& value) {
  std::optional<std::string> theirs;
  try {
    theirs = value.dump();
  } catch (const json::exception&) {
  }
  const Result<std::string> ours = canonical_json(value, 1'000'000);
  if (ours.has_value() != theirs.has_value() || (ours && *ours != *theirs)) {
    CAPTURE(theirs.value_or("refused"));
    FAIL("canonical text differs from theirs");
  }
  return ours.has_value();
}

}  // namespace

TEST_CASE("json: values come back as they went in", "[runtime]") {
  const std::string text =
      GENERATE(R"(null)", R"(true)", R"(0)", R"(-1)", R"(18446744073709551615)",
               R"(-9223372036854775808)", R"(0.1)", R"(1.0)", R"("\u0000 and \"quotes\" and ü")",
               R"([])", R"({})", R"([1,[2,{"a":[]}]])", R"({"a":1,"b":{"c":[null]}})");
  CAPTURE(text);
  const json value = parse_json(text, 1000).value();
  CHECK(parse_json(canonical_json(value, 1000).value(), 1000).value() == value);
}

TEST_CASE("json: equal values have equal canonical text", "[runtime]") {
  const json one = parse_json(R"({"b": 1, "a": [1, 2.50]})", 1000).value();
  const json other = parse_json("{\"a\":[1,2.5],\n\"b\":1}", 1000).value();
  CHECK(canonical_json(one, 1000).value() == R"({"a":[1,2.5],"b":1})");
  CHECK(canonical_json(other, 1000).value() == canonical_json(one, 1000).value());
}

namespace {

/// Bytes of all kinds, those that make trouble more often than others.
std::string random_bytes(std::mt19937_64& random) {
  static const std::vector<std::string> pieces{"plain text",
                                               "\"",
                                               "\\",
                                               "\b\f\n\r\t",
                                               std::string(1, '\0'),
                                               "\x1f",
                                               "\x7f",
                                               "\xc3\xbc",
                                               "\xe2\x82\xac",
                                               "\xf0\x9f\x98\x80",
                                               "\xc0\x80",
                                               "\xc1\xbf",
                                               "\xe0\x9f\xbf",
                                               "\xe0\xa0\x80",
                                               "\xed\x9f\xbf",
                                               "\xed\xa0\x80",
                                               "\xee\x80\x80",
                                               "\xef\xbf\xbf",
                                               "\xf0\x8f\xbf\xbf",
                                               "\xf0\x90\x80\x80",
                                               "\xf4\x8f\xbf\xbf",
                                               "\xf4\x90\x80\x80",
                                               "\xf5\x80\x80\x80",
                                               "\x80",
                                               "\xbf",
                                               "\xff"};
  std::string bytes;
  for (auto left = random() % 6; left > 0; --left) {
    std::string piece = pieces[random() % pieces.size()];
    if (random() % 8 == 0) piece.resize(random() % (piece.size() + 1));  // cut short
    if (random() % 16 == 0) piece += static_cast<char>(random() & 0xffU);
    bytes += piece;
  }
  return bytes;
}

json random_value(std::mt19937_64& random, int depth) {
  switch (random() % (depth > 0 ? 9 : 7)) {
    case 0: return nullptr;
    case 1: return random() % 2 == 0;
    case 2: return static_cast<std::int64_t>(random());
    case 3: return random();
    case 4:
      return std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 400) - 200);
    case 5: return static_cast<double>(random() % 1000) / 8;
    case 6: return random_bytes(random);
    case 7: {
      json array = json::array();
      for (auto left = random() % 4; left > 0; --left)
        array.push_back(random_value(random, depth - 1));
      return array;
    }
    default: {
      json object = json::object();
      for (auto left = random() % 4; left > 0; --left)
        object[random_bytes(random)] = random_value(random, depth - 1);
      return object;
    }
  }
}

}  // namespace

TEST_CASE("json: canonical text is what nlohmann::json writes, or both refuse", "[runtime]") {
  std::mt19937_64 random(20261127);
  int refused = 0;
  for (int i = 0; i < 30'000; ++i) {
    CAPTURE(i);
    refused += is_written_as_theirs(random_value(random, 3)) ? 0 : 1;
  }
  CHECK(refused > 1'000);
  CHECK(refused < 25'000);
}

TEST_CASE("json: any byte anywhere in a string is written as nlohmann::json does, or both refuse",
          "[runtime]") {
  constexpr std::size_t length = 21;  // two words, and a rest
  int written = 0;
  for (const char plain : {'x', '~', ' '})
    for (std::size_t at = 0; at < length; ++at)
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, plain);
        text[at] = static_cast<char>(byte);
        CAPTURE(plain, at, byte);
        written += is_written_as_theirs(text) ? 1 : 0;
      }
  CHECK(written == 3 * 21 * 128);
}

TEST_CASE("json: a duplicate key is refused wherever it stands", "[runtime]") {
  const Error error = refusal(R"({"a": {"x": 1, "y": [{"k": 1, "k": 2}]}})");
  CHECK(error.code == Errc::invalid_json);
  CHECK(error.where == "/a/y/0/k");
}

TEST_CASE("json: all duplicate keys are told at once, and the first value stands", "[runtime]") {
  const JsonReading reading = read_json(R"({"a": 1, "a": 2, "b": {"c": 3, "c": {"d": 4}}})", 1000);
  REQUIRE(reading.value);
  CHECK(*reading.value == json({{"a", 1}, {"b", {{"c", 3}}}}));
  REQUIRE(reading.problems.size() == 2);
  CHECK(reading.problems[0].pointer == "/a");
  CHECK(reading.problems[1].pointer == "/b/c");
}

TEST_CASE("json: numbers that would change in silence are refused", "[runtime]") {
  CHECK(refusal("[18446744073709551616]").where == "/0");
  CHECK(refusal("123456789012345678901234567890").code == Errc::invalid_json);
  CHECK(refusal("-9223372036854775809").code == Errc::invalid_json);
  CHECK(refusal("1e400").code == Errc::invalid_json);
  CHECK(parse_json("12345678901234567890.0", 1000)
            .has_value());  // written as a decimal: a double is meant
}

TEST_CASE("json: text that is no JSON is refused with line and column", "[runtime]") {
  const std::string text =
      GENERATE("", "{", "[1,]", "{\"a\" 1}", "nul", "1 2", "\"\x01\"", "{'a':1}", "NaN");
  CAPTURE(text);
  const Error error = refusal(text);
  CHECK(error.code == Errc::invalid_json);
  CHECK(error.message.find("line 1, column") != std::string::npos);
}

TEST_CASE("json: a raw NUL is refused wherever it stands, and what follows it is not lost",
          "[runtime]") {
  using namespace std::string_literals;
  for (const std::string& text :
       {"1\0"s, "1\0 2"s, "{\"a\": 1}\0}"s, "[1,\0 2]"s, "\0"s, "\"\0\""s}) {
    CAPTURE(text);
    CHECK(refusal(text).code == Errc::invalid_json);
  }
  CHECK(refusal("{\"a\": 1}\0{"s).message.find("NUL stands at byte 8") != std::string::npos);
  CHECK(parse_json(R"("\u0000")", 1000).value() == json("\0"s));
}

TEST_CASE("json: bytes that are not UTF-8 are refused, and the message about them is UTF-8",
          "[runtime]") {
  const std::string text = GENERATE("\"\xff\"", "\"\xc3(\"", "\"\xed\xa0\x80\"", "{\"\xfe\": 1}");
  const Error error = refusal(text);
  CHECK(error.code == Errc::invalid_json);
  CHECK_NOTHROW(json(error.message).dump());
}

TEST_CASE("json: nesting is bounded, far beyond what a stack could hold", "[runtime]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_json(nested(Limits::json_depth_max), 1 << 20).has_value());
  CHECK_FALSE(parse_json(nested(Limits::json_depth_max + 1), 1 << 20).has_value());
  CHECK_FALSE(parse_json(nested(100'000), 1 << 20).has_value());
  CHECK(read_json(nested(200), 1 << 20).problems.at(0).code == "too_deep");
}

TEST_CASE("json: text over the limit is refused unread", "[runtime]") {
  const Error error = refusal("\"" + std::string(2000, 'x') + "\"");
  CHECK(error.code == Errc::too_large);
}

TEST_CASE("json: what has no canonical text is refused, not changed", "[runtime]") {
  json deep = 1;
  for (int i = 0; i < 2000; ++i) deep = json::array({std::move(deep)});
  const json value =
      GENERATE_COPY(values<json>({json(std::nan("")), json(std::numeric_limits<double>::infinity()),
                                  json(std::string("\xff")), json::binary({1, 2}), deep}));
  CHECK(canonical_json(json{{"x", value}}, 1 << 20).error().code == Errc::invalid_json);
}

TEST_CASE("json: a value whose text is too long is too large", "[runtime]") {
  CHECK(canonical_json(std::string(100, 'x'), 102).has_value());
  CHECK(canonical_json(std::string(101, 'x'), 102).error().code == Errc::too_large);
}

TEST_CASE("json: UTF-8 is told from other bytes", "[runtime]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8(std::string("plain \0 \u00fc", 10)));
  CHECK_FALSE(is_utf8("\xff"));
  CHECK_FALSE(is_utf8("cut \xc3"));
}

TEST_CASE("json: text from outside is made printable", "[runtime]") {
  CHECK(printable_text("plain \"text\"\n", 100) == "plain \"text\"\n");
  CHECK(printable_text("a\xff"
                       "b",
                       100) ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(printable_text(std::string(50, 'x'), 10) == "xxxxxxxxxx... (cut)");
}

TEST_CASE("json: a pointer escapes what RFC 6901 asks to escape", "[runtime]") {
  CHECK(pointer_to("/a", "b/c~d") == "/a/b~1c~0d");
}
