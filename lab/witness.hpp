/// What the history says of what an engine and its steps tell.
#pragma once

#include <pawl/lab_history.hpp>
#include <pawl/observer.hpp>
#include <pawl/record.hpp>
#include <pawl/run_state.hpp>
#include <pawl/step.hpp>

#include "lab/course.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace pawl::lab {

/// Nothing for events of which the history says nothing.
std::optional<HistoryEvent> told_by(const EngineEvent& event);

/// The end of a run as its handle told it.
HistoryEvent told_end(const std::string& run, const Outcome& outcome);

/// A record that somebody else read.
HistoryEvent seen(const std::string& run, const Record& record);

HistoryEvent body_began(const StepCall& call);
HistoryEvent progress_made(const StepCall& call, const json& value, std::int64_t now_ms);
HistoryEvent body_ended(const StepCall& call, const StepResult& result);

/// Names everything that happened in a course, in order.
///
/// Given: `choices`, which names who was next, each time.
Digest trace_of(const Course& course, std::uint64_t choices);

}  // namespace pawl::lab
