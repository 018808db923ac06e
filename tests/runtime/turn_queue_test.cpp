#include "runtime/turn_queue.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <random>

using namespace pawl;

namespace {

using Queue = TurnQueue<std::string>;

TurnLimit at_once(std::size_t max) {
  return {max, 0, 0};
}

TurnLimit rate(std::size_t max, std::int64_t span_us) {
  return {0, max, span_us};
}

/// Items are named for their kinds: `a1`.
Turn of_kind(const std::string& item) {
  return {item.substr(0, 1)};
}

/// What can be taken now, in order.
std::string taken(Queue& queue, std::int64_t now_us = 0) {
  std::string items;
  while (const auto item = queue.take(now_us)) items += (items.empty() ? "" : " ") + *item;
  return items;
}

void push_all(Queue& queue, const std::vector<std::string>& items) {
  for (const std::string& item : items) queue.push(item, of_kind(item));
}

/// What it does, told by the rules one by one: every item that waits is looked at, every time.
class NaiveQueue {
 public:
  struct Item {
    int number;
    Turn turn;
    std::int64_t began_us = 0;
  };

  explicit NaiveQueue(std::map<std::string, TurnLimit> limits) : limits_(std::move(limits)) {}

  bool may_go(const Item& item, std::int64_t now_us) const {
    const TurnLimit limit = limit_of(item);
    std::size_t under_way = 0;
    for (const Item& other : taken_) {
      if (item.turn.key && item.turn.key == other.turn.key) return false;
      under_way += item.turn.kind == other.turn.kind ? 1 : 0;
    }
    std::size_t begun = 0;
    for (const Item& other : begun_)
      if (other.turn.kind == item.turn.kind && other.began_us + limit.span_us > now_us) ++begun;
    for (const Item& other : taken_)
      if (other.turn.kind == item.turn.kind &&
          (other.began_us == 0 || other.began_us + limit.span_us > now_us))
        ++begun;
    return (limit.at_once_max == 0 || under_way < limit.at_once_max) &&
           (limit.begin_max == 0 || begun < limit.begin_max);
  }

  std::optional<int> take(std::int64_t now_us) {
    auto first = waiting.end();
    for (auto item = waiting.begin(); item != waiting.end(); ++item)
      if (may_go(*item, now_us) &&
          (first == waiting.end() || item->turn.priority > first->turn.priority))
        first = item;
    if (first == waiting.end()) return std::nullopt;
    const int number = first->number;
    taken_.push_back(*first);
    waiting.erase(first);
    return number;
  }

  Item& item_under_way(std::size_t i) { return taken_[i]; }

  std::size_t under_way() const { return taken_.size(); }

