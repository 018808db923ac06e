#include "actors/ends_waker.hpp"

#include "actors/guest_worker.hpp"
#include "actors/thread_pool.hpp"

#include <caf/actor_cast.hpp>
#include <caf/message.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <utility>

namespace pawl {

namespace {

struct Waker {
  Waker(const std::shared_ptr<EndsBox>& box, const StoreActor& actor,
        std::shared_ptr<AnswerGate> gate_of_engine)
      : ends(box),
        store(caf::actor_cast<caf::weak_actor_ptr>(actor)),
        gate(std::move(gate_of_engine)),
        guest(actor.home_system()) {}

  static Message<EndsWait> message() { return std::make_shared<EndsWait>(); }

  void wake() {
    gate->pass([this] {
      if (const auto alive = store.lock())
        caf::anon_send(caf::actor_cast<StoreActor>(alive), message());
    });
  }

  /// Runs it on this thread.
  void wake_here() noexcept {
    try {
      gate->stay([this] {
        if (const auto alive = store.lock())
          guest.send_and_run(alive, caf::make_message(message()),
                             [] { return !ThreadPool::is_called(); });
      });
    } catch (...) {  // no memory
      if (const auto box = ends.lock()) box->not_woken();
    }
    is_busy = false;
  }

  const std::weak_ptr<EndsBox> ends;  // which owns this
  const caf::weak_actor_ptr store;
  const std::shared_ptr<AnswerGate> gate;
  GuestWorker guest;
  std::atomic<bool> is_busy{false};  // the guest
};

}  // namespace

void wake_for_ends(const std::shared_ptr<EndsBox>& ends, const StoreActor& store,
                   std::shared_ptr<AnswerGate> gate) {
  ends->on_first([waker = std::make_shared<Waker>(ends, store, std::move(gate))] {
    const bool has_guest = !waker->is_busy.exchange(true);
    if (has_guest && ThreadPool::after_job([waker] { waker->wake_here(); })) return;
    if (has_guest) waker->is_busy = false;
    waker->wake();
  });
}

}  // namespace pawl
