/// Signal: what somebody outside tells a run, for a step that awaits it.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/json.hpp>
#include <pawl/record.hpp>

#include <string>
#include <utility>
#include <vector>

namespace pawl {

struct Signal {
  std::string name;  ///< which the flow awaits
  json payload;      ///< the output of the step that takes it
  /// Names this signal among all of its run: sent twice, it counts once. Like a run's id.
  std::string id;
};

/// The record that a signal leaves.
///
/// Errors: Errc::invalid_argument (its id), Errc::invalid_json, Errc::too_large (its payload).
Result<Record> signal_record(const Signal& signal);

/// The name in a signal's record; empty if it is not readable.
std::string signal_name(const Record& record);

/// A step that awaits a signal.
struct AwaitedSignal {
  std::string run;  ///< the run itself, or a child's
  std::string step;
  std::string signal;  ///< its name
};

/// The steps that await a signal in a run of the flow, and in its children's runs; of a map over
/// children in those of its first three elements.
std::vector<AwaitedSignal> awaited_signals(const Flow& flow, const std::string& run);

/// Whether a flow awaits a signal of this name.
///
/// Errors: Errc::invalid_argument.
Result<void> check_awaited(const Plan& plan, const std::string& name);

}  // namespace pawl
