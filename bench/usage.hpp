/// What this process has used of the machine.
#pragma once

#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace pawl::bench {

inline rusage usage_of_this_process() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage;
}

/// User's and system's, of all threads, in seconds.
inline double cpu_s() {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const rusage usage = usage_of_this_process();
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// At this moment.
inline double rss_mib() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

inline double peak_rss_mib() {
  return static_cast<double>(usage_of_this_process().ru_maxrss) / 1024;
}

}  // namespace pawl::bench
