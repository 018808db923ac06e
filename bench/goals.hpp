/// What pawl is to reach, and what it reaches here.
#pragma once

namespace pawl::bench {

/// Runs what the goals are about, and prints the machine, a line of JSON for each run as it ends,
/// and a table: each goal with the figures of all rounds, and whether their median reaches it.
///
/// Given: `rounds`, in turns; `flat_steps` and `parked_runs`, the sizes of the two large stores.
/// Returns: the exit status: 0 if all runs succeeded, whatever they reached.
int print_goals(int rounds, int flat_steps, int parked_runs);

}  // namespace pawl::bench
