// The small parts that the actors are made of.
#include <pawl/control.hpp>

#include "actors/answer_gate.hpp"
#include "actors/callback_thread.hpp"
#include "actors/control_socket.hpp"
#include "actors/counters.hpp"
#include "actors/forward_clock.hpp"
#include "actors/pending.hpp"
#include "actors/real_seams.hpp"
#include "actors/thread_pool.hpp"
#include "actors/ticket.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace pawl;

TEST_CASE("parts: a thread pool runs every job once, as many at once as it has threads",
          "[actors]") {
  ThreadPool pool(3);
  std::mutex mutex;
  int at_once = 0;
  int at_once_max = 0;
  std::promise<void> all;
  int left = 300;
  for (int i = 0; i < 300; ++i)
    pool.post([&] {
      std::unique_lock<std::mutex> lock(mutex);
      at_once_max = std::max(at_once_max, ++at_once);
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
      --at_once;
      if (--left == 0) all.set_value();
    });
  all.get_future().wait();
  CHECK(at_once_max <= 3);
  pool.close();
}

TEST_CASE("parts: others take the jobs while a thread does what its job has left", "[actors]") {
  ThreadPool pool(1);
  const auto leave = [](auto work) { return ThreadPool::after_job(std::move(work)); };
  std::promise<std::thread::id> by_another;
  std::promise<void> next;
  bool left = false;
  bool left_twice = true;
  bool was_called_before = true;
  bool left_by_no_job = true;
  std::thread::id here;
  pool.post([&] {
    left = leave([&] {
      was_called_before = ThreadPool::is_called();
      left_by_no_job = leave([] {});
      here = std::this_thread::get_id();
      if (by_another.get_future().get() == here) here = {};
    });
    left_twice = leave([] {});
    pool.post([&] { by_another.set_value(std::this_thread::get_id()); });
    pool.post([&] { next.set_value(); });
  });
  next.get_future().wait();
  pool.close();  // both threads have ended
  CHECK(left);
  CHECK_FALSE(left_twice);
  CHECK_FALSE(was_called_before);
  CHECK_FALSE(left_by_no_job);
  CHECK(here != std::thread::id());
  CHECK_FALSE(leave([] {}));
  CHECK_FALSE(ThreadPool::is_called());
}

TEST_CASE("parts: a thread that posts a job after its own takes it, unless another is faster",
          "[actors]") {
  ThreadPool pool(2);
  std::promise<std::pair<bool, bool>> called;
  std::promise<void> ran;
  pool.post([&] {
    ThreadPool::after_job([&] {
      const bool before = ThreadPool::is_called();
      pool.post([&] { ran.set_value(); });
      called.set_value({before, ThreadPool::is_called()});
    });
  });
  CHECK(called.get_future().get() == std::pair(false, true));
  ran.get_future().wait();
  pool.close();
}

TEST_CASE("parts: what a job has left is done, even when it was given up meanwhile", "[actors]") {
  ThreadPool pool(1);
  std::promise<void> door;
  const std::shared_future<void> open = door.get_future().share();
  std::promise<void> began;
  std::promise<void> done;
  const auto id = pool.post([&] {
    began.set_value();
    open.wait();
    ThreadPool::after_job([&] { done.set_value(); });
  });
  began.get_future().wait();
  CHECK(pool.abandon(id) == Executor::Abandoned::replaced);
  door.set_value();
  done.get_future().wait();
  pool.close();
  CHECK(pool.hanging() == 0);
}

TEST_CASE("parts: whoever closes a gate waits for those who stay, and nobody passes any more",
          "[actors]") {
  AnswerGate gate;
  std::promise<void> entered;
  std::atomic<bool> has_left{false};
  std::thread stays([&] {
    gate.stay([&] {
      entered.set_value();
      gate.pass([] {});  // others do meanwhile
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      has_left = true;
    });
  });
  entered.get_future().wait();
  gate.close();
  CHECK(has_left);
  stays.join();
  gate.stay([] { FAIL("it is closed"); });
  gate.pass([] { FAIL("it is closed"); });
}

