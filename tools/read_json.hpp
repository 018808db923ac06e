/// JSON that stands in the command line, in a file or in stdin.
#pragma once

#include <pawl/json.hpp>

#include <string>

namespace pawl::tools {

/// Reads `argument`: JSON, or `@FILE`, or `@-` for stdin; an empty one gives `otherwise`.
///
/// Given:  `option`, whose argument it is, for messages.
/// Errors: Errc::invalid_input, Errc::invalid_json, Errc::too_large.
Result<json> read_json_argument(const std::string& option, const std::string& argument,
                                json otherwise = json::object());

}  // namespace pawl::tools
