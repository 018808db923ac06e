/// OnDivergence: the choice about a step two of whose attempts gave different outputs.
#pragma once

#include <string_view>

namespace pawl {

/// What becomes of the run when an attempt whose answer is not used gave another output than the
/// one that is stored. That one stands in any case.
enum class OnDivergence {
  keep,   ///< nothing: the other output is only told
  fail,   ///< the run fails
  pause,  ///< the run is paused, with both outputs in its records, for a person to decide
};

/// Gives the enumerator's own spelling.
inline std::string_view to_string(OnDivergence choice) {
  if (choice == OnDivergence::keep) return "keep";
  return choice == OnDivergence::fail ? "fail" : "pause";
}

}  // namespace pawl
