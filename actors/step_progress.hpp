/// What a step runner does with the progress that its attempt reports: invariant 5 of
/// step_runner.hpp.
#pragma once

#include "actors/step_runner.hpp"

#include <memory>

namespace pawl {

using StepRunnerSelf = StepRunnerActor::stateful_pointer<StepRunnerState>;

/// Lets the attempt that is about to begin report.
void hear_reports(StepRunnerSelf self);

void on_reported(StepRunnerSelf self, const Reported& reported);

/// The attempt has ended: from now on it reports nothing. Gives what it reported last and is not
/// known to be durable, which goes with its record, in one transaction; null if there is none.
std::shared_ptr<Progress> last_progress(StepRunnerSelf self);

/// Tells that what the attempt reported is durable.
void tell_progress(StepRunnerSelf self, const Dispatch& dispatch, const Progress& progress);

}  // namespace pawl