TEST_CASE("parts: of the jobs that wait for a thread the highest priority is next", "[actors]") {
  ThreadPool pool(1);
  std::promise<void> door;
  const std::shared_future<void> open = door.get_future().share();
  std::promise<void> began;
  pool.post([&began, open] {
    began.set_value();
    open.wait();
  });
  began.get_future().wait();
  std::string order;
  for (const auto& [name, priority] : {std::pair("a", 0), std::pair("b", 5), std::pair("c", -1),
                                       std::pair("d", 5), std::pair("e", 0)})
    pool.post_by_priority([&order, name = name] { order += name; }, priority);
  std::promise<void> last;
  pool.post_by_priority([&last] { last.set_value(); }, -100);
  door.set_value();
  last.get_future().wait();
  pool.close();
  CHECK(order == "bdaec");
}

TEST_CASE("parts: jobs that are posted together are as if each had been posted", "[actors]") {
  ThreadPool pool(1);
  std::promise<void> door;
  const std::shared_future<void> open = door.get_future().share();
  std::promise<void> began;
  pool.post([&began, open] {
    began.set_value();
    open.wait();
  });
  began.get_future().wait();
  std::string order;
  std::vector<Executor::Posting> jobs;
  for (const auto& [name, priority] : {std::pair("a", 0), std::pair("b", 5), std::pair("c", 0)})
    jobs.push_back({[&order, name = name] { order += name; }, priority});
  const std::vector<Executor::JobId> ids = pool.post_all(std::move(jobs));
  REQUIRE(ids.size() == 3);
  CHECK(std::set<Executor::JobId>(ids.begin(), ids.end()).size() == 3);
  CHECK(pool.abandon(ids[0]) == Executor::Abandoned::gone);
  std::promise<void> last;
  pool.post_by_priority([&last] { last.set_value(); }, -100);
  door.set_value();
  last.get_future().wait();
  CHECK(pool.post_all({}).empty());
  pool.close();
  CHECK(order == "bc");
}

TEST_CASE("parts: threads that sleep are all called when there is work for all of them",
          "[actors]") {
  ThreadPool pool(4);
  for (int round = 0; round < 50; ++round) {
    // Four jobs that end only once all of them run: a thread that was not called would be missed.
    struct Meeting {
      std::mutex mutex;
      std::condition_variable met;
      int here = 0;
      std::promise<void> all;
    };

    const auto meeting = std::make_shared<Meeting>();  // the last to leave outlives this round
    std::vector<Executor::Posting> jobs;
    for (int i = 0; i < 4; ++i)
      jobs.push_back({[meeting] {
                        std::unique_lock<std::mutex> lock(meeting->mutex);
                        ++meeting->here;
                        meeting->met.notify_all();
                        meeting->met.wait(lock, [&] { return meeting->here >= 4; });
                        if (++meeting->here == 8) meeting->all.set_value();
                      },
                      0});
    if (round % 2 == 0)
      pool.post_all(std::move(jobs));
    else
      for (Executor::Posting& job : jobs) pool.post(std::move(job.job));
    meeting->all.get_future().wait();
  }
  pool.close();
}

TEST_CASE("parts: a job that hangs is made up for, up to twice the threads", "[actors]") {
  ThreadPool pool(1);
  std::promise<void> door;
  const std::shared_future<void> open = door.get_future().share();
  const auto hang = [&] {
    std::promise<void> began;
    const auto id = pool.post([&began, open] {
      began.set_value();
      open.wait();
    });
    began.get_future().wait();
    return id;
  };
  const auto first = hang();
  CHECK(pool.abandon(first) == Executor::Abandoned::replaced);
  CHECK(pool.abandon(first) == Executor::Abandoned::replaced);
  CHECK(pool.hanging() == 1);
  const auto second = hang();  // runs on the thread that took the first one's place
  CHECK(pool.abandon(second) == Executor::Abandoned::exhausted);
  CHECK(pool.hanging() == 2);
  std::promise<void> served;
  pool.post([&] { served.set_value(); });
  door.set_value();
  served.get_future().wait();  // a thread that hung is back
  pool.close();
}

