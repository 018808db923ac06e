/// SQLite's errors as pawl's: the one table, and the one catch.
#pragma once

#include <pawl/error.hpp>

#include <SQLiteCpp/Exception.h>

#include <cerrno>
#include <new>
#include <string>

namespace pawl {

/// Given:  `system_errno`, the last that the system refused, or 0: SQLite's own codes do not tell a
///         limit of the process, or a read-only file system, from a broken disk.
/// Source: https://sqlite.org/rescode.html
Error error_from_sqlite(const SQLite::Exception& exception, const std::string& where,
                        int system_errno);

/// Notes how a file was opened by SQLite on this thread, while errno still tells why it was not:
/// the next error says so if no descriptors were left.
///
/// Given: `code`, what the VFS answers.
void note_opening(int code) noexcept;

/// Runs `work`, which gives a Result, and turns what it throws into that Result's error.
template <class Work>
auto guarded(const std::string& where, Work&& work) -> decltype(work()) {
  errno = 0;
  try {
    return work();
  } catch (const SQLite::Exception& exception) {
    return error_from_sqlite(exception, where, errno);
  } catch (const std::bad_alloc&) {
    return make_error(Errc::io, "out of memory", where);
  }
}

}  // namespace pawl
