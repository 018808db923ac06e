/// LogWatch: when to tell that a store's log grows because it cannot be begun anew.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pawl {

/// Tells at a bound, at each doubling, and when it is over.
class LogWatch {
 public:
  enum class News { none, grows, over };

  /// Given: `bytes_max`, the bound; 0: nothing is ever told.
  explicit LogWatch(std::int64_t bytes_max) : bytes_max_(bytes_max), tell_at_(bytes_max) {}

  /// Given: what the log holds after a commit, and whether it goes on growing though it was to be
  ///        begun anew. A commit that is larger than the bound is no news by itself.
  News on_commit(std::int64_t bytes, bool held) {
    if (bytes_max_ <= 0) return News::none;
    const bool was_told = tell_at_ > bytes_max_;
    if (was_told && bytes < bytes_) {
      tell_at_ = bytes_max_;
      bytes_ = bytes;
      return News::over;
    }
    bytes_ = bytes;
    if (!held || bytes < tell_at_) return News::none;
    while (tell_at_ <= bytes) tell_at_ *= 2;
    return News::grows;
  }

 private:
  std::int64_t bytes_max_;
  std::int64_t tell_at_;
  std::int64_t bytes_ = 0;
};

}  // namespace pawl
