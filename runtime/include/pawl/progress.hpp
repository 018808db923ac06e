/// Progress: what an attempt of a step last reported of itself, as it is remembered.
#pragma once

#include <cstdint>
#include <string>

namespace pawl {

/// A durable note about one attempt of one step of a run. Of a step only the last one is kept: a
/// newer one takes its place. It is no record: nothing follows from it, and a run's state is the
/// same with and without.
struct Progress {
  std::string step;  ///< the step's name, or that of a part: `NAME[2]`, `NAME:undo`
  int attempt = 1;   ///< which reported it
  std::string body;  ///< canonical JSON, at most `Limits::progress_bytes_max` bytes

  // Filled by the store.
  std::int64_t epoch = 0;  ///< the owner that wrote it
  std::int64_t at_ms = 0;  ///< when it was written
};

}  // namespace pawl
