#include <pawl/kill_points.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <mutex>
#include <tuple>
#include <unistd.h>

namespace pawl::lab {

namespace {

/// What this process was told to do at its points. Made once, never destroyed: points may be
/// reached until the last thread has ended.
struct Orders {
  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, int>, int> hits;
  int trace_fd = -1;
  bool kills = false;
  PointVisit kill_at;
};

Orders& orders() {
  static Orders* const made = new Orders;
  return *made;
}

void on_point(const PointHit& hit) {
  Orders& order = orders();
  // Held while dying, too: no other thread's visit slips into the trace behind the one that kills.
  const std::lock_guard<std::mutex> lock(order.mutex);
  PointVisit visit{std::string(hit.point), std::string(hit.step), hit.attempt, 0};
  visit.hit = ++order.hits[{visit.point, visit.step, visit.attempt}];
  if (order.trace_fd >= 0) {
    const std::string line = visit.text() + "\n";
    // One write per line: lines of one process do not mix.
    if (::write(order.trace_fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      std::abort();
  }
  if (order.kills && visit == order.kill_at) ::kill(::getpid(), SIGKILL);
}

}  // namespace

std::string PointVisit::text() const {
  return point + "/" + step + "/" + std::to_string(attempt) + "/" + std::to_string(hit);
}

Result<PointVisit> PointVisit::parse(const std::string& text) {
  const auto first = text.find('/');
  const auto second = text.find('/', first == std::string::npos ? first : first + 1);
  const auto third = text.find('/', second == std::string::npos ? second : second + 1);
  const auto number = [](const std::string& digits) {
    return !digits.empty() && digits.size() < 9 &&
                   digits.find_first_not_of("0123456789") == std::string::npos
               ? std::stoi(digits)
               : -1;
  };
  PointVisit visit;
  if (third != std::string::npos) {
    visit.point = text.substr(0, first);
    visit.step = text.substr(first + 1, second - first - 1);
    visit.attempt = number(text.substr(second + 1, third - second - 1));
    visit.hit = number(text.substr(third + 1));
  }
  if (third == std::string::npos || visit.point.empty() || visit.attempt < 0 || visit.hit < 1)
    return make_error(Errc::invalid_argument, "\"" + text + "\" is no point/step/attempt/hit");
  return visit;
}

bool PointVisit::operator==(const PointVisit& other) const {
  return std::tie(point, step, attempt, hit) ==
         std::tie(other.point, other.step, other.attempt, other.hit);
}

bool PointVisit::operator<(const PointVisit& other) const {
  return std::tie(point, step, attempt, hit) <
         std::tie(other.point, other.step, other.attempt, other.hit);
}

Result<void> arm_points_from_environment() {
  const char* trace = std::getenv("PAWL_POINT_TRACE");
  const char* kill_at = std::getenv("PAWL_KILL_AT");
  if (trace == nullptr && kill_at == nullptr) return {};
  Orders& order = orders();
  if (kill_at != nullptr) {
    Result<PointVisit> visit = PointVisit::parse(kill_at);
    if (!visit) return visit.error();
    order.kill_at = std::move(*visit);
    order.kills = true;
  }
  if (trace != nullptr) {
    order.trace_fd = ::open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (order.trace_fd < 0)
      return make_error(Errc::io,
                        std::string("the trace cannot be opened: ") + std::strerror(errno), trace);
  }
  arm_points(on_point);
  return {};
}

Result<std::vector<PointVisit>> read_point_trace(const std::string& path) {
  std::ifstream file(path);
  if (!file) return make_error(Errc::io, "the trace cannot be read", path);
  std::vector<PointVisit> visits;
  for (std::string line; std::getline(file, line);) {
    Result<PointVisit> visit = PointVisit::parse(line);
    if (!visit) return visit.error();
    visits.push_back(std::move(*visit));
  }
  return visits;
}

}  // namespace pawl::lab
