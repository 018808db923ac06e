/// ChildRun: how the run of a child flow is named, and what its end is to its parent.
#pragma once

#include <pawl/ids.hpp>
#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include "runtime/start_facts.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pawl {

struct Plan;

/// The id of the run that stands for a step of `parent`: `PARENT.NAME`, or for an element of a map
/// `PARENT.NAME.2`.
///
/// Given: `step`, as in records.
std::string child_run_id(const std::string& parent, const std::string& step);

/// The runs above a child, its parent first.
///
/// Given: the child's own `parent`.
std::vector<std::string> runs_above(const ParentStep& parent);

/// Whether every child of a run with that id can have an id.
///
/// Errors: Errc::invalid_argument: the id is too long.
Result<void> check_child_ids(const Plan& plan, const std::string& run);

/// What a child's end leaves in its parent: the step's output, or how it failed.
///
/// Given: `child`, the child's id, with its times.
Record conclude_child(const std::string& child, const std::string& step, const Outcome& end,
                      std::int64_t started_ms, std::int64_t now_ms);

}  // namespace pawl
