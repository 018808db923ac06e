/// What stands above and within every table: the machine, and medians.
#pragma once

#include <pawl/json.hpp>

#include <vector>

namespace pawl::bench {

void print_machine(int rounds);

/// The median of a member; 0 counts for those that lack it.
double median(const std::vector<json>& runs, const char* name);

double median(std::vector<double> values);

}  // namespace pawl::bench
