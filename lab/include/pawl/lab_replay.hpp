/// The lab's replay of a run that was exported once (`pawl export`) against a flow of today.
#pragma once

#include <pawl/run_diff.hpp>

#include <optional>
#include <string>

namespace pawl::lab {

struct Replay {
  RunDiff diff;                ///< empty with an error
  std::optional<Error> error;  ///< why there was nothing to replay, with the place in the fixture

  /// The flow takes the run's records, and would have come to them.
  bool fits() const { return !error && diff.fits(); }

  /// For a person: one line if nothing was found, else the findings.
  std::string text() const;
};

/// Replays the run's records with `flow`. Nothing is performed, and nothing outside changes.
///
///     CHECK_THAT(lab::replay("order-42.fixture.json", order_flow), lab::fits());
///
/// Given: the fixture, or its file.
Replay replay(const RunFixture& fixture, const Flow& flow);
Replay replay(const std::string& fixture_file, const Flow& flow);

}  // namespace pawl::lab
