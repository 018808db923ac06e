/// The document about a run that every view of it shows: the command's, the library's and the
/// lab's.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/progress.hpp>
#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include <string>
#include <vector>

namespace pawl {

/// A run as its records tell it.
struct RunView {
  RunState state = RunState::running;
  /// `{"run","flow","state","labels","parent","forked_from",
  ///   "started_ms","ended_ms","output","error":{"code","step","message"},
  ///   "steps":{NAME:{"state","attempts","ended_ms","output","error"}}}`
  ///
  /// and `priority` if it is not 0. `ended_ms` is null before the end. Times are those of the
  /// records. `attempts` is an array of `{"attempt","end","started_ms","duration_ms"}`, oldest
  /// first, with `due_ms` (when the next attempt is due) and `error` (`{"code","message"}`) where
  /// there are such; an attempt without an end yet has
  /// `"end": "open"`. A step that reported its progress has `progress`, the last one:
  /// `{"attempt","at_ms","value"}`. What the flow marks secret reads "[secret]". Equal records give
  /// equal documents.
  json document;
};

/// Derives the view of a run from its records.
///
/// Given:  `progress`, what its steps last reported; of what is no part of the run nothing is
/// shown. Errors: Errc::corrupt when the records do not follow from each other; the message names
/// the first that does not.
Result<RunView> view_run(const Flow& flow, const std::string& run, const json& input,
                         const std::vector<Record>& records,
                         const std::vector<Progress>& progress = {});

/// What a person should know about why a run, or one step of it, waits, failed, or has not begun:
/// whole lines.
///
/// Given:  `step`, a step's name, or empty for the whole run.
/// Errors: as `view_run`; Errc::invalid_argument for an unknown step.
Result<std::vector<std::string>> explain_run(const Flow& flow, const std::string& run,
                                             const json& input, const std::vector<Record>& records,
                                             const std::string& step, std::int64_t now_ms,
                                             const std::vector<Progress>& progress = {});

/// Says how two starts under one run id differ: which parts of flow or input, with JSON pointers.
/// Of what either flow marks secret, and of what holds such, no value is told.
std::string explain_difference(const json& stored_flow, const json& stored_input, const json& flow,
                               const json& input);

}  // namespace pawl
