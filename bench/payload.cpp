#include "bench/payload.hpp"

#include "bench/die.hpp"
#include "bench/flows.hpp"
#include "bench/folder.hpp"
#include "bench/stopwatch.hpp"
#include "bench/usage.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace pawl::bench {

namespace {

constexpr double mib = 1 << 20;
constexpr int all_mib = 256;
constexpr int at_once = 16;

double disk_mib_per_s(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) die(path + ": " + std::strerror(errno));
  const std::vector<char> piece(1 << 20, 'x');
  const auto began = Clock::now();
  for (int i = 1; i <= all_mib; ++i) {
    if (::write(fd, piece.data(), piece.size()) != static_cast<ssize_t>(piece.size()))
      die(path + ": " + std::strerror(errno));
    if (i % 16 == 0 && ::fdatasync(fd) != 0) die(path + ": " + std::strerror(errno));
  }
  const double seconds = seconds_since(began);
  ::close(fd);
  return all_mib / seconds;
}

}  // namespace

json measure_payload(int bytes) {
  const Folder folder;
  const std::string text(static_cast<std::size_t>(bytes), 'x');
  Engine engine = open_engine(folder / "payload.db", [&](const StepCall&) { return done(text); });
  run_all(engine, chain(3), "warm", 5);
  const double rss_before_mib = peak_rss_mib();
  const int rounds = std::max(1, static_cast<int>(all_mib * mib / bytes / flow_steps / at_once));
  const Flow flow = chain(flow_steps);
  const double cpu_before_s = cpu_s();
  const auto began = Clock::now();
  for (int round = 0; round < rounds; ++round)
    run_all(engine, flow, ("r" + std::to_string(round) + "-").c_str(), at_once);
  const double seconds = seconds_since(began);
  const double cpu_used_s = cpu_s() - cpu_before_s;
  engine.close(10'000);
  const double steps = static_cast<double>(rounds) * at_once * flow_steps;
  const double disk = disk_mib_per_s(folder / "disk");
  const double rate = steps * bytes / mib / seconds;
  return json{{"peer", "pawl"},
              {"w", "payload"},
              {"ok", true},
              {"output_bytes", bytes},
              {"steps", steps},
              {"steps_per_s", steps / seconds},
              {"mib_per_s", rate},
              {"disk_mib_per_s", disk},
              {"of_disk", rate / disk},
              {"cpu_us_per_step", cpu_used_s * 1e6 / steps},
              {"rss_mib", peak_rss_mib()},
              {"rss_before_mib", rss_before_mib}};
}

}  // namespace pawl::bench
