/// Resolution: what somebody who has found out says of a step that the run is blocked for.
#pragma once

#include <pawl/json.hpp>
#include <pawl/record.hpp>

#include <string>
#include <vector>

namespace pawl {

class Flow;

struct Resolution {
  std::string step;  ///< as in records: `NAME`, `NAME[2]`, `NAME:undo`
  json output;       ///< what the step would have answered
};

/// The record that a resolution leaves: the step's output, of no attempt.
///
/// Errors: Errc::too_large, and those of `canonical_json`.
Result<Record> resolution_record(const Resolution& resolution);

/// Whether a stored run is blocked for that step, so that its output can be given.
///
/// Errors: Errc::invalid_argument; those of `view_run`.
Result<void> check_resolvable(const Flow& flow, const std::string& run, const json& input,
                              const std::vector<Record>& records, const std::string& step);

/// The records that let everything go on that a stored run is blocked for; none if it is not.
///
/// Errors: as `view_run`.
Result<std::vector<Record>> unblocking_records(const Flow& flow, const std::string& run,
                                               const json& input,
                                               const std::vector<Record>& records);

/// The records that let a stored run go on that is paused; none if it is not, or is paused with its
/// parent.
///
/// Errors: as `view_run`.
Result<std::vector<Record>> unpausing_records(const Flow& flow, const std::string& run,
                                              const json& input,
                                              const std::vector<Record>& records);

}  // namespace pawl
