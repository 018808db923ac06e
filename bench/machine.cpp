#include "bench/machine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/utsname.h>
#include <thread>

namespace pawl::bench {

namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

void print_machine(int rounds) {
  utsname system{};
  ::uname(&system);
  const char* const folder = std::getenv("DIR");
  std::printf("machine   %s, %u cores, %s %s; files in %s\n", cpu_model().c_str(),
              std::thread::hardware_concurrency(), system.sysname, system.release,
              folder == nullptr ? "." : folder);
  std::printf(
      "settings  the engine's own: WAL, synchronous=FULL; outputs of 100 bytes; %d rounds, "
      "of which the medians\n",
      rounds);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double median(const std::vector<json>& runs, const char* name) {
  std::vector<double> values;
  for (const json& run : runs) values.push_back(run.value(name, 0.0));
  return median(std::move(values));
}

}  // namespace pawl::bench
