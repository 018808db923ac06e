/// What the step runner does with the progress that attempts report: invariant 5 of
/// step_runner.hpp.
#pragma once

#include "actors/step_runner.hpp"

#include <memory>

namespace pawl {

/// Where attempts of that step runner report.
std::shared_ptr<const ReportsDesk> reports_desk_for(StepRunnerSelf self);

/// Lets the attempt that is about to begin report.
void hear_reports(StepRunnerSelf self, const DispatchPtr& dispatch);

void on_reported(StepRunnerSelf self, const Reported& reported);

/// Tells that what the attempt reported is durable.
void tell_progress(StepRunnerSelf self, const Dispatch& dispatch, const Progress& progress);

}  // namespace pawl
