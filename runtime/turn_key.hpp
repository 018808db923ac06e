/// TurnKey: what the member `one_at_a_time` comes to: attempts with equal keys are never under way
/// together.
#pragma once

#include "runtime/template.hpp"

#include <optional>
#include <string>

namespace pawl {

/// A number is the text that JSON has for it.
///
/// Given:  a template that is a string.
/// Errors: of `Template::resolve`; Errc::invalid_argument if it comes to neither a string nor a
///         number; Errc::too_large beyond Limits::turn_key_bytes_max. None tells the value, which
///         may be secret. `where` is the pointer of a reference, or empty.
Result<std::optional<std::string>> resolve_turn_key(const Template& written, const Scope& scope);

}  // namespace pawl
