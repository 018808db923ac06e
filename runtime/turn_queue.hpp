/// TurnQueue: what waits for its turn. Those of the highest priority go first, of equal ones those
/// that came first, but for what may not go yet.
#pragma once

#include <pawl/assert.hpp>

#include "runtime/rate_window.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// What holds for a kind of items; by default nothing.
struct TurnLimit {
  std::size_t at_once_max = 0;  ///< how many may be under way at once; 0: no limit
  std::size_t begin_max = 0;    ///< how many may begin within `span_us`; 0: no limit
  std::int64_t span_us = 0;     ///< with `begin_max`: at least 1
};

/// What an item's turn depends on.
struct Turn {
  std::string kind = {};
  std::optional<std::string> key = {};  ///< items with equal ones are never under way together
  int priority = 0;                     ///< a higher one goes first
};

/// An item is under way from its turn, which `take` gives it, until `done`. It may go if
/// - fewer of its kind are under way than `TurnLimit::at_once_max`,
/// - no item with its key is under way, of whatever kind, and
/// - its kind's RateWindow has room: see there for what is promised.
///
/// Invariants:
/// 1. A lane (the items of a kind that has a limit, or of all others) has as candidates those of
///    its items that no key keeps from going: without a key all, and of each key that nothing under
///    way has the first in this lane.
/// 2. A lane that has candidates and room stands in `turns_` by its first candidate, one that only
///    its rate keeps from going in `sleepers_`.
///
/// Given: `Item`, which is ordered and has a default, each once from `push` to `done`.
/// Costs: all members but `drain` logarithmic in what waits and is under way, `take` and `done`
///        besides linear in the lanes in which an item's key waits.
template <class Item>
class TurnQueue {
 public:
  using Limits = std::map<std::string, TurnLimit>;
  using Began = std::function<std::int64_t(const Item&)>;

  /// Given: `limits`, by kind; `began`, which gives the moment at which an item that is under way
  ///        has begun, or 0 as long as it has not: asked for kinds with `begin_max` only.
  explicit TurnQueue(const Limits& limits = {}, Began began = {}) : began_(std::move(began)) {
    for (const auto& [kind, limit] : limits) {
      Lane& lane = lanes_[kind];
      lane.is_bounded = limit.at_once_max > 0;
      lane.free = limit.at_once_max;
      if (limit.begin_max > 0) lane.window.emplace(limit.begin_max, limit.span_us);
    }
  }

  // Its places point into itself.
  TurnQueue(const TurnQueue&) = delete;
  TurnQueue& operator=(const TurnQueue&) = delete;
  TurnQueue(TurnQueue&&) noexcept = default;
  TurnQueue& operator=(TurnQueue&&) noexcept = default;

  /// Whether an item with this turn may go at once, and nothing that waits is before it: then it
  /// need not be pushed, and has no `done`.
  bool may_pass(const Turn& turn) {
    return !turn.key && waiting_.empty() && lane_of(turn.kind) == common_;
  }

  void push(Item item, const Turn& turn) {
    const Order order{turn.priority, next_number_++};
    Lane* const lane = lane_of(turn.kind);
    const bool is_new = orders_.emplace(item, order).second;
    PAWL_ASSERT(is_new);
    if (!turn.key) {
      waiting_.emplace(order, Waiting{std::move(item), lane, nullptr});
      lane->candidates.insert(order);
      return look_at(*lane);
    }
    KeyPlace* const key = &*keys_.try_emplace(*turn.key).first;
    waiting_.emplace(order, Waiting{std::move(item), lane, key});
    std::set<Order>& line = key->second.lines[lane];
    if (!key->second.is_under_way && !line.empty()) lane->candidates.erase(*line.begin());
    line.insert(order);
    if (!key->second.is_under_way) lane->candidates.insert(*line.begin());
    look_at(*lane);
  }

  /// The first of those that may go now: it is under way then, until `done`.
  std::optional<Item> take(std::int64_t now_us) {
    while (!sleepers_.empty() && sleepers_.begin()->first <= now_us) {
      Lane& lane = *sleepers_.begin()->second;
      lane.window->refresh(now_us, began_);
      look_at(lane);
    }
    if (turns_.empty()) return std::nullopt;
    const auto place = waiting_.find(turns_.begin()->first);
    Lane& lane = *place->second.lane;
    KeyPlace* const key = place->second.key;
    Item item = take_out(place);
    if (lane.is_bounded) --lane.free;
    if (lane.window) lane.window->let_go(item, now_us);
    look_at(lane);
    if (key != nullptr) hold(*key);
    if (key != nullptr || lane.is_bounded || lane.window)
      under_way_.emplace(item, UnderWay{&lane, key});
    return item;
  }

  /// When `take` may have something that it has not now, because time has passed; nothing if only
  /// `push` or `done` can change that.
  std::optional<std::int64_t> next_us() const {
    if (sleepers_.empty()) return std::nullopt;
    return sleepers_.begin()->first;
  }

  /// An item that was taken is not under way any more.
  void done(const Item& item) {
    const auto found = under_way_.find(item);
    if (found == under_way_.end()) return;
    const auto [lane, key] = found->second;
    under_way_.erase(found);
    if (lane->is_bounded) ++lane->free;
    if (lane->window) lane->window->done(item, began_(item));
    look_at(*lane);
    if (key != nullptr) release(*key);
  }

