#include "runtime/json_writer.hpp"

#include <pawl/limits.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace pawl {

namespace {

enum class ByteClass : std::uint8_t { plain, escaped, of_many };

constexpr std::array<ByteClass, 256> byte_classes = [] {
  std::array<ByteClass, 256> classes{};
  for (std::size_t byte = 0; byte < classes.size(); ++byte)
    classes[byte] = byte < 0x20 || byte == '"' || byte == '\\' ? ByteClass::escaped
                    : byte < 0x80                              ? ByteClass::plain
                                                               : ByteClass::of_many;
  return classes;
}();

ByteClass class_of(char byte) {
  return byte_classes[static_cast<unsigned char>(byte)];
}

/// Of the bytes at the beginning of `text` that stand for themselves as many as whole words tell.
std::size_t plain_words(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t highs = 0x80 * ones;
  // Some bit of `highs` if a byte is smaller than `bound`, which is at most 0x80; maybe another
  // one, for a byte above it.
  const auto below = [](std::uint64_t word, unsigned char bound) {
    return (word - ones * bound) & ~word & highs;
  };
  std::size_t length = 0;
  for (std::uint64_t word = 0; length + sizeof word <= text.size(); length += sizeof word) {
    std::memcpy(&word, text.data() + length, sizeof word);
    if (((word & highs) | below(word, 0x20) | below(word ^ ones * '"', 1) |
         below(word ^ ones * '\\', 1)) != 0)
      break;
  }
  return length;
}

/// How many bytes the character at the beginning of `text` has that is not ASCII; 0 if it is no
/// UTF-8: too long for what it says, half of a pair, or beyond the last character.
///
/// Source: Unicode 15, table 3-7
std::size_t length_of_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0xc2) return 0;
  if (first < 0xe0) return continues(1) ? 2 : 0;
  if (first < 0xf0) {
    const bool too_long = first == 0xe0 && byte(1) < 0xa0;
    const bool half = first == 0xed && byte(1) >= 0xa0;
    return continues(1) && continues(2) && !too_long && !half ? 3 : 0;
  }
  if (first > 0xf4) return 0;
  const bool too_long = first == 0xf0 && byte(1) < 0x90;
  const bool beyond = first == 0xf4 && byte(1) >= 0x90;
  return continues(1) && continues(2) && continues(3) && !too_long && !beyond ? 4 : 0;
}

void write_escaped(char byte, std::string& text) {
  switch (byte) {
    case '"': text += "\\\""; return;
    case '\\': text += "\\\\"; return;
    case '\b': text += "\\b"; return;
    case '\f': text += "\\f"; return;
    case '\n': text += "\\n"; return;
    case '\r': text += "\\r"; return;
    case '\t': text += "\\t"; return;
    default: break;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(byte);
  text += "\\u00";
  text += digits[code >> 4U];
  text += digits[code & 0xfU];
}

/// Returns: whether it is UTF-8.
bool write_string(std::string_view string, std::string& text) {
  text += '"';
  while (!string.empty()) {
    // What stands for itself goes in one piece.
    std::size_t length = 0;
    while (true) {
      length += plain_words(string.substr(length));
      if (length == string.size() || class_of(string[length]) == ByteClass::escaped) break;
      if (class_of(string[length]) == ByteClass::plain) {
        ++length;
        continue;
      }
      const std::size_t bytes = length_of_character(string.substr(length));
      if (bytes == 0) return false;
      length += bytes;
    }
    text.append(string.data(), length);
    if (length < string.size()) write_escaped(string[length++], text);
    string.remove_prefix(length);
  }
  text += '"';
  return true;
}

template <class Integer>
void write_integer(Integer value, std::string& text) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

constexpr const char* no_utf8 = "holds a string that is not UTF-8";

/// Stops at the depth limit, so that it cannot run out of stack.
std::string write(const json& value, std::size_t depth, std::string& text) {
  if (value.is_structured() && depth >= Limits::json_depth_max)
    return "is nested deeper than " + std::to_string(Limits::json_depth_max) + " levels";
  switch (value.type()) {
    case json::value_t::null: text += "null"; return {};
    case json::value_t::boolean: text += value.get<bool>() ? "true" : "false"; return {};
    case json::value_t::number_integer: write_integer(value.get<std::int64_t>(), text); return {};
    case json::value_t::number_unsigned: write_integer(value.get<std::uint64_t>(), text); return {};
    case json::value_t::number_float:
      if (!std::isfinite(value.get<double>()))
        return "holds NaN or an infinity, which JSON has not";
      text += value.dump();
      return {};
    case json::value_t::string:
      return write_string(value.get_ref<const std::string&>(), text) ? "" : no_utf8;
    case json::value_t::array: {
      text += '[';
      for (const json& element : value) {
        if (text.back() != '[') text += ',';
        if (std::string complaint = write(element, depth + 1, text); !complaint.empty())
          return complaint;
      }
      text += ']';
      return {};
    }
    case json::value_t::object: {
      text += '{';
      for (const auto& [name, member] : value.get_ref<const json::object_t&>()) {
        if (text.back() != '{') text += ',';
        if (!write_string(name, text)) return no_utf8;
        text += ':';
        if (std::string complaint = write(member, depth + 1, text); !complaint.empty())
          return complaint;
      }
      text += '}';
      return {};
    }
    case json::value_t::binary:
    case json::value_t::discarded: break;
  }
  return "holds a binary value, which JSON has not";
}

}  // namespace

std::string write_json(const json& value, std::string& text) {
  return write(value, 0, text);
}

}  // namespace pawl
