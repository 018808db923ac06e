/// Secret: a member of a flow that is never shown.
#pragma once

#include "runtime/reference.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pawl {

/// A path such as `output.token`, split at its root.
struct Secret {
  std::string root;  ///< `with`, `output` or `input`
  std::vector<PathSegment> path;
};

/// Reads a path of a `secret` list; `roots` are the words that it may begin with.
Result<Secret> parse_secret(std::string_view text, const std::vector<std::string_view>& roots);

/// A copy of `value` with everything that `secrets` name below `root` replaced by "[secret]".
json redacted(const json& value, const std::vector<Secret>& secrets, std::string_view root);

}  // namespace pawl
