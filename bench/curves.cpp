#include "bench/curves.hpp"

#include "bench/again.hpp"
#include "bench/die.hpp"

#include <cstdio>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

namespace pawl::bench {

namespace {

constexpr int steps_per_point = 100'000;

json measure(const std::string& arguments) {
  json line = run_again(arguments);
  if (line.is_null()) die("pawl-bench " + arguments + " failed");
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
  return line;
}

void write_rows(const std::string& path, const json& rows,
                std::initializer_list<const char*> names) {
  std::ofstream file(path);
  file << '#';
  for (const char* name : names) file << ' ' << name;
  file << '\n';
  for (const json& row : rows) {
    for (const char* name : names) file << row.at(name).get<double>() << ' ';
    file << '\n';
  }
  if (!file.flush()) die(path + " cannot be written");
}

/// `workload` for more and more flows at once, with about as many steps in all.
json by_flows(const std::string& workload) {
  json rows = json::array();
  for (const int flows : {1, 10, 100, 1'000, 10'000}) {
    const int steps = flows == 1 ? 2'000 : steps_per_point / flows;
    rows.push_back(measure(workload + " " + std::to_string(flows) + " " + std::to_string(steps)));
    rows.back()["flows"] = flows;
  }
  return rows;
}

}  // namespace

int write_curves(const std::string& folder, int flat_steps, int steady_s) {
  write_rows(folder + "/latency.dat", by_flows("latency"),
             {"flows", "latency_us_p50", "latency_us_p99", "latency_us_max", "commit_us_p50"});
  write_rows(folder + "/rate.dat", by_flows("W2"), {"flows", "steps_per_s", "limit_steps_per_s"});
  const json flat = measure("flat " + std::to_string(flat_steps));
  write_rows(folder + "/flat.dat", flat.at("samples"), {"steps", "steps_per_s", "commit_us_p99"});
  const json steady = measure("steady " + std::to_string(steady_s));
  write_rows(folder + "/steady.dat", steady.at("samples"),
             {"s", "steps_per_s", "commit_us_p99", "log_mib", "store_mib", "rss_mib"});
  return 0;
}

}  // namespace pawl::bench
