// A world without threads: the real actors on CAF's testing scheduler, a clock that moves when
// nothing else can, and a store in memory. One seed, one course of events.
#pragma once

#include <pawl/engine.hpp>

#include "actors/engine_core.hpp"
#include "support/broken_store.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pawl {

/// Runs a job when the world picks it. A job may hang: its thread is then left waiting until it is
/// let go.
class WorldExecutor final : public Executor {
 public:
  ~WorldExecutor() override { let_go(); }

  JobId post(Job job) override {
    jobs.emplace_back(++last_, std::move(job));
    return last_;
  }

  Abandoned abandon(JobId job) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (hanging_jobs_.count(job) == 0) return Abandoned::gone;
    abandoned_.insert(job);
    return abandoned_.size() > threads ? Abandoned::exhausted : Abandoned::replaced;
  }

  std::size_t hanging() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return abandoned_.size();
  }

  /// Runs a job until it ends or hangs.
  void run(std::pair<JobId, Job> job) {
    std::unique_lock<std::mutex> lock(mutex_);
    current_ = job.first;
    bool ended = false;
    std::thread thread([this, &ended, job = std::move(job.second)] {
      job();
      const std::lock_guard<std::mutex> locked(mutex_);
      if (current_ != 0) ended = true;  // the world waits for this one, and `ended` is there
      changed_.notify_all();
    });
    changed_.wait(lock, [&] { return ended || hanging_jobs_.count(current_) > 0; });
    current_ = 0;
    lock.unlock();
    if (ended)
      thread.join();
    else
      threads_.push_back(std::move(thread));
  }

  /// Called by a step's body: hangs here until `let_go`.
  void hang() {
    std::unique_lock<std::mutex> lock(mutex_);
    hanging_jobs_.insert(current_);
    const int round = rounds_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return rounds_ != round; });
  }

  /// Lets every hanging job go on, and waits for their ends.
  void let_go() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++rounds_;
      hanging_jobs_.clear();
      abandoned_.clear();
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::deque<std::pair<JobId, Job>> jobs;
  std::size_t threads = 4;  ///< that many abandoned jobs are made up for

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  std::set<JobId> hanging_jobs_;
  std::set<JobId> abandoned_;
  JobId last_ = 0;
  JobId current_ = 0;
  int rounds_ = 0;
};

class World {
 public:
  explicit World(Steps steps, std::uint64_t seed = 1,
                 std::shared_ptr<MemoryFile> on_file = make_memory_file(),
                 EngineOptions engine_options = {}, std::int64_t starts_at_ms = 1'700'000'000'000)
      : file(std::move(on_file)), random_(seed), start_ms_(starts_at_ms) {
    system_ = std::make_unique<caf::actor_system>(config_);
    scheduler_ = dynamic_cast<caf::scheduler::test_coordinator*>(&system_->scheduler());
    run_actors();
    engine_options.seams = seams();
    engine_options.on_event = [this](const EngineEvent& event) { events.push_back(event); };
    engine_options.on_log = [this](const LogLine& line) { log.push_back(line); };
    auto store = std::make_unique<BrokenStore>(file, disk);
    store_ = store.get();
    core_ = std::make_unique<EngineCore>(*system_, std::move(store),
                                         std::make_shared<const Steps>(std::move(steps)),
                                         std::move(engine_options), nullptr);
  }

  ~World() {
    executor->let_go();
    core_->stop();
    run_actors();
    core_.reset();
    scheduler_->clock().cancel_all();
    run_actors();
    system_->await_actors_before_shutdown(false);
  }

  EngineCore& core() { return *core_; }

  caf::actor_system& system() { return *system_; }

  EngineSeams seams() const {
    return {std::make_shared<WorldClock>(*scheduler_, start_ms_, set_by_ms_),
            std::make_shared<WorldRandom>(), executor};
  }

  Run start(const std::string& flow, const std::string& run = "r1",
            const json& input = json::object()) {
    return core_->submit(parse_flow(flow).value(), run, input);
  }

