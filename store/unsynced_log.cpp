#include "store/unsynced_log.hpp"

#include "runtime/mutant.hpp"

#include <sqlite3.h>

#include <algorithm>
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

int UnsyncedLog::Piece::write(sqlite3_file* file) const {
  return file->pMethods->xWrite(file, bytes.data(), static_cast<int>(bytes.size()), at);
}

void UnsyncedLog::Piece::take_from(const Piece& later) {
  const std::int64_t from = std::max(at, later.at);
  const std::int64_t to = std::min(end(), later.end());
  if (from < to)
    std::copy_n(later.bytes.begin() + (from - later.at), to - from, bytes.begin() + (from - at));
}

std::unique_ptr<UnsyncedLog> UnsyncedLog::make() noexcept {
  try {
    auto log = std::make_unique<UnsyncedLog>();
    log->spare_.reserve(spare_max);
    return log;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

UnsyncedLog::Keeping::Keeping(UnsyncedLog& log) : log_(log) {
  log_.is_on_ = true;
  // Seeded bugs: SQLite asks for no sync then, by which a commit is known to be complete.
  log_.is_complete_ = mutant("synchronous_normal") || mutant("synchronous_off");
}

UnsyncedLog::Keeping::~Keeping() {
  log_.is_on_ = false;
  log_.drop_unwritten();
}

int UnsyncedLog::put(sqlite3_file* file, const void* bytes, int size, std::int64_t at) {
  if (!is_on_) {
    const int code = file->pMethods->xWrite(file, bytes, size, at);
    if (code == SQLITE_OK) room_.make(file, at, at + size);
    return code;
  }
  keep(bytes, static_cast<std::size_t>(size), at);
  return is_complete_ ? write(file) : SQLITE_OK;
}

void UnsyncedLog::keep(const void* bytes, std::size_t count, std::int64_t at) {
  const auto* const from = static_cast<const unsigned char*>(bytes);
  if (written_ == kept_.size() || kept_.back().end() != at ||
      kept_.back().bytes.size() + count > piece_bytes) {
    kept_.push_back({at, {}});
    if (!spare_.empty()) {
      kept_.back().bytes = std::move(spare_.back());
      spare_.pop_back();
    } else {
      kept_.back().bytes.reserve(piece_bytes);
    }
  }
  std::vector<unsigned char>& bytes_kept = kept_.back().bytes;
  bytes_kept.insert(bytes_kept.end(), from, from + count);
}

int UnsyncedLog::complete(sqlite3_file* file) {
  is_complete_ = true;
  return write(file);
}

int UnsyncedLog::write(sqlite3_file* file) {
  if (written_ == kept_.size()) return SQLITE_OK;
  const std::int64_t at = kept_[written_].at;
  std::int64_t end = 0;
  for (; written_ < kept_.size(); ++written_) {
    if (const int code = kept_[written_].write(file); code != SQLITE_OK) return code;
    end = std::max(end, kept_[written_].end());
  }
  room_.make(file, at, end);
  return SQLITE_OK;
}

int UnsyncedLog::write_if_within(sqlite3_file* file, std::int64_t at, int size) {
  const auto is_within = [&](const Piece& piece) {
    return piece.at < at + size && at < piece.end();
  };
  const auto first = kept_.begin() + static_cast<std::ptrdiff_t>(written_);
  return std::any_of(first, kept_.end(), is_within) ? write(file) : SQLITE_OK;
}

void UnsyncedLog::forget_before(Place place) {
  for (; first_ < place && written_ > 0; ++first_, --written_) {
    recycle(std::move(kept_.front().bytes));
    kept_.pop_front();
  }
}

int UnsyncedLog::sync(sqlite3_file* file, int flags) {
  int code = SQLITE_OK;
  if (has_failed_->exchange(false) && !mutant("failed_sync_repeated")) code = write_again(file);
  if (code == SQLITE_OK) code = write(file);
  if (code == SQLITE_OK) code = file->pMethods->xSync(file, flags);
  if (code == SQLITE_OK && *has_failed_) code = SQLITE_IOERR_FSYNC;  // another one has, meanwhile
  if (code == SQLITE_OK)
    forget_before(written());
  else
    *has_failed_ = true;
  return code;
}

/// Where a page was written twice only the last bytes are: whoever looks meanwhile must not see
/// those before them.
int UnsyncedLog::write_again(sqlite3_file* file) {
  for (std::size_t i = 0; i < written_; ++i) {
    for (std::size_t later = i + 1; later < written_; ++later) kept_[i].take_from(kept_[later]);
    if (const int code = kept_[i].write(file); code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

void UnsyncedLog::drop_unwritten() {
  while (kept_.size() > written_) {
    recycle(std::move(kept_.back().bytes));
    kept_.pop_back();
  }
}

void UnsyncedLog::recycle(std::vector<unsigned char> bytes) {
  bytes.clear();
  if (spare_.size() < spare_.capacity() && bytes.capacity() <= 2 * piece_bytes)
    spare_.push_back(std::move(bytes));
}

}  // namespace pawl
