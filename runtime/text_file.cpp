#include "runtime/text_file.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace pawl {

std::optional<std::string> read_text_file(const std::string& path, std::size_t bytes_max) {
  constexpr std::size_t part_bytes = 64 << 10;
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary);
  // A folder opens, and reads as empty.
  if (!file || std::filesystem::is_directory(path, ignored)) return std::nullopt;
  std::string text;
  while (file && text.size() <= bytes_max) {
    const std::size_t before = text.size();
    text.resize(std::min(before + part_bytes, bytes_max + 1));
    file.read(&text[before], static_cast<std::streamsize>(text.size() - before));
    text.resize(before + static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) return std::nullopt;
  return text;
}

}  // namespace pawl
