/// The nearest known name, for messages about a misspelt one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pawl {

/// `; did you mean "after"?` when a candidate is close enough to `word`, else nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace pawl
