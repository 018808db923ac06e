/// RunDiff: whether what a run has done fits another flow, and where it does not.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/json.hpp>
#include <pawl/run_fixture.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace pawl {

/// What was found about a step of the run, or with an empty name about the run.
struct DiffFinding {
  enum class Kind {
    record_refused,       ///< the first record that cannot follow with the new flow
    step_gone,            ///< the new flow has no such step
    step_new,             ///< the run's flow has no such step
    type_differs,         ///< other code or another flow performs it, or it is no task any more
    parameters_differ,    ///< an attempt would have had other parameters
    value_differs,        ///< the engine would have computed another output
    input_missing,        ///< the new flow needs what the run's input has not
    dependencies_differ,  ///< it waits for other steps
    step_changed,         ///< something else about it, such as `retry`
    signal_unawaited,     ///< no step of the new flow awaits a signal that came
    end_differs,          ///< the run would not have ended so, or not yet
  };

  std::string step;
  Kind kind = Kind::step_changed;
  bool breaks = false;  ///< whether the run does not fit for it; else it is only worth knowing
  std::string message;
};

/// Gives the enumerator's own spelling.
std::string_view to_string(DiffFinding::Kind kind);

struct RunDiff {
  std::vector<DiffFinding> findings;  ///< those that break first, then by the new flow's order

  /// The records can be replayed with the new flow, and what was recorded follows from the same:
  /// each attempt had the parameters that the new flow would have given it, and each computed value
  /// would be the same.
  bool fits() const;
};

/// Replays a run's records, whether it has ended or not, with another flow.
///
/// Given:  the run's input is merged over the new flow's defaults. Values never appear in messages,
///         for they may be secret.
/// Errors: Errc::corrupt when the records do not even follow with the run's own flow.
Result<RunDiff> diff_run(const RunFixture& run, const Flow& flow);

/// `{"fits","findings":[{"step","kind","breaks","message"}]}`.
json to_json_value(const RunDiff& diff);

}  // namespace pawl
