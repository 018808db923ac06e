/// ReadRun: a run as a store holds it, understood. Nothing of it goes on.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/run_document.hpp>
#include <pawl/store.hpp>

#include <string>

namespace pawl::tools {

struct ReadRun {
  StoredRun stored;
  Flow flow;
  json input;
};

/// Errors: Errc::corrupt.
Result<ReadRun> understand(StoredRun stored);

/// Reads one run.
///
/// Errors: Errc::unknown_run, Errc::corrupt; those of the store.
Result<ReadRun> read_run(StoreView& store, const std::string& run);

/// The same from a store's file, which may have an owner; it is closed at once.
///
/// Errors: those of `open_sqlite_reader` too.
Result<ReadRun> read_run(const std::string& store_path, const std::string& run);

/// Errors: Errc::corrupt.
Result<RunView> view(const ReadRun& run);

}  // namespace pawl::tools
