#include "bench/flat.hpp"

#include "bench/die.hpp"
#include "bench/flows.hpp"
#include "bench/folder.hpp"
#include "bench/machine.hpp"
#include "bench/stopwatch.hpp"
#include "bench/usage.hpp"

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pawl::bench {

namespace {

constexpr int rounds = 10;
constexpr int flows = 1000;
constexpr int fill_flows = 500;
constexpr int fill_steps = 100;

/// Steps per second of one round.
double round_of(Engine& engine, const Flow& flow, const std::string& prefix) {
  const auto began = Clock::now();
  run_all(engine, flow, prefix.c_str(), flows);
  return flows * flow_steps / seconds_since(began);
}

struct Rates {
  double steps_per_s;
  double commit_us_p99;
};

/// In turns, for a disk is not the same after minutes of writing. A commit's p99 is that of the
/// last thousand.
std::vector<Rates> rates_of(const std::vector<Engine*>& engines, const Flow& flow,
                            const std::string& prefix) {
  std::vector<std::vector<double>> rates(engines.size());
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < engines.size(); ++i)
      rates[i].push_back(round_of(*engines[i], flow, prefix + std::to_string(round)));
  std::vector<Rates> all;
  for (std::size_t i = 0; i < engines.size(); ++i)
    all.push_back({median(rates[i]), static_cast<double>(engines[i]->stats().commit_us_p99)});
  return all;
}

}  // namespace

json measure_flatness(int steps) {
  const Folder folder;
  const std::string path = folder / "flat.db";
  const auto step = [](const StepCall&) { return done(step_output()); };
  const Flow flow = chain(flow_steps);
  const Flow filling = chain(fill_steps);
  Engine engine = open_engine(path, step);
  run_all(engine, chain(3), "warm", 5);
  const auto fill_began = Clock::now();
  int filled = 0;
  json samples = json::array();
  for (int n = 0; filled < steps; ++n) {
    const auto sample_began = Clock::now();
    run_all(engine, filling, ("fill" + std::to_string(n) + "-").c_str(), fill_flows);
    filled += fill_flows * fill_steps;
    samples.push_back({{"steps", filled},
                       {"steps_per_s", fill_flows * fill_steps / seconds_since(sample_began)},
                       {"commit_us_p99", engine.stats().commit_us_p99}});
  }
  const double fill_s = seconds_since(fill_began);
  engine.close(10'000);
  const auto open_began = Clock::now();
  engine = open_engine(path, step);
  const double open_s = seconds_since(open_began);
  run_all(engine, chain(3), "again", 5);
  Engine beside = open_engine(folder / "empty.db", step);
  run_all(beside, chain(3), "warm", 5);
  const std::vector<Rates> both = rates_of({&beside, &engine}, flow, "measured");
  const Rates empty = both[0];
  const Rates full = both[1];
  beside.close(10'000);
  const auto store_mib = static_cast<double>(std::filesystem::file_size(path)) / (1 << 20);

  // Old runs go while new ones come.
  std::atomic<bool> over{false};
  std::size_t pruned = 0;
  std::thread pruner([&] {
    while (!over) {
      PruneOptions options;
      options.keep_newest = 0;
      options.limit = 1000;
      const Result<std::size_t> some = engine.prune(options);
      if (!some) die(some.error().text());
      pruned += *some;
      if (*some == 0) return;
    }
  });
  const auto prune_began = Clock::now();
  const Rates pruning = rates_of({&engine}, flow, "pruning")[0];
  const double prune_s = seconds_since(prune_began);
  over = true;
  pruner.join();
  engine.close(10'000);
  return json{{"peer", "pawl"},
              {"w", "flat"},
              {"ok", true},
              {"steps", filled},
              {"fill_steps_per_s", filled / fill_s},
              {"store_mib", store_mib},
              {"open_s", open_s},
              {"empty_steps_per_s", empty.steps_per_s},
              {"full_steps_per_s", full.steps_per_s},
              {"of_empty", full.steps_per_s / empty.steps_per_s},
              {"empty_commit_us_p99", empty.commit_us_p99},
              {"full_commit_us_p99", full.commit_us_p99},
              {"pruning_steps_per_s", pruning.steps_per_s},
              {"pruned_runs", pruned},
              {"pruning_s", prune_s},
              {"pruning_of_full", pruning.steps_per_s / full.steps_per_s},
              {"rss_mib", peak_rss_mib()},
              {"samples", std::move(samples)}};
}

}  // namespace pawl::bench
