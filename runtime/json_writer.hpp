/// Canonical JSON text: one for each value.
#pragma once

#include <pawl/json.hpp>

#include <string>

namespace pawl {

/// Appends the text of `value` to `text`: without white space, members sorted by their names'
/// bytes, strings in UTF-8 with no escapes but those that JSON wants, numbers as nlohmann::json
/// writes them (integers exactly, others in as few digits as tell them apart).
///
/// Returns: what the text could not keep, such as "holds a string that is not UTF-8"; empty if
///          nothing. The text is of no use then.
std::string write_json(const json& value, std::string& text);

}  // namespace pawl
