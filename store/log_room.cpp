#include "store/log_room.hpp"

#include "runtime/mutant.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace pawl {

namespace {

constexpr std::int64_t zeros_bytes = 1 << 16;

/// A log that stays small has none, and a large one is made longer seldom.
constexpr std::int64_t log_min_bytes = 1 << 16;
constexpr std::int64_t room_max_bytes = 1 << 19;

int write_zeros(sqlite3_file* file, std::int64_t from, std::int64_t to) {
  static const std::array<unsigned char, zeros_bytes> zeros{};
  int code = SQLITE_OK;
  for (; from < to && code == SQLITE_OK; from += zeros_bytes)
    code = file->pMethods->xWrite(file, zeros.data(),
                                  static_cast<int>(std::min(zeros_bytes, to - from)), from);
  return code;
}

}  // namespace

void LogRoom::make(sqlite3_file* file, std::int64_t at, std::int64_t end) noexcept {
  if (at == 0) end_ = 0;  // it is begun anew: another connection may have cut it
  if (end <= end_ || end < log_min_bytes) return;
  // Another connection may have made it longer.
  sqlite3_int64 bytes = 0;
  if (file->pMethods->xFileSize(file, &bytes) != SQLITE_OK) return;
  end_ = bytes;
  if (end < end_) return;
  const std::int64_t goal = end_ + std::min(end_, room_max_bytes);
  const std::int64_t from = mutant("room_over_log") ? end_ - 100 : end_;
  if (write_zeros(file, from, goal) == SQLITE_OK) end_ = goal;
}

}  // namespace pawl
