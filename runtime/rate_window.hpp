/// RateWindow: of things that begin some time after they were let go, at most so many begin within
/// any span of time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace pawl {

/// Each that was let go holds one of `count` places, from then on until `span_us` after it began:
/// so of those that began in any [t, t + span_us) there are never more than `count`, whatever time
/// passed between being let go and beginning.
///
/// Invariants:
/// 1. No more than `count` places are held.
/// 2. A place's `since_us` is not after the moment at which what holds it began, or will begin.
///
/// Given: `Item`, which is ordered and has a default, each let go once.
/// Costs: logarithmic in `count`; of `refresh` so for each place that became free, or of which it
///        had to ask.
template <class Item>
class RateWindow {
 public:
  /// Given: `count` and `span_us`, both at least 1.
  RateWindow(std::size_t count, std::int64_t span_us) : count_(count), span_us_(span_us) {}

  // Its places point into itself.
  RateWindow(const RateWindow&) = delete;
  RateWindow& operator=(const RateWindow&) = delete;
  RateWindow(RateWindow&&) noexcept = default;
  RateWindow& operator=(RateWindow&&) noexcept = default;

  bool is_full() const { return places_.size() >= count_; }

  /// Before this moment no place becomes free by itself, and from then on `refresh` may find one.
  ///
  /// Given: a full window.
  std::int64_t next_us() const { return places_.begin()->first + span_us_; }

  /// Lets `item` go.
  ///
  /// Given: a window that is not full.
  void let_go(const Item& item, std::int64_t now_us) {
    not_begun_.emplace(item, hold(now_us, item));
  }

  /// Frees the places of those that began long enough ago.
  ///
  /// Given: `began`, which gives the moment at which an item began, or 0 if it has not.
  template <class Began>
  void refresh(std::int64_t now_us, Began&& began) {
    while (!places_.empty() && places_.begin()->first + span_us_ <= now_us) {
      const auto waiting = not_begun_.find(places_.begin()->second);
      if (waiting == not_begun_.end() || waiting->second != places_.begin()) {
        places_.erase(places_.begin());
        continue;
      }
      const std::int64_t began_us = began(waiting->first);
      places_.erase(places_.begin());
      if (began_us == 0)  // it begins now at the earliest
        waiting->second = hold(now_us, waiting->first);
      else
        note_begun(waiting, began_us);
    }
  }

  /// What was let go has come to its end. One that never began holds its place no longer.
  ///
  /// Given: `began_us`, or 0 if it has not begun.
  void done(const Item& item, std::int64_t began_us) {
    const auto waiting = not_begun_.find(item);
    if (waiting == not_begun_.end()) return;
    places_.erase(waiting->second);
    if (began_us == 0)
      not_begun_.erase(waiting);
    else
      note_begun(waiting, began_us);
  }

 private:
  using Places = std::multimap<std::int64_t, Item>;  // by `since_us`
  using Place = typename Places::iterator;

  Place hold(std::int64_t since_us, const Item& item) { return places_.emplace(since_us, item); }

  void note_begun(typename std::map<Item, Place>::iterator waiting, std::int64_t began_us) {
    hold(began_us, Item());  // nobody asks for it again
    not_begun_.erase(waiting);
  }

  std::size_t count_;
  std::int64_t span_us_;
  Places places_;
  std::map<Item, Place> not_begun_;  // as far as known
};

}  // namespace pawl