  /// Takes out an item that waits. Gives false if it does not.
  bool remove(const Item& item) {
    const auto found = orders_.find(item);
    if (found == orders_.end()) return false;
    const auto place = waiting_.find(found->second);
    Lane& lane = *place->second.lane;
    KeyPlace* const key = place->second.key;
    take_out(place);
    look_at(lane);
    if (key != nullptr) forget_if_unused(*key);
    return true;
  }

  /// Takes out all that waits, in the order in which it came.
  std::vector<Item> drain() {
    std::map<std::uint64_t, Item> all;
    for (auto& [order, waiting] : waiting_) all.emplace(order.number, std::move(waiting.item));
    waiting_.clear();
    orders_.clear();
    for (auto& [kind, lane] : lanes_) {
      lane.candidates.clear();
      look_at(lane);
    }
    for (auto key = keys_.begin(); key != keys_.end();) {
      key->second.lines.clear();
      key = key->second.is_under_way ? std::next(key) : keys_.erase(key);
    }
    std::vector<Item> items;
    for (auto& [number, item] : all) items.push_back(std::move(item));
    return items;
  }

  /// How many wait.
  std::size_t size() const { return waiting_.size(); }

  bool empty() const { return waiting_.empty(); }

 private:
  struct Order {
    int priority;
    std::uint64_t number;

    bool operator<(const Order& other) const {
      return priority != other.priority ? priority > other.priority : number < other.number;
    }
  };

  struct Lane {
    bool is_bounded = false;
    std::size_t free = 0;  // of one that is bounded: how many more may be under way
    std::optional<RateWindow<Item>> window;
    std::set<Order> candidates;
    std::optional<Order> turn;         // where it stands in `turns_`
    std::optional<std::int64_t> wake;  // and in `sleepers_`
  };

  struct Key {
    bool is_under_way = false;
    std::map<Lane*, std::set<Order>> lines;  // what waits with it, by lane; none is empty
  };

  using KeyPlace = std::pair<const std::string, Key>;

  struct Waiting {
    Item item;
    Lane* lane;
    KeyPlace* key;  // null without one
  };

  struct UnderWay {
    Lane* lane;
    KeyPlace* key;
  };

  using WaitingPlace = typename std::map<Order, Waiting>::iterator;

  /// Kinds without a limit share one lane, under a name that no kind has.
  Lane* lane_of(const std::string& kind) {
    const auto found = lanes_.find(kind);
    return found == lanes_.end() ? common_ : &found->second;
  }

  /// Puts a lane where invariant 2 wants it, after its candidates or its room have changed.
  void look_at(Lane& lane) {
    if (lane.turn) turns_.erase(*std::exchange(lane.turn, std::nullopt));
    if (lane.wake) sleepers_.erase({*std::exchange(lane.wake, std::nullopt), &lane});
    if (lane.candidates.empty() || (lane.is_bounded && lane.free == 0)) return;
    if (lane.window && lane.window->is_full()) {
      lane.wake = lane.window->next_us();
      sleepers_.emplace(*lane.wake, &lane);
    } else {
      lane.turn = *lane.candidates.begin();
      turns_.emplace(*lane.turn, &lane);
    }
  }

  /// Takes an item from where it waits. Its lane and its key have to be looked at afterwards.
  Item take_out(const WaitingPlace& place) {
    const Order order = place->first;
    Lane& lane = *place->second.lane;
    lane.candidates.erase(order);
    if (KeyPlace* const key = place->second.key) {
      const auto line = key->second.lines.find(&lane);
      line->second.erase(order);
      if (line->second.empty())
        key->second.lines.erase(line);
      else if (!key->second.is_under_way)
        lane.candidates.insert(*line->second.begin());
    }
    Item item = std::move(place->second.item);
    orders_.erase(item);
    waiting_.erase(place);
    return item;
  }

  /// An item with this key goes: the others wait.
  void hold(KeyPlace& key) {
    key.second.is_under_way = true;
    for (auto& [lane, line] : key.second.lines) {
      lane->candidates.erase(*line.begin());
      look_at(*lane);
    }
  }

  void release(KeyPlace& key) {
    key.second.is_under_way = false;
    for (auto& [lane, line] : key.second.lines) {
      lane->candidates.insert(*line.begin());
      look_at(*lane);
    }
    forget_if_unused(key);
  }

  void forget_if_unused(KeyPlace& key) {
    if (!key.second.is_under_way && key.second.lines.empty()) keys_.erase(keys_.find(key.first));
  }

  Began began_;
  std::map<std::string, Lane> lanes_;
  Lane* common_ = &lanes_[std::string()];
  std::map<std::string, Key> keys_;     // those that something waits or is under way with
  std::map<Order, Waiting> waiting_;    // in the order of their turns, if nothing kept them
  std::map<Item, Order> orders_;        // of what waits
  std::map<Item, UnderWay> under_way_;  // where that keeps others waiting
  std::map<Order, Lane*> turns_;        // lanes from which an item may go
  std::set<std::pair<std::int64_t, Lane*>> sleepers_;  // by when their rate may let one go
  std::uint64_t next_number_ = 0;
};

}  // namespace pawl
