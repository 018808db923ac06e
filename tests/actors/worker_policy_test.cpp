// Which thread runs what an actor wakes.
#include "actors/worker_policy.hpp"

#include "support/catch.hpp"
#include "support/crew.hpp"

#include <caf/send.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>

using namespace pawl;

namespace {

/// Two actors send to each other for as long as `goes_on`.
void play(caf::event_based_actor& self, const caf::actor& other,
          const std::shared_ptr<std::atomic<bool>>& goes_on) {
  if (!*goes_on) return;
  const caf::actor back = caf::actor_cast<caf::actor>(&self);
  self.send(other,
            work([back, goes_on](caf::event_based_actor& next) { play(next, back, goes_on); }));
}

}  // namespace

TEST_CASE("workers: what an own actor wakes runs next, on the same thread", "[actors]") {
  Crew crew(2);
  for (int i = 0; i < 100; ++i) {
    const caf::actor second = crew.spawn<Own>();
    std::atomic<bool> has_returned{false};
    std::promise<bool> was_next;
    caf::anon_send(crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
                     const std::thread::id here = std::this_thread::get_id();
                     self.send(
                         second, work([&, here](caf::event_based_actor&) {
                           was_next.set_value(has_returned && here == std::this_thread::get_id());
                         }));
                     std::this_thread::yield();
                     has_returned = true;
                   }));
    REQUIRE(was_next.get_future().get());
  }
}

TEST_CASE("workers: what an own actor leaves to others runs while it blocks", "[actors]") {
  Crew crew(2);
  const caf::actor second = crew.spawn<Own>();
  std::promise<void> ended;
  caf::anon_send(crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
                   std::promise<void> ran;
                   self.send(second, work([&](caf::event_based_actor&) { ran.set_value(); }));
                   leave_to_others();
                   ran.get_future().wait();
                   ended.set_value();
                 }));
  ended.get_future().wait();
}

TEST_CASE("workers: of two that an own actor wakes, another thread runs one", "[actors]") {
  Crew crew(2);
  const caf::actor second = crew.spawn<Own>();
  const caf::actor third = crew.spawn<Own>();
  std::promise<void> both;
  std::atomic<int> left{2};
  caf::anon_send(crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
                   std::promise<void> ran;
                   self.send(second, work([&](caf::event_based_actor&) {
                               if (--left == 0) both.set_value();
                             }));
                   self.send(third, work([&](caf::event_based_actor&) {
                               ran.set_value();
                               if (--left == 0) both.set_value();
                             }));
                   ran.get_future().wait();
                 }));
  both.get_future().wait();
}

TEST_CASE("workers: an actor of somebody else's keeps nothing from other threads", "[actors]") {
  Crew crew(2);
  const caf::actor second = crew.spawn<Own>();
  std::promise<void> ended;
  caf::anon_send(crew.spawn<Foreign>(), work([&](caf::event_based_actor& self) {
                   std::promise<void> ran;
                   self.send(second, work([&](caf::event_based_actor&) { ran.set_value(); }));
                   ran.get_future().wait();
                   ended.set_value();
                 }));
  ended.get_future().wait();
}

TEST_CASE("workers: those that wake each other for ever leave a thread to who waits", "[actors]") {
  Crew crew(1);
  const auto goes_on = std::make_shared<std::atomic<bool>>(true);
  const caf::actor second = crew.spawn<Own>();
  std::promise<void> began;
  caf::anon_send(crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
                   play(self, second, goes_on);
                   began.set_value();
                 }));
  began.get_future().wait();
  std::promise<void> ran;
  caf::anon_send(crew.spawn<Own>(), work([&](caf::event_based_actor&) {
                   *goes_on = false;
                   ran.set_value();
                 }));
  ran.get_future().wait();
}

TEST_CASE("workers: who never runs out of mail leaves a thread to whom it wakes", "[actors]") {
  Crew crew(1);
  const caf::actor second = crew.spawn<Own>();
  std::promise<void> ran;
  const auto goes_on = std::make_shared<std::atomic<bool>>(true);
  const auto busy = std::make_shared<std::function<void(caf::event_based_actor&)>>();
  *busy = [goes_on, weak = std::weak_ptr(busy)](caf::event_based_actor& self) {
    if (*goes_on) self.send(&self, work(*weak.lock()));
  };
  caf::anon_send(crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
                   self.send(second, work([&](caf::event_based_actor&) {
                               *goes_on = false;
                               ran.set_value();
                             }));
                   self.send(&self, work(*busy));
                 }));
  ran.get_future().wait();
}

TEST_CASE("workers: leaving work to others is allowed on every thread", "[actors]") {
  CHECK_NOTHROW(leave_to_others());
}
