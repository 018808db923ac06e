// What a thread that is no worker's runs of the actors that it wakes.
#include "actors/guest_worker.hpp"

#include "actors/ends_waker.hpp"
#include "actors/store_actor.hpp"
#include "actors/thread_pool.hpp"
#include "support/broken_store.hpp"
#include "support/catch.hpp"
#include "support/crew.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

#include <caf/actor_cast.hpp>
#include <caf/message.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <future>
#include <thread>

using namespace pawl;

namespace {

using ThreadId = std::thread::id;

ThreadId this_thread() {
  return std::this_thread::get_id();
}

void send_and_run(
    GuestWorker& guest, const caf::actor& to, const Work& what,
    const std::function<bool()>& goes_on = [] { return true; }) {
  guest.send_and_run(caf::actor_cast<caf::strong_actor_ptr>(to), caf::make_message(what), goes_on);
}

}  // namespace

TEST_CASE("guest: runs whom it wakes, and whom that one wakes first", "[actors]") {
  Crew crew(1);
  GuestWorker guest(crew.system());
  const caf::actor second = crew.spawn<Own>();
  const caf::actor third = crew.spawn<Own>();
  ThreadId first_ran;
  ThreadId second_ran;
  std::promise<ThreadId> third_ran;
  send_and_run(
      guest, crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
        first_ran = this_thread();
        self.send(second, work([&](caf::event_based_actor&) { second_ran = this_thread(); }));
        self.send(third,
                  work([&](caf::event_based_actor&) { third_ran.set_value(this_thread()); }));
      }));
  CHECK(first_ran == this_thread());
  CHECK(second_ran == this_thread());
  CHECK(third_ran.get_future().get() != this_thread());
}

TEST_CASE("guest: of an actor that is not pawl's it runs nothing that another wakes", "[actors]") {
  Crew crew(1);
  GuestWorker guest(crew.system());
  const caf::actor second = crew.spawn<Foreign>();
  std::promise<ThreadId> ran;
  send_and_run(guest, crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
                 self.send(second,
                           work([&](caf::event_based_actor&) { ran.set_value(this_thread()); }));
               }));
  CHECK(ran.get_future().get() != this_thread());
}

TEST_CASE("guest: workers run what is left when it stops, or is busy for long", "[actors]") {
  Crew crew(1);
  GuestWorker guest(crew.system());
  const caf::actor second = crew.spawn<Own>();
  const auto goes_on = GENERATE(false, true);
  std::promise<ThreadId> ran;
  bool asked = false;
  send_and_run(guest, crew.spawn<Own>(), work([&](caf::event_based_actor& self) {
                 self.send(second,
                           work([&](caf::event_based_actor&) { ran.set_value(this_thread()); }));
                 if (!goes_on) return;
                 leave_to_others();
                 CHECK(ran.get_future().get() != this_thread());
               }),
               [&] { return !std::exchange(asked, true) || goes_on; });
  if (!goes_on) CHECK(ran.get_future().get() != this_thread());
}

TEST_CASE("guest: two that wake each other for ever do not keep the thread", "[actors]") {
  Crew crew(1);
  GuestWorker guest(crew.system());
  const auto goes_on = std::make_shared<std::atomic<bool>>(true);

  struct Play {
    static void go(caf::event_based_actor& self, const caf::actor& other,
                   const std::shared_ptr<std::atomic<bool>>& on) {
      if (!*on) return;
      const caf::actor back = caf::actor_cast<caf::actor>(&self);
      self.send(other, work([back, on](caf::event_based_actor& next) { go(next, back, on); }));
    }
  };

  const caf::actor second = crew.spawn<Own>();
  send_and_run(guest, crew.spawn<Own>(),
               work([&](caf::event_based_actor& self) { Play::go(self, second, goes_on); }));
  *goes_on = false;
}

TEST_CASE("guest: the thread whose job left an end commits it, and tells", "[actors]") {
  const World world{Steps{}};
  const RunKey key = [&] {
    auto store = open_memory_store(world.file);
    return put(*store, start_run("r1")).run;
  }();
  Crew crew(2);
  ThreadPool pool(1);
  const auto box = std::make_shared<EndsBox>();
  const auto gate = std::make_shared<AnswerGate>();
  std::promise<ThreadId> committed;
  world.disk->on_batch = [&] { committed.set_value(this_thread()); };
  const StoreActor store = crew.system().spawn<caf::lazy_init>(
      store_actor, StoreActorConfig{std::make_shared<BrokenStore>(world.file, world.disk),
                                    world.seams(), std::make_shared<Reporter>(nullptr, nullptr),
                                    std::make_shared<Counters>(), LogWatch(0), box});
  wake_for_ends(box, store, gate);
  std::promise<ThreadId> performed;
  pool.post([&] {
    performed.set_value(this_thread());
    auto dispatch = std::make_shared<Dispatch>();
    dispatch->run = key;
    box->put({dispatch, std::make_shared<Record>(output_record("a", 1, "x")), nullptr});
  });
  CHECK(committed.get_future().get() == performed.get_future().get());
  gate->close();  // waits for that thread
  CHECK(open_memory_view(world.file)->load("r1").value()->records.size() == 2);
  caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
}
