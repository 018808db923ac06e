// ./dev soak: random courses with crashes, by the million. One process per core; each takes its
// share of the seeds.
//
// In a build with PAWL_MUTANTS one seeded bug is switched on for a stretch in the middle, and must
// be seen there.
#include <pawl/lab.hpp>

#include "lab/own_scenarios.hpp"
#include "runtime/mutant.hpp"

#include <CLI/CLI.hpp>
#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace pawl;
using SteadyClock = std::chrono::steady_clock;

struct Share {
  std::int64_t cycles = 0;
  std::int64_t cases = 0;
  std::int64_t lives = 0;
  std::int64_t violations = 0;
  std::int64_t caught = 0;  // in the stretch with the seeded bug
  double seconds = 0;
};

/// The cases of one process. A cycle is a crash and the recovery from it.
Share soak(std::int64_t cycles_wanted, std::uint64_t seed, double seconds_max) {
  const auto scenarios = own_scenarios();
  lab::Options options;
  options.cancels = true;
  options.demand_coverage = false;
  options.mishaps = false;  // those that random cases have are enough: this is about crashes
  Share share;
  const auto began = SteadyClock::now();
  [[maybe_unused]] bool stretch_done = false;
  while (share.cycles < cycles_wanted) {
    const lab::Scenario& scenario = scenarios[seed % scenarios.size()].scenario;
    options.first_seed = seed * 1000;
    // Every position of a random course, with every loss, and random courses with crashes in a row.
    options.course = lab::random_case(scenario, seed, options).lives.front();
    options.course.crash.reset();
    for (lab::Fault& fault : options.course.faults) fault.for_ever = false;
    options.schedules = 20;
    const lab::Report report = lab::explore(scenario, options);
    ++seed;
    share.cases += report.cases;
    share.cycles += report.crashes;
    share.lives += report.lives;
    if (!report.holds()) {
      ++share.violations;
      std::printf("%s\n", report.text().c_str());
    }
#ifdef PAWL_MUTANTS
    if (!stretch_done && share.cycles >= cycles_wanted / 2) {
      stretch_done = true;
      set_mutant("exists_before_commit");
      for (std::uint64_t i = 0; i < 20'000 && share.caught == 0; ++i) {
        const lab::Scenario& again = scenarios[i % scenarios.size()].scenario;
        if (!lab::replay(again, lab::random_case(again, seed + i, options), options)
                 .violations.empty())
          ++share.caught;
      }
      set_mutant("");
    }
#endif
    share.seconds = std::chrono::duration<double>(SteadyClock::now() - began).count();
    if (seconds_max > 0 && share.seconds > seconds_max) break;
  }
  return share;
}

}  // namespace

/// A life is a thousand small allocations, and nobody asks how many there were.
void allocate_fast() {
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  ::mallopt(M_TOP_PAD, 16 << 20);
  ::mallopt(M_MMAP_THRESHOLD, 16 << 20);
  ::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int main(int argc, char** argv) {
  allocate_fast();
  CLI::App app("Random courses with crashes");
  std::int64_t cycles = 100'000;
  std::uint64_t seed = 1;
  double seconds_max = 0;
  int processes = 2;
  app.add_option("--cycles", cycles, "How many crashes to recover from (default: 100000)");
  app.add_option("--seed", seed, "The first seed (default: 1)");
  app.add_option("--seconds", seconds_max, "At most so long (default: no bound)");
  app.add_option("--processes", processes, "How many at once (default: 2)");
  CLI11_PARSE(app, argc, argv);

  std::vector<int> pipes;
  for (int i = 0; i < processes; ++i) {
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    const pid_t child = ::fork();  // before any engine lives
    if (child == 0) {
      const Share share = soak(cycles / processes,
                               seed + static_cast<std::uint64_t>(i) * 1'000'000'000, seconds_max);
      const bool told =
          ::write(ends[1], &share, sizeof share) == static_cast<ssize_t>(sizeof share);
      std::fflush(stdout);
      ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    pipes.push_back(ends[0]);
  }
  Share all;
  bool complete = true;
  for (const int pipe : pipes) {
    Share share;
    complete = ::read(pipe, &share, sizeof share) == static_cast<ssize_t>(sizeof share) && complete;
    all.cycles += share.cycles;
    all.cases += share.cases;
    all.lives += share.lives;
    all.violations += share.violations;
    all.caught += share.caught;
    all.seconds = std::max(all.seconds, share.seconds);
  }
  while (::wait(nullptr) > 0) {
  }
  std::printf(
      "soak: %lld crash-recover cycles in %lld cases, %lld lives of the process, %.1f s in %d "
      "processes: "
      "%.0f cycles/s per process; violations: %lld\n",
      static_cast<long long>(all.cycles), static_cast<long long>(all.cases),
      static_cast<long long>(all.lives), all.seconds, processes,
      static_cast<double>(all.cycles) / all.seconds / processes,
      static_cast<long long>(all.violations));
#ifdef PAWL_MUTANTS
  std::printf(
      "soak: with the seeded bug exists_before_commit for a stretch: seen by %lld of %d "
      "processes\n",
      static_cast<long long>(all.caught), processes);
  complete = complete && all.caught == processes;
#endif
  return complete && all.violations == 0 ? 0 : 1;
}
