/// Who paused a run, as its records say.
#pragma once

#include <pawl/error.hpp>
#include <pawl/record.hpp>

namespace pawl {

enum class PausedBy {
  person,
  parent,  ///< the run is a child's, and was paused with its parent
};

/// The record that pauses a run, or lets it go on.
Record pause_record(bool paused, PausedBy by);

/// Reads that back.
///
/// Errors: Errc::corrupt.
Result<PausedBy> paused_by(const Record& record);

}  // namespace pawl
