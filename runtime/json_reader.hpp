/// The strict reader behind `parse_json`, for callers that want the value and all of its problems
/// together.
#pragma once

#include <pawl/json.hpp>

#include <optional>
#include <vector>

namespace pawl {

struct JsonReading {
  std::optional<json> value;  ///< absent when the text could not be read to its end
  std::vector<Problem>
      problems;  ///< with a value: duplicate keys (the first stands) and refused numbers
};

/// Reads `text` as far as it can be read.
JsonReading read_json(std::string_view text, std::size_t bytes_max);

}  // namespace pawl
