// Figures: what a test has counted, for the table in docs/durability.md.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

namespace pawl {

/// Adds a figure to the file that PAWL_FIGURES names; nothing without it. `./dev figures` takes it
/// from there.
inline void note_figure(const std::string& key, const std::string& figure) {
  if (const char* const path = std::getenv("PAWL_FIGURES"); path != nullptr)
    std::ofstream(path, std::ios::app) << key << '\t' << figure << '\n';
}

/// 1234567 as 1,234,567.
inline std::string with_commas(long long number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

}  // namespace pawl
