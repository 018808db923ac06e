#include <pawl/json.hpp>
#include <pawl/limits.hpp>

#include "runtime/json_reader.hpp"
#include "runtime/json_writer.hpp"

namespace pawl {

Result<json> parse_json(std::string_view text, std::size_t bytes_max) {
  JsonReading reading = read_json(text, bytes_max);
  if (reading.problems.empty()) return std::move(*reading.value);
  const Problem& first = reading.problems.front();
  const bool too_large = first.code == "too_large";
  return Error{too_large ? Errc::too_large : Errc::invalid_json, first.message, first.pointer,
               reading.problems.size() > 1 ? std::move(reading.problems) : std::vector<Problem>{}};
}

Result<std::string> canonical_json(const json& value, std::size_t bytes_max) {
  std::string text;
  if (const std::string complaint = write_json(value, text); !complaint.empty())
    return make_error(Errc::invalid_json, "the value " + complaint);
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
