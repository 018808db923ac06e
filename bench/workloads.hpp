/// The workloads that other durable runtimes are measured with.
///
///     W1      one flow of N sequential steps
///     values  one flow of N values, each made from the one before: the machine performs them
///             itself
///     W2      N flows of STEPS sequential steps, submitted as fast as possible
///     W3      one flow of N parallel steps and a join
///     W4      W2 in a child process, killed by SIGKILL when half of the steps have run, and
///             started again
///
/// A step returns about 100 bytes of JSON and does nothing else; in W4 it appends a line to a file
/// too. Five small flows run first, untimed; the clock starts before the submission and stops when
/// all flows have ended. The files are in the folder $DIR (or the working folder), and removed.
#pragma once

#include <pawl/json.hpp>

#include <string>
#include <vector>

namespace pawl::bench {

/// Runs one of them, and gives what it came to. But for W4, `limit_steps_per_s` is what SQLite
/// alone does with the same rows in the same commits (see limit.hpp), and `flush_us_p50` the disk's
/// own latency; both are measured right afterwards.
///
/// Returns: null for a workload that there is not.
/// Errors: throws std::exception, or says why on stderr and exits with 1.
json run_workload(const std::string& workload, int n, int steps);

/// What the child of W4 does in each of its lives.
int run_life(const std::vector<std::string>& arguments);

}  // namespace pawl::bench
