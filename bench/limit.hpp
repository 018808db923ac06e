/// The limit: what a store holds, written once more through SQLite alone.
#pragma once

#include <cstdint>
#include <string>

namespace pawl::bench {

struct Limit {
  double seconds = 0;
  double cpu_seconds = 0;
  std::int64_t commits = 0;
  std::int64_t records = 0;
  std::int64_t outputs = 0;  ///< of steps

  double steps_per_s() const { return static_cast<double>(outputs) / seconds; }

  double cpu_us_per_step() const { return cpu_seconds * 1e6 / static_cast<double>(outputs); }

  double records_per_commit() const {
    return static_cast<double>(records) / static_cast<double>(commits);
  }
};

/// Writes the flows, runs and records of the store `store` to a new file `copy`: by the store's own
/// statements, in the same commits, with the same settings (WAL, synchronous=FULL), in one thread.
/// Nothing is read, decided, checked or computed meanwhile, and pages have no checksums. Afterwards
/// both files hold the same rows, which is checked.
///
/// Errors: throws std::exception.
Limit write_again(const std::string& store, const std::string& copy);

/// The disk's own latency in microseconds: the median time to append 4 KiB to a file in `folder`
/// and to sync them.
double flush_us_p50(const std::string& folder);

}  // namespace pawl::bench
