/// Moments and ages as people write them on a command line.
#pragma once

#include <pawl/error.hpp>

#include <cstdint>
#include <string>

namespace pawl::tools {

/// What the wall clock says now, in milliseconds since the Unix epoch.
std::int64_t now_ms();

/// A moment in milliseconds since the Unix epoch: a day, which is its first instant in UTC, a
/// moment `YYYY-MM-DDTHH:MM:SSZ`, or an age, which counts back from `now_ms`.
///
/// Given:  `option`, which the error names.
/// Errors: Errc::invalid_argument, with an example of each form.
Result<std::int64_t> parse_moment(const std::string& option, const std::string& text,
                                  std::int64_t now_ms);

/// An age in milliseconds: a whole number and `s`, `m`, `h` or `d`.
///
/// Errors: as `parse_moment`.
Result<std::int64_t> parse_age(const std::string& option, const std::string& text);

}  // namespace pawl::tools
