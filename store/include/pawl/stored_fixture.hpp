/// A stored run as a fixture.
#pragma once

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

}  // namespace pawl
