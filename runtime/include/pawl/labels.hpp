/// Labels: what the starter of a run pins to it, for finding it again.
#pragma once

#include <pawl/error.hpp>

#include <map>
#include <string>

namespace pawl {

/// By key. Given at a run's start, stored with it, and never changed. They are no part of what
/// makes a run the same run, and no step sees them.
using Labels = std::map<std::string, std::string>;

/// Keys are `[A-Za-z0-9][A-Za-z0-9._/-]*`; values any UTF-8 text without control characters, the
/// empty one too.
///
/// Errors: Errc::invalid_argument; Errc::too_large beyond the bounds of limits.hpp.
Result<void> check_labels(const Labels& labels);

/// Whether a run with the labels `has` has all of `wanted`, with the same values.
bool has_labels(const Labels& has, const Labels& wanted);

}  // namespace pawl
