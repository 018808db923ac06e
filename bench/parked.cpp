#include "bench/parked.hpp"

#include "bench/die.hpp"
#include "bench/flows.hpp"
#include "bench/folder.hpp"
#include "bench/limit.hpp"
#include "bench/stopwatch.hpp"
#include "bench/usage.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pawl::bench {

namespace {

constexpr int due_per_ms = 10;
constexpr int due_runs = 50'000;
constexpr std::int64_t lead_ms = 10'000;  // in which all of them are submitted, and put to sleep

template <class Clock>
std::int64_t us_of() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
      .count();
}

/// The time of day as an engine that is opened now goes on to tell it: forth with the machine's
/// clock, if somebody sets or slews that, and never back.
class DayTime {
 public:
  std::int64_t now_us() {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::int64_t machine_us = us_of<std::chrono::system_clock>();
    const std::int64_t passed_us = us_of<std::chrono::steady_clock>() - steady_us_;
    steady_us_ += passed_us;
    day_us_ = std::max(machine_us, day_us_ + passed_us);
    return day_us_;
  }

 private:
  std::mutex mutex_;
  std::int64_t steady_us_ = us_of<std::chrono::steady_clock>();
  std::int64_t day_us_ = us_of<std::chrono::system_clock>();
};

int threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

std::int64_t live_runs(const Engine& engine) {
  std::int64_t live = 0;
  for (const auto& [state, count] : engine.stats().live_runs) live += count;
  return live;
}

/// Runs `count` sleeping runs up to where all of them wait; the n-th until `until_ms(n)`.
template <class Until>
void submit_all(Engine& engine, const char* prefix, int count, Until&& until_ms) {
  const Result<Flow> flow = parse_flow(R"({"flow": "parked", "steps": {
    "nap": {"until_ms": "{{input.until_ms}}"}, "work": {"run": "step", "after": ["nap"]}}})");
  if (!flow) die(flow.error().text());
  std::deque<Run> on_their_way;
  const auto must_have_started = [&] {
    if (const Result<void> one = on_their_way.front().started(); !one) die(one.error().text());
    on_their_way.pop_front();
  };
  for (int n = 0; n < count; ++n) {
    on_their_way.push_back(engine.submit(*flow, number(prefix, n), {{"until_ms", until_ms(n)}}));
    if (on_their_way.size() > 5'000) must_have_started();
  }
  while (!on_their_way.empty()) must_have_started();
  while (live_runs(engine) > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

double ms_at(const std::vector<std::int64_t>& sorted_us, double part) {
  const auto last = static_cast<double>(sorted_us.size() - 1);
  return static_cast<double>(sorted_us[static_cast<std::size_t>(part * last)]) / 1e3;
}

}  // namespace

json measure_parked(int runs) {
  const Folder folder;
  const std::string path = folder / "parked.db";
  const std::int64_t far_ms = DayTime().now_us() / 1000 + 1'000'000'000;
  Engine engine = open_engine(path, [](const StepCall&) { return done(); });
  submit_all(engine, "warm", 1'000, [&](int) { return far_ms; });
  const double rss_before_mib = rss_mib();
  const int threads_before = threads();
  const auto began = Clock::now();
  submit_all(engine, "r", runs, [&](int) { return far_ms; });
  const double parked_s = seconds_since(began);
  const double bytes_per_run = (rss_mib() - rss_before_mib) * (1 << 20) / runs;
  const int more_threads = threads() - threads_before;
  engine.close(10'000);

  std::vector<std::int64_t> late_us(due_runs, -1);
  std::atomic<int> ran{0};
  std::int64_t first_due_ms = 0;
  const auto due_ms = [&](int n) { return first_due_ms + n / due_per_ms; };
  DayTime time;
  const auto open_began = Clock::now();
  engine = open_engine(path, [&](const StepCall& call) {
    const int n = std::atoi(call.run.c_str() + 1);
    late_us[static_cast<std::size_t>(n)] = time.now_us() - due_ms(n) * 1000;
    ++ran;
    return done();
  });
  const double open_s = seconds_since(open_began);
  first_due_ms = time.now_us() / 1000 + lead_ms;
  submit_all(engine, "d", due_runs, due_ms);
  if (time.now_us() / 1000 >= first_due_ms) die("the first ones were due before all of them slept");
  while (ran < due_runs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  engine.close(10'000);
  std::sort(late_us.begin(), late_us.end());
  return json{{"peer", "pawl"},
              {"w", "parked"},
              {"ok", late_us.front() >= 0},
              {"runs", runs},
              {"parked_per_s", runs / parked_s},
              {"bytes_per_run", bytes_per_run},
              {"more_threads", more_threads},
              {"open_s", open_s},
              {"due_runs", due_runs},
              {"due_per_s", due_per_ms * 1000},
              {"late_ms_min", ms_at(late_us, 0)},
              {"late_ms_p50", ms_at(late_us, 0.5)},
              {"late_ms_p99", ms_at(late_us, 0.99)},
              {"late_ms_max", ms_at(late_us, 1)},
              {"flush_us_p50", flush_us_p50(folder / "")}};
}

}  // namespace pawl::bench