  void done(std::size_t i) {
    if (taken_[i].began_us > 0) begun_.push_back(taken_[i]);
    taken_.erase(taken_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  std::vector<Item> waiting;  // in the order in which they came

 private:
  TurnLimit limit_of(const Item& item) const {
    const auto found = limits_.find(item.turn.kind);
    return found == limits_.end() ? TurnLimit{} : found->second;
  }

  std::map<std::string, TurnLimit> limits_;
  std::vector<Item> taken_;
  std::vector<Item> begun_;  // and done
};

}  // namespace

TEST_CASE("turns: without limits the first that came is the first", "[runtime]") {
  Queue queue;
  CHECK_FALSE(queue.take(0).has_value());
  push_all(queue, {"a1", "b1", "a2"});
  CHECK(queue.size() == 3);
  CHECK(taken(queue) == "a1 b1 a2");
  CHECK(queue.empty());
}

TEST_CASE("turns: a kind with a limit waits, and holds up nobody else", "[runtime]") {
  Queue queue({{"a", at_once(2)}, {"b", at_once(1)}});
  push_all(queue, {"a1", "a2", "a3", "b1", "c1", "a4", "b2"});
  CHECK(taken(queue) == "a1 a2 b1 c1");
  CHECK(queue.size() == 3);
  queue.done("c1");
  CHECK(taken(queue).empty());
  queue.done("a1");
  CHECK(taken(queue) == "a3");
  queue.done("b1");
  queue.done("a3");
  CHECK(taken(queue) == "a4 b2");
}

TEST_CASE("turns: what waits can be taken back, one or all", "[runtime]") {
  Queue queue({{"a", at_once(1)}});
  push_all(queue, {"a1", "b1", "a2", "a3"});
  CHECK(queue.remove("a1"));
  CHECK_FALSE(queue.remove("a1"));
  CHECK(taken(queue) == "b1 a2");
  CHECK_FALSE(queue.remove("a2"));  // it is under way
  queue.push("b2", {"b", {}, 5});
  CHECK(queue.drain() == std::vector<std::string>{"a3", "b2"});
  CHECK(queue.empty());
  queue.done("a2");
  queue.push("a4", {"a"});
  CHECK(taken(queue) == "a4");
}

TEST_CASE("turns: of one key one is under way, whatever its kind", "[runtime]") {
  Queue queue({{"a", at_once(1)}});
  queue.push("a1", {"a", "x"});
  queue.push("b1", {"b", "x"});
  queue.push("b2", {"b", "y"});
  queue.push("b3", {"b", "x"});
  CHECK(taken(queue) == "a1 b2");
  queue.done("b2");
  CHECK(taken(queue).empty());
  queue.done("a1");
  CHECK(taken(queue) == "b1");
  queue.done("b1");
  CHECK(taken(queue) == "b3");
}

TEST_CASE("turns: a key whose first waits for its kind lets others of it go", "[runtime]") {
  Queue queue({{"a", at_once(1)}});
  queue.push("a1", {"a"});
  queue.push("a2", {"a", "x"});
  queue.push("b1", {"b", "x"});
  CHECK(taken(queue) == "a1 b1");
  queue.done("a1");
  CHECK(taken(queue).empty());  // its key is under way now
  queue.done("b1");
  CHECK(taken(queue) == "a2");
}

TEST_CASE("turns: the highest priority goes first, also with a key", "[runtime]") {
  Queue queue({{"a", at_once(1)}});
  queue.push("a1", {"a", {}, -5});
  queue.push("b1", {"b", "x", 0});
  queue.push("a2", {"a", {}, 3});
  queue.push("b2", {"b", "x", 7});
  queue.push("c1", {"c", {}, 3});
  CHECK(taken(queue) == "b2 a2 c1");
  queue.done("b2");
  queue.done("a2");
  CHECK(taken(queue) == "b1 a1");
}

TEST_CASE("turns: a key that is drained while it is under way is kept", "[runtime]") {
  Queue queue;
  queue.push("a1", {"a", "x"});
  queue.push("a2", {"a", "x"});
  CHECK(taken(queue) == "a1");
  CHECK(queue.drain() == std::vector<std::string>{"a2"});
  queue.push("a3", {"a", "x"});
  CHECK(taken(queue).empty());
  queue.done("a1");
  CHECK(taken(queue) == "a3");
}

TEST_CASE("turns: a rate counts from the beginning, not from the turn", "[runtime]") {
  std::map<std::string, std::int64_t> began;
  Queue queue({{"a", rate(2, 100)}}, [&](const std::string& item) { return began[item]; });
  push_all(queue, {"a1", "a2", "a3", "b1", "a4"});
  CHECK(taken(queue, 1000) == "a1 a2 b1");
  CHECK(queue.next_us() == 1100);
  began["a1"] = 1050;  // a2 waits for a thread
  CHECK(taken(queue, 1149).empty());
  CHECK(queue.next_us() == 1150);
  CHECK(taken(queue, 1150) == "a3");
  began["a3"] = 1160;
  began["a2"] = 1170;
  CHECK(taken(queue, 1259).empty());
  CHECK(taken(queue, 1260) == "a4");
  CHECK_FALSE(queue.next_us().has_value());
}

TEST_CASE("turns: what ended without a beginning takes nobody's place", "[runtime]") {
  std::map<std::string, std::int64_t> began;
  Queue queue({{"a", rate(1, 100)}}, [&](const std::string& item) { return began[item]; });
  push_all(queue, {"a1", "a2", "a3"});
  CHECK(taken(queue, 10) == "a1");
  queue.done("a1");
  CHECK(taken(queue, 11) == "a2");
  began["a2"] = 12;
  queue.done("a2");
  CHECK(taken(queue, 111).empty());
  CHECK(taken(queue, 112) == "a3");
}

TEST_CASE("turns: in any order of events no rule is broken, and none waits in vain", "[runtime]") {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    const std::map<std::string, TurnLimit> limits{
        {"a", at_once(1 + below(3))},
        {"b", {1 + below(2), 1 + below(3), static_cast<std::int64_t>(1 + below(20))}},
        {"c", rate(1 + below(3), static_cast<std::int64_t>(1 + below(20)))}};
    std::map<int, std::int64_t> began;
    TurnQueue<int> queue(limits, [&](int item) { return began[item]; });
    NaiveQueue naive(limits);
    std::int64_t now_us = 1;
    for (int next = 1; next < 120; ++next) {
      CAPTURE(next);
      now_us += static_cast<std::int64_t>(below(4));
      switch (below(5)) {
        case 0:
        case 1: {
          Turn turn{std::string(1, "abcde"[below(5)]), {}, static_cast<int>(below(4)) - 2};
          if (below(3) > 0) turn.key = std::string(1, "xyz"[below(3)]);
          naive.waiting.push_back({next, turn});
          queue.push(next, turn);
          break;
        }
        case 2:
          if (naive.under_way() > 0) {
            const std::size_t i = below(naive.under_way());
            queue.done(naive.item_under_way(i).number);
            naive.done(i);
          }
          break;
        case 3:
          if (naive.under_way() > 0) {
            auto& item = naive.item_under_way(below(naive.under_way()));
            if (item.began_us == 0) item.began_us = began[item.number] = now_us;
          }
          break;
        default:
          if (!naive.waiting.empty() && below(2) == 0) {
            const auto i = static_cast<std::ptrdiff_t>(below(naive.waiting.size()));
            REQUIRE(queue.remove(naive.waiting[static_cast<std::size_t>(i)].number));
            naive.waiting.erase(naive.waiting.begin() + i);
          }
      }
      if (below(3) == 0) continue;
      const std::optional<int> expected = naive.take(now_us);
      REQUIRE(queue.take(now_us) == expected);
      REQUIRE(queue.size() == naive.waiting.size());
      // Whoever sleeps until then misses nothing.
      const std::optional<std::int64_t> wake_us = queue.next_us();
      for (const NaiveQueue::Item& item : naive.waiting)
        if (!expected && naive.may_go(item, now_us + 25))
          REQUIRE((wake_us.has_value() && *wake_us > now_us));
    }
    // In the end all go, one after the other.
    while (!naive.waiting.empty()) {
      if (const auto took = queue.take(now_us)) {
        REQUIRE(naive.take(now_us) == took);
      } else if (naive.under_way() > 0) {
        queue.done(naive.item_under_way(0).number);
        naive.done(0);
      } else {
        REQUIRE(queue.next_us().has_value());
        now_us = *queue.next_us();
      }
    }
    CHECK(queue.empty());
  }
}

TEST_CASE("turns: a hundred thousand that wait make no turn slow", "[runtime]") {
  constexpr int count = 100'000;
  const auto seconds = [](auto&& work) {
    const auto began = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  TurnQueue<int> queue({{"a", at_once(1)}, {"b", rate(1, 1'000'000'000)}},
                       [](int) { return std::int64_t{1}; });
  const bool same = GENERATE(false, true);
  for (int i = 1; i <= count; ++i)
    queue.push(i, {i % 2 == 0 ? "a" : "b", same ? "k" : std::to_string(i), i % 7});
  // Each turn of `a` comes after the one before is done; linear ones would take minutes.
  const double spent = seconds([&] {
    for (int i = 0; i < count / 2; ++i) {
      const std::optional<int> item = queue.take(2);
      REQUIRE(item.has_value());
      REQUIRE((*item % 2 == 0 || i == 1));
      if (*item % 2 == 0 || same) queue.done(*item);
    }
  });
  CHECK(spent < 20);
}

TEST_CASE("turns: what has neither key nor limit may pass while nothing waits", "[runtime]") {
  TurnQueue<int> queue({{"bounded", TurnLimit{1, 0, 0}}});
  CHECK(queue.may_pass(Turn{"free"}));
  CHECK_FALSE(queue.may_pass(Turn{"bounded"}));
  CHECK_FALSE(queue.may_pass(Turn{"free", "key"}));
  queue.push(1, Turn{"bounded"});
  CHECK_FALSE(queue.may_pass(Turn{"free"}));  // what came first goes first
  CHECK(queue.take(0) == 1);
  CHECK(queue.may_pass(Turn{"free"}));
  queue.done(1);
}
