#include "store/unsynced_log.hpp"

#include "runtime/mutant.hpp"

#include <sqlite3.h>

#include <cstddef>
#include <new>
#include <utility>

namespace pawl {

namespace {

/// SQLite writes page after page, and a few bytes before each: they are kept as few pieces.
constexpr std::size_t piece_bytes = 1 << 16;

/// Memory that was used is used again: to get it from the system takes longer than to fill it.
constexpr std::size_t spare_max = 64;

}  // namespace

std::unique_ptr<UnsyncedLog> UnsyncedLog::make() noexcept {
  try {
    auto log = std::make_unique<UnsyncedLog>();
    log->spare_.reserve(spare_max);
    return log;
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
    if (!spare_.empty()) {
      kept_.back().bytes = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  std::vector<unsigned char>& bytes_kept = kept_.back().bytes;
  bytes_kept.insert(bytes_kept.end(), from, from + count);
}

UnsyncedLog::Place UnsyncedLog::cut() {
  is_cut_ = true;
  return first_ + kept_.size();
}

void UnsyncedLog::forget_before(Place place) {
  for (; first_ < place && !kept_.empty(); ++first_) {
    std::vector<unsigned char>& bytes = kept_.front().bytes;
    bytes.clear();
    if (spare_.size() < spare_.capacity() && bytes.capacity() <= 2 * piece_bytes)
      spare_.push_back(std::move(bytes));
    kept_.pop_front();
  }
}

int UnsyncedLog::sync(sqlite3_file* file, int flags) {
  int code = SQLITE_OK;
  if (has_failed_->exchange(false) && !mutant("failed_sync_repeated")) code = write_again(file);
  if (code == SQLITE_OK) code = file->pMethods->xSync(file, flags);
  if (code == SQLITE_OK && *has_failed_) code = SQLITE_IOERR_FSYNC;  // another one has, meanwhile
  *has_failed_ = code != SQLITE_OK;
  if (code == SQLITE_OK) forget_before(cut());
  return code;
}

int UnsyncedLog::write_again(sqlite3_file* file) const {
  for (const Piece& piece : kept_) {
    const int code = file->pMethods->xWrite(file, piece.bytes.data(),
                                            static_cast<int>(piece.bytes.size()), piece.at);
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

}  // namespace pawl
