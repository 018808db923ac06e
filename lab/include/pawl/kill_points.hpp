/// Points of a real process: trace them to a file, or die at one.
#pragma once

#include <pawl/error.hpp>
#include <pawl/point.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace pawl::lab {

/// One reaching of a point by a process: the `hit`-th time (1 for the first) that `point` was
/// reached for this step and attempt.
///
/// As text: `point/step/attempt/hit`, with an empty step and attempt 0 where none is concerned.
struct PointVisit {
  std::string point;
  std::string step;
  int attempt = 0;
  int hit = 1;

  std::string text() const;
  static Result<PointVisit> parse(const std::string& text);

  bool operator==(const PointVisit& other) const;
  bool operator<(const PointVisit& other) const;
};

/// Arms the points of this process as its environment says, if it says anything:
///
///     PAWL_POINT_TRACE=FILE   appends a line to FILE for every visit, in the order of the visits;
///     what stands there
///                             survives the process
///     PAWL_KILL_AT=VISIT      raises SIGKILL at that visit, after its line is written
///
/// Errors: Errc::invalid_argument for a visit that cannot be read; Errc::io for a file that cannot
/// be opened.
Result<void> arm_points_from_environment();

/// The visits that a trace file tells of, in order.
Result<std::vector<PointVisit>> read_point_trace(const std::string& path);

}  // namespace pawl::lab
