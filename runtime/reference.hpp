/// Reference: what a `{{...}}` names, such as `steps.list.output.files[0]`.
#pragma once

#include <pawl/error.hpp>
#include <pawl/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pawl {

/// One move into a value: a member's name or an element's index.
using PathSegment = std::variant<std::string, std::size_t>;

struct Reference {
  enum class Root { input, step_output, run_id, item, index, output };

  Root root = Root::input;
  std::string step;               ///< with `step_output`: the step's name
  std::size_t step_index = 0;     ///< with `step_output`: its place in the plan, once there is one
  std::vector<PathSegment> path;  ///< below the root
  bool optional = false;          ///< null where the path leads nowhere
  std::string text;               ///< as written, for messages
};

/// Reads what stands between `{{` and `}}`.
///
/// Errors: Errc::invalid_flow with a message that says what a reference may look like.
Result<Reference> parse_reference(std::string_view text);

/// Follows `path` from `value`; null pointer where it leads nowhere. A name of digits also names an
/// array's element.
const json* follow(const json& value, const std::vector<PathSegment>& path);

}  // namespace pawl
