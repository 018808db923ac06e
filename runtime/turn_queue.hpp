/// TurnQueue: what waits for its turn, first come first served, but for kinds of which only so many
/// may be under way at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// Given: `Item`, which can be compared and moved.
///
/// Costs: `push`, `take` and `done` logarithmic in the number of kinds that have a limit; `remove`
///        linear in what waits of its kind.
template <class Item>
class TurnQueue {
 public:
  /// Given: `limits`, by kind, each at least 1. A kind that is not there has none.
  explicit TurnQueue(const std::map<std::string, std::size_t>& limits = {}) {
    for (const auto& [kind, limit] : limits) lanes_[kind].free = limit;
  }

  // Its places point into itself.
  TurnQueue(const TurnQueue&) = delete;
  TurnQueue& operator=(const TurnQueue&) = delete;
  TurnQueue(TurnQueue&&) noexcept = default;
  TurnQueue& operator=(TurnQueue&&) noexcept = default;

  void push(const std::string& kind, Item item) {
    const auto lane = lane_of(kind);
    lane->second.waiting.emplace_back(next_number_++, std::move(item));
    ++size_;
    if (lane->second.waiting.size() == 1) note_first(lane);
  }

  /// The item that came first of those that may be under way now: it then is, until `done`.
  std::optional<Item> take() {
    if (turns_.empty()) return std::nullopt;
    const auto lane = turns_.begin()->second;
    turns_.erase(turns_.begin());
    Item item = std::move(lane->second.waiting.front().second);
    lane->second.waiting.pop_front();
    --size_;
    if (is_limited(lane)) --lane->second.free;
    note_first(lane);
    return item;
  }

  /// One of this kind that was taken is not under way any more.
  void done(const std::string& kind) {
    const auto lane = lanes_.find(kind);
    if (lane == lanes_.end() || !is_limited(lane)) return;
    if (++lane->second.free == 1) note_first(lane);
  }

  /// Takes out an item that waits. Gives false if it does not.
  bool remove(const std::string& kind, const Item& item) {
    const auto lane = lane_of(kind);
    auto& waiting = lane->second.waiting;
    const auto found = std::find_if(waiting.begin(), waiting.end(),
                                    [&](const auto& other) { return other.second == item; });
    if (found == waiting.end()) return false;
    turns_.erase({waiting.front().first, lane});
    waiting.erase(found);
    --size_;
    note_first(lane);
    return true;
  }

  /// Takes out all that waits, in the order in which it came.
  std::vector<Item> drain() {
    std::vector<std::pair<std::uint64_t, Item>> all;
    for (auto& [kind, lane] : lanes_) {
      std::move(lane.waiting.begin(), lane.waiting.end(), std::back_inserter(all));
      lane.waiting.clear();
    }
    turns_.clear();
    size_ = 0;
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Item> items;
    for (auto& [number, item] : all) items.push_back(std::move(item));
    return items;
  }

  /// How many wait.
  std::size_t size() const { return size_; }

  bool empty() const { return size_ == 0; }

 private:
  struct Lane {
    std::size_t free = 0;  // how many more may be under way; of the common lane it says nothing
    std::deque<std::pair<std::uint64_t, Item>> waiting;  // by number, ascending
  };

  using LanePlace = typename std::map<std::string, Lane>::iterator;

  struct Turn {
    std::uint64_t first;
    LanePlace second;

    bool operator<(const Turn& other) const { return first < other.first; }
  };

  /// Kinds without a limit share one lane, under a name that no kind has.
  LanePlace lane_of(const std::string& kind) {
    const auto found = lanes_.find(kind);
    return found == lanes_.end() || kind.empty() ? common_ : found;
  }

  bool is_limited(const LanePlace& lane) const { return lane != common_; }

  /// The lane's first item may be the next one.
  void note_first(const LanePlace& lane) {
    const Lane& place = lane->second;
    if (!place.waiting.empty() && (!is_limited(lane) || place.free > 0))
      turns_.insert({place.waiting.front().first, lane});
  }

  std::map<std::string, Lane> lanes_;
  LanePlace common_ = lanes_.emplace(std::string(), Lane()).first;
  std::set<Turn> turns_;  // the lanes whose first item may be taken, by its number
  std::uint64_t next_number_ = 0;
  std::size_t size_ = 0;
};

}  // namespace pawl
