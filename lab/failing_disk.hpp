/// The cases of `Options::faults`: each operation of a life's disk fails, in each way that it can.
#pragma once

#include "lab/case_runner.hpp"

#include <vector>

namespace pawl::lab {

/// The cases whose last lives are to suffer: the course itself, and recoveries after kills that are
/// spread over it.
///
/// Given: `course`, the case without crashes, whose own faults are left out; `baseline`, how its
///        life went.
std::vector<LabCase> cases_to_fail_in(LabCase course, const LifeEnd& baseline,
                                      const Options& options);

/// That life, with each of its operations failing in each way: once, for a while, for ever.
///
/// Given: `operations`, those of the life when nothing fails.
std::vector<Life> failing_lives(const Life& life, const std::vector<Disk::Operation>& operations);

void count_fault(FaultCounts& counts, const CaseEnd& end, const LabCase& lab_case);

/// A case proves something only if the operation failed that was to fail, in that way. The message
/// is empty if it did.
Breach where_it_failed(const CaseEnd& end, const LabCase& lab_case);

}  // namespace pawl::lab
