/// A fork: a new run that shares what another run has done up to a step, and goes on from there by
/// itself.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/json.hpp>
#include <pawl/labels.hpp>
#include <pawl/record.hpp>
#include <pawl/run_fixture.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pawl {

struct ForkOptions {
  /// Outputs that steps have in the fork without being run, by step: what if they had answered
  /// that? Whatever depends on them runs again.
  std::map<std::string, json> set = {};

  /// Another version of the flow. What is shared must fit it (see `diff_run`); without one the fork
  /// has the run's own.
  std::optional<Flow> flow = std::nullopt;

  Labels labels = {};  ///< the fork's own: it takes none from the run
};

/// A fork as it is written.
struct RunFork {
  Flow flow;
  json input;                  ///< the run's, merged over the flow's defaults
  std::string folder;          ///< the run's
  std::string body;            ///< of its `started` record: what it was forked from, its labels
  std::vector<Record> shared;  ///< what follows that record: of attempt 0, for no attempt was made
  /// Receipts that end, as `interrupted`, the attempts that are open then: for whoever writes the
  /// fork and performs nothing, so that nobody takes them for lost.
  std::vector<Record> interrupted;

  std::vector<std::string> steps_shared;
  std::vector<std::string> steps_again;   ///< of those that run again, those that had begun before
  std::vector<std::string> steps_undone;  ///< of those: what the run did was or is being undone
};

/// Says what a fork of a run begins with. It shares the outputs of all steps that have one and
/// depend neither on `step`, nor on one whose output is set, nor on one that was undone; with the
/// signals that they took, and with what their decisions exclude. `step` itself runs again, unless
/// its output is set. Of a child its output is shared, and not its run.
///
/// Given:  `id`, the fork's own: attempts have idempotency keys of that run, so effects of steps
///         that run again happen again.
/// Errors: Errc::invalid_argument: no such step, or one that is excluded; an output for a step that
///         waits for one that runs again, for a part of a step, or for a map whose elements have
///         not all ended; a step that may run at most once, of which nobody knows whether it did,
///         and that would run again (unless it is `step`); a new flow that what is shared does not
///         fit; an id or a label that is none. Errc::invalid_input: the new flow needs input that
///         the run has not. Errc::too_large, Errc::corrupt.
Result<RunFork> fork_run(const RunFixture& run, const std::string& step, const std::string& id,
                         const ForkOptions& options = {});

}  // namespace pawl