TEST_CASE("parts: a job that has not begun can be taken back, and one that has ended is gone",
          "[actors]") {
  std::promise<void> door;
  const std::shared_future<void> open = door.get_future().share();
  const auto began = std::make_shared<std::promise<void>>();
  ThreadPool pool(1);
  pool.post([open, began] {
    began->set_value();
    open.wait();
  });
  began->get_future().wait();
  bool ran = false;
  const auto waiting = pool.post([&] { ran = true; });
  CHECK(pool.abandon(waiting) == Executor::Abandoned::gone);
  door.set_value();
  std::promise<void> next;
  pool.post([&] { next.set_value(); });
  next.get_future().wait();
  pool.close();
  CHECK_FALSE(ran);
  CHECK(pool.abandon(waiting) == Executor::Abandoned::gone);
  pool.post([&] { ran = true; });
  CHECK_FALSE(ran);
}

TEST_CASE("parts: a pool closes while a job hangs, and the job ends later without harm",
          "[actors]") {
  std::promise<void> door;
  const std::shared_future<void> open = door.get_future().share();
  const auto began = std::make_shared<std::promise<void>>();
  const auto ended = std::make_shared<std::promise<void>>();
  {
    ThreadPool pool(2);
    pool.post([open, began, ended] {
      began->set_value();
      open.wait();
      ended->set_value();
    });
    began->get_future().wait();
  }
  door.set_value();
  ended->get_future().wait();
}

TEST_CASE("parts: a ticket is answered once, by somebody or by nobody", "[actors]") {
  std::vector<int> answers;
  {
    Ticket<int> ticket([&](int value) { answers.push_back(value); }, -1);
    ticket.answer(1);
    ticket.answer(2);
  }
  {
    Ticket<int> dropped([&](int value) { answers.push_back(value); }, -1);
  }
  CHECK(answers == std::vector<int>{1, -1});
}

TEST_CASE("parts: a pending value reaches those who wait, and those who come late", "[actors]") {
  Pending<int> pending;
  std::vector<int> seen;
  pending.on_set([&](int value) { seen.push_back(value); });
  CHECK_FALSE(pending.wait_for(std::chrono::milliseconds(0)).has_value());
  auto waiter = std::async(std::launch::async, [&] { return pending.wait(); });
  pending.set(7);
  pending.set(8);
  CHECK(waiter.get() == 7);
  pending.on_set([&](int value) { seen.push_back(value * 10); });
  CHECK(seen == std::vector<int>{7, 70});
}

TEST_CASE("parts: callbacks run in order, off the caller's thread, and may throw", "[actors]") {
  std::vector<int> order;
  {
    CallbackThread callbacks;
    const auto here = std::this_thread::get_id();
    for (int i = 0; i < 100; ++i)
      callbacks.post([&, i, here] {
        if (std::this_thread::get_id() != here) order.push_back(i);
        if (i == 50) throw std::runtime_error("guest");
      });
    callbacks.close();
    REQUIRE(order.size() == 100);
    CHECK(std::is_sorted(order.begin(), order.end()));
    callbacks.post([&] { order.push_back(100); });
  }
  CHECK(order.back() == 100);
}

namespace {

struct SetClock final : Clock {
  std::int64_t now_ms() const override { return read(wall_ms); }

  std::int64_t steady_us() const override { return read(steady); }

  /// The process stops after it was read, if it is to.
  std::int64_t read(const std::int64_t& time) const {
    const std::int64_t told = time;
    const std::int64_t stop_ms = std::exchange(stop_after_read_ms, 0);
    wall_ms += stop_ms;
    steady += stop_ms * 1000;
    return told;
  }

