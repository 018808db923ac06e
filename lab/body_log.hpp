/// BodyLog: every call of the user's code in one life, so that the world outside can be brought to
/// where that life left it without living it again.
#pragma once

#include <pawl/step.hpp>
#include <pawl/steps.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace pawl::lab {

/// One call of a user's function, in the life that it was made in.
struct BodyCall {
  std::size_t position = 0;  ///< of the mark that it begins with
  std::string type;
  StepCall call;                    ///< with a cancellation of its own, as it was at the beginning
  std::vector<std::size_t> points;  ///< the positions of the points reached inside it
};

struct BodyLog {
  std::vector<BodyCall> calls;
  /// False once a user's actor was called: what it does depends on messages, not on the call alone.
  bool repeatable = true;

  void begin(std::size_t position, const std::string& type, const StepCall& call);
};

/// Calls what a life that died at `position` had called, as far as it had come.
///
/// Given: `log`, of a life that came at least as far, and is repeatable; `steps`, fresh ones. No
/// points are armed.
void repeat_bodies(const BodyLog& log, const Steps& steps, std::size_t position);

}  // namespace pawl::lab
