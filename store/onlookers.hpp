/// Onlookers: those who look at a store that somebody else owns.
#pragma once

#include <pawl/error.hpp>
#include <pawl/sqlite_store.hpp>

#include <cstdint>
#include <optional>

namespace pawl {

/// Notes beside the store what keeps it from being written.
class Onlookers {
 public:
  /// Given: `lock`, which has the note; null if nobody looks. Outlives this.
  explicit Onlookers(OwnerLock* lock) : lock_(lock) {}

  template <class T>
  void tell(const Result<T>& written, std::int64_t now_ms) {
    std::optional<Errc> error;
    if (!written) error = written.error().code;
    const bool is_passing = error == Errc::full || error == Errc::io || error == Errc::busy;
    if (!is_passing) error.reset();
    if (error == cannot_write_) return;
    if (!cannot_write_) since_ms_ = now_ms;
    cannot_write_ = error;
    if (lock_ != nullptr) lock_->note_cannot_write(error, since_ms_);
  }

 private:
  OwnerLock* lock_;
  std::optional<Errc> cannot_write_;  // what kept the last write from its end
  std::int64_t since_ms_ = 0;
};

}  // namespace pawl
