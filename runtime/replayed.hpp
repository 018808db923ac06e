// A run's machine after its records.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/record.hpp>
#include <pawl/run_fixture.hpp>

#include "runtime/flow_machine.hpp"

#include <string>
#include <vector>

namespace pawl {

/// The machine of `run` as its records leave it.
///
/// Given:  `input` with the flow's defaults merged in; `records` in their order.
/// Errors: Errc::corrupt, where: the run, for a record that cannot follow those before it.
Result<FlowMachine> replayed(const Flow& flow, const std::string& run, const json& input,
                             const std::vector<Record>& records);
Result<FlowMachine> replayed(const RunFixture& run);

}  // namespace pawl
