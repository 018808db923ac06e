/// Between a store and what rules alone make of a run: the run as a fixture, a fork as a write.
#pragma once

#include <pawl/fork.hpp>
#include <pawl/run_fixture.hpp>
#include <pawl/store.hpp>

#include <string>

namespace pawl {

/// Errors: Errc::corrupt when its flow or input is not readable.
Result<RunFixture> fixture_of(const StoredRun& stored);

/// Reads a run of a store as a fixture.
///
/// Errors: Errc::unknown_run, Errc::corrupt; those of the store.
Result<RunFixture> read_fixture(StoreView& store, const std::string& run);

/// The fork as a write of a store.
///
/// Given: `interrupted`, whether nobody will perform the attempts that it opens.
StartRun fork_start(const RunFork& fork, const std::string& id, bool interrupted);

}  // namespace pawl