  mutable std::int64_t wall_ms = 1'000'000;
  mutable std::int64_t steady = 0;
  mutable std::int64_t stop_after_read_ms = 0;
};

}  // namespace

TEST_CASE("parts: a forward clock follows its clock forward and runs on when it goes back",
          "[actors]") {
  const auto machine = std::make_shared<SetClock>();
  const ForwardClock clock(machine, 500'000);
  CHECK(clock.now_ms() == 1'000'000);
  machine->steady += 5'000'000;
  machine->wall_ms += 5'000;
  CHECK(clock.now_ms() == 1'005'000);
  machine->wall_ms -= 86'400'000;
  machine->steady += 1'000'000;
  CHECK(clock.now_ms() == 1'006'000);
  machine->wall_ms = 2'000'000;
  CHECK(clock.now_ms() == 2'000'000);
}

TEST_CASE("parts: a forward clock is not ahead after a stop while it was read", "[actors]") {
  const auto machine = std::make_shared<SetClock>();
  const ForwardClock clock(machine, 500'000);
  CHECK(clock.now_ms() == 1'000'000);
  machine->stop_after_read_ms = 3'600'000;
  CHECK(clock.now_ms() <= machine->wall_ms);
  CHECK(machine->wall_ms == 4'600'000);
  CHECK(clock.now_ms() == 4'600'000);
  machine->wall_ms -= 1'000;  // it is set back
  machine->stop_after_read_ms = 60'000;
  CHECK(clock.now_ms() <= 4'660'000);
  CHECK(clock.now_ms() == 4'660'000);
}

TEST_CASE("parts: a forward clock begins no earlier than what is known to have passed",
          "[actors]") {
  const auto machine = std::make_shared<SetClock>();
  const ForwardClock clock(machine, 3'000'000);
  machine->steady += 250'000;
  CHECK(clock.now_ms() == 3'000'250);
}

TEST_CASE("parts: the real clock and the real chance move", "[actors]") {
  const auto clock = make_system_clock();
  CHECK(clock->now_ms() > 1'600'000'000'000);
  const std::int64_t before = clock->steady_us();
  CHECK(clock->steady_us() >= before);
  const auto random = make_system_random();
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) numbers.insert(random->next());
  CHECK(numbers.size() == 1000);
}

TEST_CASE("parts: commit times are those of the last commits", "[actors]") {
  Counters counters;
  for (int i = 0; i < 3000; ++i) counters.note_commit(2, i < 1000 ? 1'000'000 : 10);
  const EngineStats stats = counters.stats();
  CHECK(stats.commits == 3000);
  CHECK(stats.writes == 6000);
  CHECK(stats.commit_us_p50 == 10);
  CHECK(stats.commit_us_p99 == 10);
}

TEST_CASE("parts: a caller that never ends its line keeps the others waiting only for a while",
          "[actors]") {
  TempFolder folder;
  const std::string store = folder / "pawl.db";
  const auto socket = ControlSocket::open(
                          store, [](const ControlQuestion&) { return RunState::cancelling; }, 50)
                          .value();
  const int slow = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  (store + ".sock").copy(name.sun_path, sizeof name.sun_path - 1);
  REQUIRE(::connect(slow, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  std::atomic<bool> served{false};
  // A byte now and then, as long as anybody listens.
  std::thread drip([&] {
    while (!served && ::send(slow, "x", 1, MSG_NOSIGNAL) == 1) {
      pollfd hung_up{slow, 0, 0};
      if (::poll(&hung_up, 1, 10) != 0) break;
    }
  });
  const Result<RunState> answer = ask_owner(store, {ControlVerb::cancel, "r1"}, 5000);
  served = true;
  drip.join();
  ::close(slow);
  REQUIRE(answer.has_value());
  CHECK(*answer == RunState::cancelling);
}
