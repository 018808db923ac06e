/// What a store's prunes must keep and must not.
#pragma once

#include "lab/store_bench.hpp"

namespace pawl::lab {

void check_prune(Bench& bench);
void check_prune_in_portions(Bench& bench);
void check_prune_goes_on(Bench& bench);
void check_pruned_ids(Bench& bench);
void check_numbers_after_prune(Bench& bench);
void check_pruned_children(Bench& bench);

}  // namespace pawl::lab
