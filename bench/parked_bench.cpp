// What runs cost that only wait: memory, the time to open a store full of them, and the time until
// those that are due go on. `pawl_parked_bench [RUNS [FOLDER]]`
#include <pawl/engine.hpp>
#include <pawl/flow.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace pawl;
using SteadyClock = std::chrono::steady_clock;

constexpr int due_runs = 100;

double seconds_since(SteadyClock::time_point began) {
  return std::chrono::duration<double>(SteadyClock::now() - began).count();
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

double rss_mib() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

int threads() {
  int count = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    ++count;
  return count;
}

void must_start(const Run& run) {
  if (const Result<void> started = run.started(); !started) {
    std::fprintf(stderr, "%s\n", started.error().text().c_str());
    std::exit(1);
  }
}

std::int64_t live_runs(const Engine& engine) {
  std::int64_t live = 0;
  for (const auto& [state, count] : engine.stats().live_runs) live += count;
  return live;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 100'000;
  const std::string folder = argc > 2 ? argv[2] : "/tmp";
  const std::string path = folder + "/pawl_parked_bench.db";
  for (const char* end : {"", "-wal", "-shm", ".lock", ".sock"})
    std::filesystem::remove(path + end);
  const Flow flow = parse_flow(R"({"flow": "parked", "steps": {
    "nap": {"until_ms": "{{input.until_ms}}"}, "b": {"run": "step", "after": ["nap"]}}})")
                        .value();
  const std::int64_t far_ms = now_ms() + 3'600'000;
  const std::int64_t near_ms = now_ms() + 15'000;
  const Steps steps{{"step", [](const StepCall&) { return done(); }}};
  {
    Engine engine = Engine::open(path, steps).value();
    engine.start(flow, "first", {{"until_ms", far_ms}}).value();
    const double before_mib = rss_mib();
    const int threads_before = threads();
    const auto began = SteadyClock::now();
    std::vector<Run> last;
    for (int i = 0; i < runs; ++i) {
      const bool is_near = i % (runs / due_runs) == 0;
      Run run =
          engine.submit(flow, "r" + std::to_string(i), {{"until_ms", is_near ? near_ms : far_ms}});
      if (i % 1000 == 999 || i + 1 == runs) last.push_back(run);
      if (last.size() > 4) {  // no more than 5,000 on their way
        must_start(last.front());
        last.erase(last.begin());
      }
    }
    for (const Run& run : last) must_start(run);
    const double submitted_s = seconds_since(began);
    while (live_runs(engine) > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::printf("%d runs asleep: started in %.2f s (%.0f/s), all parked after %.2f s\n", runs,
                submitted_s, runs / submitted_s, seconds_since(began));
    std::printf("memory: %.1f MiB before, %.1f MiB after: %.0f bytes per run; threads: %d, %d\n",
                before_mib, rss_mib(), (rss_mib() - before_mib) * (1 << 20) / runs, threads_before,
                threads());
    engine.close(10'000);
  }
  while (now_ms() < near_ms + 100) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const double before_mib = rss_mib();
  std::atomic<int> ran{0};
  std::atomic<std::int64_t> first_us{0};
  const auto began = SteadyClock::now();
  const Steps counted{{"step", [&](const StepCall&) {
                         if (++ran == 1)
                           first_us = std::chrono::duration_cast<std::chrono::microseconds>(
                                          SteadyClock::now() - began)
                                          .count();
                         return done();
                       }}};
  Engine engine = Engine::open(path, counted).value();
  const double opened_s = seconds_since(began);
  while (ran < due_runs) std::this_thread::sleep_for(std::chrono::microseconds(100));
  std::printf(
      "opened with all of them in %.1f ms; the first due one ran after %.1f ms, all %d after "
      "%.1f ms; %.1f MiB more\n",
      opened_s * 1e3, static_cast<double>(first_us) / 1e3, due_runs, seconds_since(began) * 1e3,
      rss_mib() - before_mib);
  engine.close(10'000);
  return 0;
}
