/// The step audit: which steps of a flow are not safe to run again after a crash.
#pragma once

#include <pawl/lab.hpp>

#include <functional>
#include <string>
#include <vector>

namespace pawl::lab {

/// A world that can be looked at.
struct ObservedWorld {
  std::function<Steps()> steps;   ///< as in `Outside`
  std::function<json()> observe;  ///< everything that the steps change outside, as JSON
};

struct StepFinding {
  std::string step;
  std::string what;     ///< `not_repeatable`, `differs`, `ignores_cancellation`,
                        ///< `does_not_succeed`
  std::string message;  ///< what was seen, and what to do
};

/// Runs every step of `flow` as often as a crash may make it run, and compares what is left
/// outside.
///
/// not_repeatable:       the step ran, the process died before its output was stored, the step ran
/// again under the same
///                       key, and the world is another one than after an undisturbed run. Hand
///                       `call.key` to whatever the step changes, so that it can tell a repeated
///                       attempt from a new request.
/// differs:              the second attempt gave another output than the first. The first one that
/// is stored stands, but
///                       an effect that was made with the other one does not fit it.
/// ignores_cancellation: the step's function went on for more than `grace_ms` after it was told to
/// stop. Checked for
///                       functions, on a thread of its own, with the parameters of an undisturbed
///                       run.
/// does_not_succeed:     the flow does not even succeed undisturbed; nothing else is checked then.
std::vector<StepFinding> audit_steps(const Flow& flow, const json& input,
                                     const std::function<ObservedWorld()>& make,
                                     int grace_ms = 1000);

}  // namespace pawl::lab
