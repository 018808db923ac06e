#include "bench/steady.hpp"

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
#include <deque>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pawl::bench {

namespace {

constexpr std::size_t flows_at_once = 1'000;
constexpr int samples_count = 60;

/// Starts a run for each that has ended, until `over`.
void keep_busy(Engine& engine, const std::atomic<bool>& over) {
  const Flow flow = chain(flow_steps);
  std::deque<Run> runs;
  int started = 0;
  while (!over || !runs.empty()) {
    while (!over && runs.size() < flows_at_once)
      runs.push_back(engine.submit(flow, number("r", started++)));
    if (!runs.front().wait().succeeded()) die("the run " + runs.front().id() + " did not succeed");
    runs.pop_front();
  }
}

double mib_of(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<double>(bytes) / (1 << 20);
}

}  // namespace

json measure_steadiness(int seconds) {
  const Folder folder;
  const std::string path = folder / "steady.db";
  EngineOptions options;
  options.retention = {std::nullopt, 100'000, 1'000};
  Result<Engine> engine =
      Engine::open(path, Steps{{"step", [](const StepCall&) { return done(step_output()); }}},
                   std::move(options));
  if (!engine) die(engine.error().text());
  std::atomic<bool> over{false};
  std::thread load([&] { keep_busy(*engine, over); });

  json samples = json::array();
  std::vector<double> rates;
  const auto began = Clock::now();
  auto last = began;
  std::int64_t last_steps = 0;
  for (int i = 1; i <= samples_count; ++i) {
    std::this_thread::sleep_until(began +
                                  std::chrono::milliseconds(1'000LL * seconds * i / samples_count));
    const EngineStats stats = engine->stats();
    const auto now = Clock::now();
    const std::chrono::duration<double> span = now - std::exchange(last, now);
    const std::chrono::duration<double> age = now - began;
    rates.push_back(static_cast<double>(stats.steps_completed -
                                        std::exchange(last_steps, stats.steps_completed)) /
                    span.count());
    samples.push_back({{"s", age.count()},
                       {"steps_per_s", rates.back()},
                       {"commit_us_p50", stats.commit_us_p50},
                       {"commit_us_p99", stats.commit_us_p99},
                       {"log_mib", static_cast<double>(stats.wal_bytes) / (1 << 20)},
                       {"store_mib", mib_of(path)},
                       {"rss_mib", rss_mib()}});
  }
  over = true;
  load.join();
  const EngineStats stats = engine->stats();
  engine->close(10'000);
  // The first tenth is left out of all: the store fills up to what is kept.
  const auto settled = samples.begin() + samples_count / 10;
  const auto greatest = [&](const char* name) {
    double most = 0;
    for (auto one = settled; one != samples.end(); ++one)
      most = std::max(most, one->at(name).get<double>());
    return most;
  };
  rates.erase(rates.begin(), rates.begin() + samples_count / 10);
  std::sort(rates.begin(), rates.end());
  return json{{"peer", "pawl"},
              {"w", "steady"},
              {"ok", true},
              {"seconds", seconds},
              {"steps", stats.steps_completed},
              {"steps_per_s", rates[rates.size() / 2]},
              {"steps_per_s_min", rates.front()},
              {"log_mib_max", greatest("log_mib")},
              {"store_mib_max", greatest("store_mib")},
              {"rss_mib_max", greatest("rss_mib")},
              {"flush_us_p50", flush_us_p50(folder / "")},
              {"samples", std::move(samples)}};
}

}  // namespace pawl::bench
