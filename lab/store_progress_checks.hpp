/// What a store must do with what steps report while they run.
#pragma once

#include "lab/store_bench.hpp"

namespace pawl::lab {

void check_progress(Bench& bench);
void check_late_progress(Bench& bench);
void check_told_progress(Bench& bench);
void check_pruned_progress(Bench& bench);

}  // namespace pawl::lab
