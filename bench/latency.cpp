#include "bench/latency.hpp"

#include "bench/die.hpp"
#include "bench/flows.hpp"
#include "bench/folder.hpp"
#include "bench/limit.hpp"
#include "bench/stopwatch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace pawl::bench {

namespace {

std::int64_t now_ns() {
  return Clock::now().time_since_epoch().count();
}

/// The number that a name such as `r000042` ends in.
std::size_t number_of(const std::string& name) {
  return static_cast<std::size_t>(std::atoi(name.c_str() + 1));
}

double us_at(const std::vector<std::int64_t>& sorted_ns, double part) {
  const auto last = static_cast<double>(sorted_ns.size() - 1);
  return static_cast<double>(sorted_ns[static_cast<std::size_t>(part * last)]) / 1e3;
}

}  // namespace

json measure_latency(int flows, int steps, int attempts_max) {
  const Folder folder;
  const std::size_t count = static_cast<std::size_t>(flows) * static_cast<std::size_t>(steps);
  std::vector<std::atomic<std::int64_t>> returned_ns(count);
  std::vector<std::int64_t> latencies_ns;
  latencies_ns.reserve(count);
  const auto place_of = [steps](const std::string& run, const std::string& step) {
    return number_of(run) * static_cast<std::size_t>(steps) + number_of(step);
  };
  EngineOptions options;
  if (attempts_max > 0) options.attempts_max = static_cast<std::size_t>(attempts_max);
  options.on_event = [&](const EngineEvent& event) {
    if (event.kind != EventKind::step_completed || event.run[0] != 'r') return;
    latencies_ns.push_back(now_ns() - returned_ns[place_of(event.run, event.step)]);
  };
  const auto body = [&](const StepCall& call) {
    StepResult result = done(step_output());
    if (call.run[0] == 'r') returned_ns[place_of(call.run, call.step)] = now_ns();
    return result;
  };
  Result<Engine> engine =
      Engine::open(folder / "latency.db", Steps{{"step", body}}, std::move(options));
  if (!engine) die(engine.error().text());
  run_all(*engine, chain(3), "warm", 5);
  const auto began = Clock::now();
  run_all(*engine, chain(steps), "r", flows);
  const double seconds = seconds_since(began);
  const EngineStats stats = engine->stats();
  engine->close(10'000);
  if (latencies_ns.size() != count) die("some completions were not told");
  std::sort(latencies_ns.begin(), latencies_ns.end());
  return json{{"peer", "pawl"},
              {"w", "latency"},
              {"ok", true},
              {"flows", flows},
              {"steps", count},
              {"steps_per_s", static_cast<double>(count) / seconds},
              {"latency_us_p50", us_at(latencies_ns, 0.5)},
              {"latency_us_p99", us_at(latencies_ns, 0.99)},
              {"latency_us_max", us_at(latencies_ns, 1)},
              {"commit_us_p50", stats.commit_us_p50},
              {"commit_us_p99", stats.commit_us_p99},
              {"flush_us_p50", flush_us_p50(folder / "")}};
}

}  // namespace pawl::bench
