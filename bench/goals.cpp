#include "bench/goals.hpp"

#include "bench/again.hpp"
#include "bench/machine.hpp"

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace pawl::bench {

namespace {

/// What one round's runs came to, by their arguments.
using Round = std::map<std::string, json>;

struct Goal {
  std::string words;
  std::function<double(const Round&)> figure;

  enum { at_least, at_most, shown } kind;

  double reach;
};

std::vector<Goal> all_goals(const std::string& flat, const std::string& parked) {
  const auto of = [](const std::string& run, const char* name) {
    return [run, name](const Round& round) { return round.at(run).at(name).get<double>(); };
  };
  const auto divided = [](auto above, auto below) {
    return [above, below](const Round& round) { return above(round) / below(round); };
  };
  constexpr double best_peer_w2 = 3'300;  // steps a second, as are the next
  constexpr double best_peer_w3 = 970;
  const std::string w1 = "W1 1000";
  const std::string values = "values 5000";
  const std::string w2 = "W2 1000 100";
  const std::string many = "W2 10000 10";
  const std::string w3 = "W3 1000";
  const std::string w4 = "W4 1000 10";
  std::vector<Goal> goals{
      {"a sequential step, of a one-row commit (W1)",
       divided(of(w1, "limit_steps_per_s"), of(w1, "steps_per_s")), Goal::at_most, 1.25},
      {"values, of the rate of W1", divided(of(values, "steps_per_s"), of(w1, "steps_per_s")),
       Goal::at_least, 20},
      {"1,000 flows at once, of the limit (W2)", of(w2, "of_limit"), Goal::at_least, 0.7},
      {"the same, steps/s", of(w2, "steps_per_s"), Goal::at_least, 15 * best_peer_w2},
      {"1,000 parallel steps, of the limit (W3)", of(w3, "of_limit"), Goal::at_least, 0.7},
      {"the same, steps/s", of(w3, "steps_per_s"), Goal::at_least, 15 * best_peer_w3},
      {"submits a second, of 10,000", divided(of(many, "flows"), of(many, "submit_s")),
       Goal::at_least, 50'000},
      {"the same, acknowledged", divided(of(many, "flows"), of(many, "acknowledged_s")),
       Goal::shown, 0},
      {"CPU per step at 1,000 flows, us", of(w2, "cpu_us_per_step"), Goal::at_most, 8},
      {"the same of the limit", of(w2, "limit_cpu_us_per_step"), Goal::shown, 0},
      {"from the restart to the end, s (W4)", of(w4, "recover_seconds"), Goal::shown, 0},
      {"the same, beyond what the steps take",
       [of, w2, w4](const Round& round) {
         const double left = of(w4, "steps")(round) - of(w4, "steps_run_before_kill")(round);
         return of(w4, "recover_seconds")(round) - left / of(w2, "steps_per_s")(round);
       },
       Goal::at_most, 0.3},
      {"first step after the restart, s", of(w4, "first_step_after_restart_s"), Goal::at_most,
       0.05},
      {"steps run more than once", of(w4, "steps_run_more_than_once"), Goal::at_most, 4096},
      {"steps/s of a full store, of an empty one's", of(flat, "of_empty"), Goal::at_least, 0.9},
      {"a commit's p99, likewise",
       divided(of(flat, "full_commit_us_p99"), of(flat, "empty_commit_us_p99")), Goal::at_most,
       1 / 0.9},
      {"opening it, s", of(flat, "open_s"), Goal::at_most, 0.2},
      {"steps/s while it is pruned, of those before", of(flat, "pruning_of_full"), Goal::at_least,
       0.8},
      {"memory of a parked run, bytes", of(parked, "bytes_per_run"), Goal::at_most, 300},
      {"threads for parked runs", of(parked, "more_threads"), Goal::at_most, 0},
      {"opening a store of them, s", of(parked, "open_s"), Goal::at_most, 2},
      {"10,000 due a second: late, p99, ms", of(parked, "late_ms_p99"), Goal::at_most, 50},
      {"the same, the latest", of(parked, "late_ms_max"), Goal::shown, 0}};
  for (const char* flows : {"10 10000", "100 1000", "1000 100", "10000 10"}) {
    const std::string run = std::string("latency ") + flows;
    goals.push_back({run + ": p50, us", of(run, "latency_us_p50"), Goal::shown, 0});
    goals.push_back({run + ": p99, us", of(run, "latency_us_p99"), Goal::shown, 0});
    goals.push_back({run + ": p99, of two commits' p99",
                     [of, run](const Round& round) {
                       return of(run, "latency_us_p99")(round) / 2 /
                              of(run, "commit_us_p99")(round);
                     },
                     Goal::shown, 0});
  }
  for (const char* bytes : {"1024", "65536", "1048576"}) {
    const std::string run = std::string("payload ") + bytes;
    const bool is_goal = run == "payload 1048576";
    goals.push_back({run + ": of the disk's rate", of(run, "of_disk"),
                     is_goal ? Goal::at_least : Goal::shown, 0.7});
    goals.push_back({run + ": memory, MiB", of(run, "rss_mib"), Goal::shown, 0});
  }
  return goals;
}

void print_goal(const Goal& goal, const std::vector<Round>& rounds) {
  std::vector<double> figures;
  for (const Round& round : rounds) figures.push_back(goal.figure(round));
  std::printf("%-44s", goal.words.c_str());
  for (const double figure : figures) std::printf(" %12.4g", figure);
  const double middle = median(std::move(figures));
  if (goal.kind == Goal::shown) {
    std::printf("\n");
    return;
  }
  const bool is_reached = goal.kind == Goal::at_least ? middle >= goal.reach : middle <= goal.reach;
  std::printf("   %s %-7g %s\n", goal.kind == Goal::at_least ? ">=" : "<=", goal.reach,
              is_reached ? "reached" : "not reached");
}

}  // namespace

int print_goals(int rounds, int flat_steps, int parked_runs) {
  print_machine(rounds);
  const std::string flat = "flat " + std::to_string(flat_steps);
  const std::string parked = "parked " + std::to_string(parked_runs);
  const std::vector<std::string> runs{"W1 1000",
                                      "values 5000",
                                      "W2 1000 100",
                                      "W2 10000 10",
                                      "W3 1000",
                                      "W4 1000 10",
                                      "latency 10 10000",
                                      "latency 100 1000",
                                      "latency 1000 100",
                                      "latency 10000 10",
                                      "payload 1024",
                                      "payload 65536",
                                      "payload 1048576",
                                      parked,
                                      flat};
  std::vector<Round> all;
  for (int i = 0; i < rounds; ++i) {
    Round round;
    for (const std::string& arguments : runs) {
      json run = run_again(arguments);
      if (run.is_null()) {
        std::printf("pawl-bench %s failed\n", arguments.c_str());
        return 1;
      }
      json shown = run;
      shown.erase("samples");
      std::printf("%s\n", shown.dump().c_str());
      std::fflush(stdout);
      round[arguments] = std::move(run);
    }
    all.push_back(std::move(round));
  }
  std::printf("\n");
  for (const Goal& goal : all_goals(flat, parked)) print_goal(goal, all);
  return 0;
}

}  // namespace pawl::bench
