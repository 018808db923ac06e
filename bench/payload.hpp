/// Steps with large outputs, beside what the disk writes in a row.
#pragma once

#include <pawl/json.hpp>

namespace pawl::bench {

/// Runs flows of 10 sequential steps, 16 at once, whose outputs are strings of `bytes` bytes, until
/// about 256 MiB of them are durable. `disk_mib_per_s` is what the disk takes when one file is
/// written from its beginning to its end in pieces of 1 MiB, synced every 16 MiB.
json measure_payload(int bytes);

}  // namespace pawl::bench
