/// How random courses of events are picked; the rest of the exploration is its public face,
/// lab.hpp.
#pragma once

#include <pawl/lab.hpp>

#include <cstdint>

namespace pawl::lab {

/// The random case of a seed.
///
/// Given: `positions`, about how long an undisturbed course is.
LabCase random_case_for(const Scenario& scenario, std::uint64_t seed, const Options& options,
                        std::int64_t positions);

}  // namespace pawl::lab
