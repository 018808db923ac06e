/// RunTimes: when a run, and what it is made of, began and came to its end, by its records.
#pragma once

#include <pawl/record.hpp>

#include "runtime/flow_machine.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace pawl {

/// Milliseconds since the Unix epoch, as records have them.
struct RunTimes {
  std::int64_t started_ms = 0;           ///< 0 if there is no record of it
  std::optional<std::int64_t> ended_ms;  ///< nothing while the run is unfinished
  /// By the machine's places: of the output, or of the failure for good. Nothing of what has not
  /// ended, and of what ended without a record of its own: excluded, or never begun.
  std::vector<std::optional<std::int64_t>> places_ended_ms;
};

/// Given: `machine`, to which all of `records` were applied.
RunTimes run_times(const FlowMachine& machine, const std::vector<Record>& records);

}  // namespace pawl