  /// Everything that can happen without time passing, in an order that the seed picks. Throws when
  /// that has no end.
  void run() {
    for (int steps = 0; step(); ++steps)
      if (steps > 500'000) throw std::runtime_error("the world does not come to rest");
  }

  /// The same, and then `ms` pass, in which timers go off.
  void run_for(std::int64_t ms) {
    const auto end = scheduler_->clock().now() + std::chrono::milliseconds(ms);
    run();
    const auto& timers = scheduler_->clock().schedule();
    while (!timers.empty() && timers.begin()->first <= end) {
      scheduler_->trigger_timeout();
      run();
    }
    if (scheduler_->clock().now() < end) scheduler_->advance_time(end - scheduler_->clock().now());
    run();
  }

  /// Until nothing can happen any more, however much time that takes. False after `timers_max`
  /// timers.
  bool run_to_rest(int timers_max = 10'000) {
    for (run(); timers_max > 0; --timers_max) {
      if (!scheduler_->has_pending_timeout()) return true;
      scheduler_->trigger_timeout();
      run();
    }
    return false;
  }

  /// One message or job; false if there is none.
  bool step() {
    const std::size_t actors = scheduler_->jobs.size();
    const std::size_t all = actors + executor->jobs.size();
    if (all == 0) return false;
    const std::size_t pick = random_() % all;
    if (pick < actors) {
      std::rotate(scheduler_->jobs.begin(),
                  scheduler_->jobs.begin() + static_cast<std::ptrdiff_t>(pick),
                  scheduler_->jobs.end());
      scheduler_->run_once();
    } else {
      const auto at = executor->jobs.begin() + static_cast<std::ptrdiff_t>(pick - actors);
      auto job = std::move(*at);
      executor->jobs.erase(at);
      executor->run(std::move(job));
    }
    return true;
  }

  /// `ms` pass; timers go off, and nobody takes notice yet.
  void pass(std::int64_t ms) { scheduler_->advance_time(std::chrono::milliseconds(ms)); }

  /// Somebody sets the machine's clock forth, or back.
  void set_clock(std::int64_t by_ms) { *set_by_ms_ += by_ms; }

  /// One message or job; when there is none, the next timer. False if there is no timer either.
  bool step_or_wait() { return step() || (scheduler_->has_pending_timeout() && wait()); }

  /// From here on nothing of this world reaches the store: as if its process had died. Make another
  /// world on `file`.
  void crash() { open_memory_store(file); }

  /// Undoes what another owner did to the file's epoch.
  void own_the_file_again() { store_->own_again(); }

  std::int64_t now_ms() const { return seams().clock->now_ms(); }

  /// The run's stored records, as text.
  std::string records(const std::string& run = "r1") const {
    std::string text;
    const auto stored = open_memory_view(file)->load(run).value();
    if (!stored) return "no run";
    for (const Record& record : stored->records) {
      text += text.empty() ? "" : "; ";
      text += record.end == AttemptEnd::none || record.kind == RecordKind::output
                  ? to_string(record.kind)
                  : to_string(record.end);
      if (!record.step.empty()) text += " " + record.step + "#" + std::to_string(record.attempt);
    }
    return text;
  }

  std::size_t count_events(EventKind kind) const {
    std::size_t count = 0;
    for (const EngineEvent& event : events) count += event.kind == kind ? 1 : 0;
    return count;
  }

  std::shared_ptr<MemoryFile> file;
  std::shared_ptr<BrokenDisk> disk = std::make_shared<BrokenDisk>();
  std::shared_ptr<WorldExecutor> executor = std::make_shared<WorldExecutor>();
  std::vector<EngineEvent> events;
  std::vector<LogLine> log;

 private:
  struct WorldClock final : Clock {
    WorldClock(caf::scheduler::test_coordinator& scheduler, std::int64_t start,
               std::shared_ptr<std::int64_t> set_by_ms)
        : scheduler_(scheduler), start_ms_(start), set_by_ms_(std::move(set_by_ms)) {}

    std::int64_t now_ms() const override {
      return start_ms_ + *set_by_ms_ + steady_us() / 1000 - 1000;
    }

    std::int64_t steady_us() const override {
      const auto elapsed = scheduler_.clock().now().time_since_epoch();
      return 1'000'000 + std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
    }

    caf::scheduler::test_coordinator& scheduler_;
    std::int64_t start_ms_;
    std::shared_ptr<std::int64_t> set_by_ms_;
  };

  struct WorldRandom final : RandomSource {
    std::uint64_t next() override {
      return 0;
    }  // no jitter: waits are as long as their policy says
  };

  struct Config : caf::actor_system_config {
    Config() { set("scheduler.policy", caf::atom("testing")); }
  };

  bool wait() {
    scheduler_->trigger_timeout();
    return true;
  }

  void run_actors() {
    while (scheduler_->try_run_once()) {
    }
  }

  Config config_;
  std::mt19937_64 random_;
  std::int64_t start_ms_;
  std::shared_ptr<std::int64_t> set_by_ms_ = std::make_shared<std::int64_t>(0);
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  BrokenStore* store_ = nullptr;  // the actors' own
  std::unique_ptr<EngineCore> core_;
};

}  // namespace pawl
