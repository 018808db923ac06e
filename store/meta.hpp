/// The table `meta`: the store's own numbers, by their names.
#pragma once

#include "store/sqlite_connection.hpp"

#include <cstdint>
#include <optional>

namespace pawl {

/// How many transactions wrote, but no record. See HighWater.
constexpr const char* quiet_commits = "quiet_commits";

/// The number `key`; nothing if there is none.
///
/// Given:  a connection that writes: a file of format 1 must have been brought to a later one.
/// Errors: throws what SQLite throws, SQLITE_CORRUPT if the row is not what its checksum says.
std::optional<std::int64_t> read_meta(SqliteConnection& connection, const char* key);

/// Errors: throws what SQLite throws.
void write_meta(SqliteConnection& connection, const char* key, std::int64_t value);

}  // namespace pawl
