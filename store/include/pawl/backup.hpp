/// Copies of a store that are whole: made while an owner works, and put back.
#pragma once

#include <pawl/error.hpp>
#include <pawl/verify.hpp>

#include <string>

namespace pawl {

/// Copies a store to a new file, as it is at one moment, while an owner works on it or not; reads
/// all of the copy, and gives it its name only when it is synced and read. The owner's log grows
/// until the copy is made.
///
/// Gives:  what was found in the copy; it is kept whatever was found.
/// Errors: Errc::invalid_argument if there is a file `to`; those of `open_sqlite_reader` and
///         `verify_sqlite_store`; Errc::full, Errc::io. Nothing is left of the copy then.
/// Source: https://sqlite.org/backup.html
Result<Verification> back_up_sqlite_store(const std::string& store, const std::string& to);

/// Puts a copy in the place of a store that no engine works on. What was there before is kept as
/// `STORE.replaced`, with its log and its mark, if there was something.
///
/// What was done since the copy was made is done again, under the same idempotency keys.
///
/// Gives:  what was found in the copy.
/// Errors: Errc::corrupt if something was found in it: nothing is changed then. Errc::in_use;
///         Errc::invalid_argument if there is a file `STORE.replaced`; those of
///         `back_up_sqlite_store`.
Result<Verification> restore_sqlite_store(const std::string& store, const std::string& from);

}  // namespace pawl
