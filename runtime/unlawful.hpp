/// The error of a record that cannot follow those before it.
#pragma once

#include <pawl/error.hpp>
#include <pawl/record.hpp>

#include <string>

namespace pawl {

inline Error unlawful(const Record& record, const std::string& why) {
  std::string what(to_string(record.kind));
  if (record.end != AttemptEnd::none) what += " (" + std::string(to_string(record.end)) + ")";
  if (!record.step.empty())
    what += " of step " + record.step + ", attempt " + std::to_string(record.attempt);
  return make_error(Errc::corrupt,
                    "the record " + std::to_string(record.seq) + ", " + what + ", " + why);
}

}  // namespace pawl
