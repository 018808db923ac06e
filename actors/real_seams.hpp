/// The real clock and the real chance.
#pragma once

#include <pawl/clock.hpp>

#include <memory>

namespace pawl {

std::shared_ptr<const Clock> make_system_clock();
std::shared_ptr<RandomSource> make_system_random();

}  // namespace pawl
