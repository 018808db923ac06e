#include <pawl/json.hpp>
#include <pawl/limits.hpp>

#include "runtime/json_reader.hpp"

#include <cmath>

namespace pawl {

namespace {

/// Says what canonical text could not keep of `value`, or nothing. Stops at the depth limit, so
/// that neither this nor `dump` can run out of stack.
std::string complaint_about(const json& value, std::size_t depth) {
  if (value.is_structured()) {
    if (depth >= Limits::json_depth_max)
      return "nested deeper than " + std::to_string(Limits::json_depth_max) + " levels";
    for (const json& element : value) {
      std::string complaint = complaint_about(element, depth + 1);
      if (!complaint.empty()) return complaint;
    }
    return {};
  }
  if (value.is_number_float() && !std::isfinite(value.get<double>()))
    return "holds NaN or an infinity, which JSON has not";
  if (value.is_binary() || value.is_discarded()) return "holds a binary value, which JSON has not";
  return {};
}

}  // namespace

Result<json> parse_json(std::string_view text, std::size_t bytes_max) {
  JsonReading reading = read_json(text, bytes_max);
  if (reading.problems.empty()) return std::move(*reading.value);
  const Problem& first = reading.problems.front();
  const bool too_large = first.code == "too_large";
  return Error{too_large ? Errc::too_large : Errc::invalid_json, first.message, first.pointer,
               reading.problems.size() > 1 ? std::move(reading.problems) : std::vector<Problem>{}};
}

Result<std::string> canonical_json(const json& value, std::size_t bytes_max) {
  if (value.is_object() && value.empty() && bytes_max >= 2) return std::string("{}");  // often
  std::string complaint = complaint_about(value, 0);
  if (!complaint.empty()) return make_error(Errc::invalid_json, "the value " + complaint);
  std::string text;
  try {
    text = value.dump();
  } catch (const json::exception&) {
    return make_error(Errc::invalid_json, "the value holds a string that is not UTF-8");
  }
  if (text.size() > bytes_max)
    return make_error(Errc::too_large, "the value has " + std::to_string(text.size()) +
                                           " bytes as JSON; at most " + std::to_string(bytes_max) +
                                           " are allowed");
  return text;
}

bool is_utf8(std::string_view text) {
  try {
    return !json(std::string(text)).dump().empty();
  } catch (const json::exception&) {
    return false;
  }
}

std::string printable_text(std::string_view text, std::size_t bytes_max) {
  const bool cut = text.size() > bytes_max;
  if (cut) text = text.substr(0, bytes_max);
  // The serializer knows UTF-8; its quotes and escapes come off again by parsing.
  const std::string quoted =
      json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
  std::string clean = json::parse(quoted).get<std::string>();
  if (cut) clean += "... (cut)";
  return clean;
}

std::string pointer_to(const std::string& parent, std::string_view token) {
  std::string pointer = parent + '/';
  for (const char c : token) {
    if (c == '~')
      pointer += "~0";
    else if (c == '/')
      pointer += "~1";
    else
      pointer += c;
  }
  return pointer;
}

}  // namespace pawl
