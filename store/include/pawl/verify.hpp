/// Verification: whether a store file holds what pawl promises, as far as a file can show it.
#pragma once

#include <pawl/error.hpp>
#include <pawl/store.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pawl {

/// Something that no pawl writes.
struct Finding {
  std::string code;     ///< a stable word for programs
  std::string run;      ///< the run's id; empty if no run is concerned
  std::string message;  ///< what is wrong
  std::string remedy;   ///< what a person can do
};

struct Verification {
  std::int64_t runs = 0;
  std::int64_t records = 0;
  std::vector<Finding> findings;
};

/// Reads all of a store, while an owner works on it or not:
///
/// - SQLite's own check of the file, and that every row belongs to something
/// - every flow, input and output is what its digest says
/// - every run's records follow from each other (one output per step, never before the outputs that
/// it needs; attempts
///   without gaps; nothing after the end), and lead to the end that is noted
/// - what steps reported is readable, and of attempts that there were
/// - the log is in order: sequence, commits, epochs and times
///
/// Given:  `vfs`, the name of a registered SQLite VFS; the system's if empty. For simulated disks.
///         `visit`, called with every run that can be read, in the order of their starts.
/// Errors: of `open_sqlite_reader`; Errc::io, Errc::corrupt when the file cannot be read far
/// enough.
Result<Verification> verify_sqlite_store(const std::string& path, const std::string& vfs = {},
                                         const std::function<void(StoredRun)>& visit = {});

}  // namespace pawl
