/// Which damaged pages may be read as they are.
#pragma once

#include "store/checked_vfs.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pawl {

/// Reads all of a store, and gives its damaged pages if only rows are damaged in them: those are
/// told of by their own checksums, each by its run's name, and the other runs go on. Nothing if
/// more may be wrong: if SQLite's own structure is, an index, or a row that has no checksum; or if
/// rows may be hidden, by what the indexes know. Pages without a checksum, which another program
/// has written, are among them if SQLite's whole check, of rows against indexes too, finds nothing.
///
/// Given:  `vfs`, as `SqliteStoreOptions::vfs`.
std::optional<std::vector<DamagedPage>> pages_of_damaged_rows(const std::string& path,
                                                              const std::string& vfs);

/// Tables beside the indexes that know of all their rows.
struct RowCounts {
  bool some_are_lost = false;    ///< an index knows of more rows than there are
  bool some_are_hidden = false;  ///< or of fewer
};

/// Errors: throws what SQLite throws.
RowCounts count_rows(SQLite::Database& db);

/// The numbers of those that have no checksum.
std::vector<std::int64_t> unsealed_pages(const std::vector<DamagedPage>& pages);

/// Whether pages among those that a connection has read could not be believed.
bool has_damaged_pages(const std::vector<DamagedPage>& pages);

}  // namespace pawl
