/// Labels on a command line, and as people read them.
#pragma once

#include <pawl/labels.hpp>

#include <string>
#include <vector>

namespace pawl::tools {

/// Reads `KEY=VALUE`s.
///
/// Errors: Errc::invalid_argument for what is none, or has a key twice; those of `check_labels`.
Result<Labels> read_labels(const std::vector<std::string>& texts);

/// `team=tea, env=prod`.
std::string labels_text(const Labels& labels);

}  // namespace pawl::tools
