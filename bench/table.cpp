#include "bench/table.hpp"

#include "bench/again.hpp"
#include "bench/machine.hpp"

#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace pawl::bench {

namespace {

struct Row {
  const char* arguments;
  const char* words;
};

constexpr std::array rows{Row{"W1 1000", "1 flow of 1,000 steps"},
                          Row{"values 5000", "1 flow of 5,000 values"},
                          Row{"W2 1000 10", "1,000 flows of 10 steps"},
                          Row{"W2 1000 100", "1,000 flows of 100 steps"},
                          Row{"W3 1000", "1 flow of 1,000 steps and a join"},
                          Row{"W4 1000 10", "killed half-way, and started again"}};

void print_row(const Row& row, const std::vector<json>& runs) {
  if (runs.empty()) {
    std::printf("%-36s failed\n", row.words);
    return;
  }
  if (runs.front().at("w") == "W4") {
    std::printf(
        "%-36s %.3f s to the end, first step after %.0f ms, %.0f of %.0f steps ran twice, "
        "%.0f flows lost\n",
        row.words, median(runs, "recover_seconds"),
        median(runs, "first_step_after_restart_s") * 1e3, median(runs, "steps_run_more_than_once"),
        median(runs, "steps"), median(runs, "flows_lost"));
    return;
  }
  std::printf(
      "%-36s %9.0f steps/s %8.4f ms/step %5.2f of the limit (%.0f/s)  %6.1f us CPU/step  "
      "%5.0f records a commit  flush %.0f us\n",
      row.words, median(runs, "steps_per_s"), median(runs, "mean_ms_per_step"),
      median(runs, "of_limit"), median(runs, "limit_steps_per_s"), median(runs, "cpu_us_per_step"),
      median(runs, "records_per_commit"), median(runs, "flush_us_p50"));
}

}  // namespace

int print_table(int rounds) {
  print_machine(rounds);
  std::map<const Row*, std::vector<json>> runs;
  bool all_well = true;
  for (int round = 0; round < rounds; ++round)
    for (const Row& row : rows) {
      json run = run_again(row.arguments);
      if (run.is_null()) {
        all_well = false;
        continue;
      }
      std::printf("%s\n", run.dump().c_str());
      std::fflush(stdout);
      runs[&row].push_back(std::move(run));
    }
  std::printf("\n");
  for (const Row& row : rows) print_row(row, runs[&row]);
  return all_well ? 0 : 1;
}

}  // namespace pawl::bench
