/// The tables of a store and their versions.
#pragma once

#include <pawl/error.hpp>

#include <SQLiteCpp/Database.h>

namespace pawl {

/// "pawl" in ASCII: SQLite's application_id of every store.
inline constexpr int schema_application_id = 0x7061776c;

/// SQLite's user_version: the format, from 1. Format 2 has a checksum in every row.
inline constexpr int schema_version = 2;

/// Whether the file is a store that this version reads, or brings to its format.
///
/// Errors: Errc::foreign_file, Errc::newer_format; Errc::corrupt for a format that never was.
/// Throws what SQLite throws.
Result<void> check_schema(SQLite::Database& db, const std::string& where);

/// Whether nobody has made anything in the file: it is new, or its making was cut short.
///
/// Errors: throws what SQLite throws.
bool has_no_tables(SQLite::Database& db);

/// Makes the indexes, tables and columns that a file of format 1 lacks.
///
/// Given:  `db`, in a transaction that somebody else commits.
/// Errors: throws what SQLite throws.
void make_what_came_later(SQLite::Database& db);

/// Makes the tables if the file has none, and checks what it is otherwise; all or nothing.
///
/// Errors: as `check_schema`. Throws what SQLite throws.
Result<void> make_schema(SQLite::Database& db, const std::string& where);

}  // namespace pawl
