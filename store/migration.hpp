/// Brings the tables of an older store to today's format.
#pragma once

#include "store/sqlite_connection.hpp"

namespace pawl {

/// Makes what came to format 1 later, and gives every row its checksum (format 2); of a store of
/// today's format nothing changes.
///
/// What stands in an old file is taken as it is: a checksum keeps what the row says now.
///
/// Given:  `connection`, in a transaction that somebody else commits.
/// Errors: throws what SQLite throws.
void migrate(SqliteConnection& connection);

/// Gives every row the checksum of what it says now.
///
/// Errors: throws what SQLite throws.
void seal_rows(SQLite::Database& db);

}  // namespace pawl
