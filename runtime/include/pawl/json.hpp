/// JSON as pawl takes and gives it: strict where it reads, canonical where it writes.
#pragma once

#include <pawl/error.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace pawl {

using json = nlohmann::json;

/// Reads JSON text and refuses what JSON libraries often change in silence.
///
/// Refused: text over `bytes_max` bytes, bytes that are not UTF-8, nesting over
/// `Limits::json_depth_max`, a key that
///          an object has twice, integers beyond 64 bits, numbers too large for a double.
/// Errors:  Errc::invalid_json with line and column, or with one problem per duplicate key or
/// number;
///          Errc::too_large.
Result<json> parse_json(std::string_view text, std::size_t bytes_max);

/// Writes `value` as canonical text: UTF-8, no white space, object keys in byte order. Equal values
/// give equal bytes.
///
/// Errors: Errc::invalid_json for strings that are not UTF-8, NaN, infinities, binary values and
/// nesting over
///         `Limits::json_depth_max`; Errc::too_large over `bytes_max` bytes.
Result<std::string> canonical_json(const json& value, std::size_t bytes_max);

bool is_utf8(std::string_view text);

/// Gives `text` as valid UTF-8 of at most about `bytes_max` bytes: broken bytes become U+FFFD, a
/// cut is marked. For messages from outside (exceptions, programs), which may hold anything.
std::string printable_text(std::string_view text, std::size_t bytes_max);

/// Appends `token` to a JSON pointer, escaped as RFC 6901 asks.
std::string pointer_to(const std::string& parent, std::string_view token);

}  // namespace pawl
