// A whole file as text, as far as it may be long.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace pawl {

/// The file's bytes; of a longer one, or of one without an end, `bytes_max` + 1 of them, so that
/// whoever parses it refuses it as too large. Nothing if it cannot be read.
std::optional<std::string> read_text_file(const std::string& path, std::size_t bytes_max);

}  // namespace pawl
