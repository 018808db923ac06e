#include "store/unsynced_log.hpp"

#include "runtime/mutant.hpp"

#include <sqlite3.h>

#include <cstddef>
#include <new>

namespace pawl {

namespace {

/// SQLite writes page after page, and a few bytes before each: they are kept as few pieces, none of
/// which costs a mapping of its own.
constexpr std::size_t piece_bytes = 1 << 16;

}  // namespace

std::unique_ptr<UnsyncedLog> UnsyncedLog::make() noexcept {
  try {
    return std::make_unique<UnsyncedLog>();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void UnsyncedLog::keep(const void* bytes, int size, std::int64_t at) {
  const auto* const from = static_cast<const unsigned char*>(bytes);
  const auto count = static_cast<std::size_t>(size);
  if (is_cut_ || kept_.back().end() != at || kept_.back().bytes.size() + count > piece_bytes) {
    kept_.push_back({at, {}});
    is_cut_ = false;
  }
  std::vector<unsigned char>& bytes_kept = kept_.back().bytes;
  bytes_kept.insert(bytes_kept.end(), from, from + count);
}

UnsyncedLog::Place UnsyncedLog::cut() {
  is_cut_ = true;
  return first_ + kept_.size();
}

void UnsyncedLog::forget_before(Place place) {
  for (; first_ < place && !kept_.empty(); ++first_) kept_.pop_front();
}

int UnsyncedLog::sync(sqlite3_file* file, int flags) {
  if (*has_failed_ && !mutant("failed_sync_repeated"))
    for (const Piece& piece : kept_) {
      const int code = file->pMethods->xWrite(file, piece.bytes.data(),
                                              static_cast<int>(piece.bytes.size()), piece.at);
      if (code != SQLITE_OK) return code;
    }
  const int code = file->pMethods->xSync(file, flags);
  *has_failed_ = code != SQLITE_OK;
  if (code == SQLITE_OK) forget_before(cut());
  return code;
}

}  // namespace pawl
