/// InDoubt: the choice about a step of which nobody knows whether it had its effect.
#pragma once

#include <string_view>

namespace pawl {

/// What becomes of a step that may run at most once, when nobody knows whether it has.
enum class InDoubt {
  ask,    ///< the run is blocked, for a person to decide
  fail,   ///< the step fails
  retry,  ///< the step runs again
};

/// Gives the enumerator's own spelling.
inline std::string_view to_string(InDoubt choice) {
  if (choice == InDoubt::ask) return "ask";
  return choice == InDoubt::fail ? "fail" : "retry";
}

}  // namespace pawl
