/// Coverage: which points an exploration could have reached, and did not.
#pragma once

#include <pawl/lab.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pawl::lab {

/// Every point that the exploration could have reached, at every step that has it, and never did.
///
/// Given: `reached`, by `point` and `point step`; `runs`, the stored ones of the undisturbed
/// course.
std::vector<std::string> points_missed(const Scenario& scenario, const Options& options,
                                       const std::map<std::string, std::int64_t>& reached,
                                       const std::vector<StoredRun>& runs);

}  // namespace pawl::lab
