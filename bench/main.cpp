// pawl-bench: how many durable steps a second, beside what SQLite alone does with the same rows.
#include "bench/curves.hpp"
#include "bench/flat.hpp"
#include "bench/goals.hpp"
#include "bench/latency.hpp"
#include "bench/parked.hpp"
#include "bench/payload.hpp"
#include "bench/steady.hpp"
#include "bench/table.hpp"
#include "bench/workloads.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace {

int usage() {
  std::fprintf(
      stderr,
      "usage: DIR=FOLDER pawl-bench WORKLOAD N [STEPS], or pawl-bench table [ROUNDS],\n"
      "       or pawl-bench curves FOLDER [STEPS SECONDS], or pawl-bench goals [ROUNDS [STEPS "
      "RUNS]]\n"
      "  W1       one flow of N sequential steps\n"
      "  values   one flow of N values, each made from the one before\n"
      "  W2       N flows of STEPS sequential steps\n"
      "  W3       one flow of N parallel steps and a join\n"
      "  W4       W2 in a child that is killed when half of the steps have run\n"
      "  flat     W2 on an empty store, on one with N finished steps, and while those are "
      "pruned\n"
      "  latency  from a step's result to its completion, in N flows of STEPS steps; a third "
      "number is attempts_max\n"
      "  parked   N runs that sleep, the store opened with them, and others that get due\n"
      "  payload  outputs of N bytes\n"
      "  steady   1,000 flows at once, for N seconds, of which the newest 100,000 are kept\n"
      "  table    W1 to W4 and values, ROUNDS times, with the medians\n"
      "  curves   latency and W2 by the number of flows, flat STEPS and steady SECONDS, "
      "for plots\n"
      "  goals    what pawl is to reach, and what it reaches: 10,000,000 STEPS in a store, "
      "1,000,000 RUNS parked\n");
  return 2;
}

pawl::json measure(const std::string& workload, int n, int steps, int attempts_max) {
  if (workload == "flat") return pawl::bench::measure_flatness(n);
  if (workload == "latency") return pawl::bench::measure_latency(n, steps, attempts_max);
  if (workload == "parked") return pawl::bench::measure_parked(n);
  if (workload == "steady") return pawl::bench::measure_steadiness(n);
  if (workload == "payload") return pawl::bench::measure_payload(n);
  return pawl::bench::run_workload(workload, n, steps);
}

int run(const std::vector<std::string>& words) {
  if (words.size() == 6 && words[0] == "life")
    return pawl::bench::run_life({words.begin() + 1, words.end()});
  if (!words.empty() && words.size() <= 2 && words[0] == "table") {
    const int rounds = words.size() == 2 ? std::atoi(words[1].c_str()) : 3;
    return rounds < 1 ? usage() : pawl::bench::print_table(rounds);
  }
  if (!words.empty() && words.size() <= 4 && words.size() != 3 && words[0] == "goals") {
    const int rounds = words.size() > 1 ? std::atoi(words[1].c_str()) : 3;
    const int steps = words.size() > 2 ? std::atoi(words[2].c_str()) : 10'000'000;
    const int runs = words.size() > 2 ? std::atoi(words[3].c_str()) : 1'000'000;
    return rounds < 1 || steps < 1 || runs < 1 ? usage()
                                               : pawl::bench::print_goals(rounds, steps, runs);
  }
  if ((words.size() == 2 || words.size() == 4) && words[0] == "curves") {
    const int steps = words.size() == 4 ? std::atoi(words[2].c_str()) : 10'000'000;
    const int seconds = words.size() == 4 ? std::atoi(words[3].c_str()) : 1'800;
    return steps < 1 || seconds < 1 ? usage() : pawl::bench::write_curves(words[1], steps, seconds);
  }
  if (words.size() < 2 || words.size() > (words[0] == "latency" ? 4 : 3)) return usage();
  const int n = std::atoi(words[1].c_str());
  const int steps = words.size() >= 3 ? std::atoi(words[2].c_str()) : 10;
  const int attempts_max = words.size() == 4 ? std::atoi(words[3].c_str()) : 0;
  if (n < 1 || steps < 1 || attempts_max < 0) return usage();
  const pawl::json line = measure(words[0], n, steps, attempts_max);
  if (line.is_null()) return usage();
  std::printf("%s\n", line.dump().c_str());
  return line.at("ok").get<bool>() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pawl-bench: %s\n", error.what());
    return 1;
  }
}
