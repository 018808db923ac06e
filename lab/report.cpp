#include <pawl/lab.hpp>

#include <cstdio>

namespace pawl::lab {

namespace {

std::string summary(const Report& report) {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.2f s", report.seconds);
  std::string text = std::to_string(report.cases) + " cases, " + std::to_string(report.images) +
                     " different situations, " + std::to_string(report.positions) + " positions, " +
                     std::to_string(report.lives) + " lives of the process, " + seconds;
  if (const FaultCounts& faults = report.faults; faults.cases > 0)
    text += "; " + std::to_string(faults.operations) + " operations of the disk failed in " +
            std::to_string(faults.cases) + " ways: " + std::to_string(faults.finished) +
            " processes got over it, " + std::to_string(faults.refused) +
            " were refused the store, " + std::to_string(faults.given_up) +
            " waited until they were killed";
  if (!report.left_out.empty()) text += "; NOT ALL: " + report.left_out;
  return text;
}

}  // namespace

std::string Report::text() const {
  if (violations.empty()) return (cases > 0 ? "holds: " : "nothing was tried: ") + summary(*this);
  std::string text;
  for (const Violation& violation : violations) {
    text += "VIOLATION of " + violation.invariant + ": " + violation.message + "\n";
    text += "replay it: PAWL_REPLAY='" + violation.lab_case.text() + "'\n";
    if (!violation.timeline.empty()) text += "\n" + violation.timeline + "\n";
  }
  return text + summary(*this);
}

}  // namespace pawl::lab
