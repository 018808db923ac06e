/// Repair of a store, as far as nothing has to be guessed.
#pragma once

#include <pawl/error.hpp>
#include <pawl/verify.hpp>

#include <string>
#include <vector>

namespace pawl {

struct RepairOptions {
  /// Takes a store that has less than it once acknowledged as it is. See
  /// `SqliteStoreOptions::accepts_loss`.
  bool accepts_loss = false;
};

struct Repair {
  std::vector<std::string> done;  ///< what was repaired, in words
  Verification left;              ///< what was found afterwards
};

/// Repairs a store that no engine works on: pages of which a bit has flipped are written back,
/// indexes are made anew from the rows when SQLite's own check finds something, and a loss is
/// accepted if that is wished. A row that is damaged stays as it is: what it said nobody knows.
/// Make a backup first.
///
/// Errors: Errc::rolled_back if a loss is not accepted, Errc::in_use, and those of
///         `open_sqlite_store`.
Result<Repair> repair_sqlite_store(const std::string& store, const RepairOptions& options);

}  // namespace pawl
