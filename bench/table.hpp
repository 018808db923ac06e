/// All workloads, each several times in a process of its own, as a table.
#pragma once

namespace pawl::bench {

/// Prints the machine, a line of JSON for each run as it ends, and a table of medians.
///
/// Given: `rounds`, how often each workload runs, in turns, so that a busy moment shows as such.
/// Returns: the exit status: 0 if all runs succeeded.
int print_table(int rounds);

}  // namespace pawl::bench
