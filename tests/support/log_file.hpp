/// What is in the file of SQLite's log.
/// Source: https://sqlite.org/fileformat2.html#the_write_ahead_log
#pragma once

#include <cstddef>
#include <string>

namespace pawl {

constexpr std::size_t wal_header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;

/// A page and its header.
inline std::size_t frame_bytes(const std::string& wal) {
  std::size_t page = 0;
  for (std::size_t i = 8; i < 12; ++i) page = page * 256 + static_cast<unsigned char>(wal.at(i));
  return frame_header_bytes + page;
}

/// Where the log ends: behind it are zeros, or what an older log has left.
inline std::size_t log_end(const std::string& wal) {
  constexpr std::size_t salt_at = 16, salt_bytes = 8, salt_at_in_frame = 8;
  const std::string salt = wal.substr(salt_at, salt_bytes);
  std::size_t end = wal_header_bytes;
  while (end + frame_bytes(wal) <= wal.size() &&
         wal.compare(end + salt_at_in_frame, salt_bytes, salt) == 0)
    end += frame_bytes(wal);
  return end;
}

}  // namespace pawl
