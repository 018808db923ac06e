#include "runtime/turn_queue.hpp"

#include "support/catch.hpp"

#include <random>

using namespace pawl;

namespace {

/// What can be taken now, in order.
std::string taken(TurnQueue<std::string>& queue) {
  std::string items;
  while (const auto item = queue.take()) items += (items.empty() ? "" : " ") + *item;
  return items;
}

}  // namespace

TEST_CASE("turns: without limits the first that came is the first", "[runtime]") {
  TurnQueue<std::string> queue;
  CHECK_FALSE(queue.take().has_value());
  for (const char* item : {"a1", "b1", "a2"}) queue.push(std::string(1, item[0]), item);
  CHECK(queue.size() == 3);
  CHECK(taken(queue) == "a1 b1 a2");
  CHECK(queue.empty());
}

TEST_CASE("turns: a kind with a limit waits, and holds up nobody else", "[runtime]") {
  TurnQueue<std::string> queue({{"a", 2}, {"b", 1}});
  for (const char* item : {"a1", "a2", "a3", "b1", "c1", "a4", "b2"})
    queue.push(std::string(1, item[0]), item);
  CHECK(taken(queue) == "a1 a2 b1 c1");
  CHECK(queue.size() == 3);
  queue.done("c");
  CHECK(taken(queue).empty());
  queue.done("a");
  CHECK(taken(queue) == "a3");
  queue.done("b");
  queue.done("a");
  CHECK(taken(queue) == "a4 b2");
}

TEST_CASE("turns: what waits can be taken back, one or all", "[runtime]") {
  TurnQueue<std::string> queue({{"a", 1}});
  for (const char* item : {"a1", "b1", "a2", "a3"}) queue.push(std::string(1, item[0]), item);
  CHECK(queue.remove("a", "a1"));
  CHECK_FALSE(queue.remove("a", "a1"));
  CHECK_FALSE(queue.remove("b", "a2"));
  CHECK(taken(queue) == "b1 a2");
  CHECK_FALSE(queue.remove("a", "a2"));  // it is under way
  queue.push("b", "b2");
  CHECK(queue.drain() == std::vector<std::string>{"a3", "b2"});
  CHECK(queue.empty());
  queue.done("a");
  queue.push("a", "a4");
  CHECK(taken(queue) == "a4");
}

TEST_CASE("turns: in any order of events no limit is passed, and none waits in vain", "[runtime]") {
  std::mt19937 random(7);
  const auto below = [&](unsigned n) { return random() % n; };
  for (int round = 0; round < 300; ++round) {
    const std::map<std::string, std::size_t> limits{{"a", 1 + below(3)}, {"b", 1 + below(2)}};
    TurnQueue<int> queue(limits);
    std::map<std::string, std::vector<int>> waiting;
    std::map<std::string, std::size_t> under_way;
    std::map<int, std::string> kinds;
    const auto may_start = [&](const std::string& kind) {
      return !waiting[kind].empty() &&
             (limits.count(kind) == 0 || under_way[kind] < limits.at(kind));
    };
    for (int next = 0; next < 60; ++next) {
      const std::string kind(1, "abcd"[below(4)]);
      switch (below(4)) {
        case 0:
        case 1:
          kinds[next] = kind;
          waiting[kind].push_back(next);
          queue.push(kind, next);
          break;
        case 2:
          if (under_way[kind] > 0) --under_way[kind], queue.done(kind);
          break;
        default:
          if (waiting[kind].empty()) break;
          REQUIRE(queue.remove(kind, waiting[kind].back()));
          waiting[kind].pop_back();
      }
      if (below(2) == 0) continue;
      std::optional<int> expected;
      for (const auto& [other, items] : waiting)
        if (may_start(other) && (!expected || items.front() < *expected)) expected = items.front();
      const std::optional<int> took = queue.take();
      REQUIRE(took == expected);
      if (!took) continue;
      auto& items = waiting[kinds[*took]];
      items.erase(items.begin());
      ++under_way[kinds[*took]];
    }
  }
}
