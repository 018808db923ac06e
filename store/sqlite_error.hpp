/// SQLite's errors as pawl's: the one table, and the one catch.
#pragma once

#include <pawl/error.hpp>

#include <SQLiteCpp/Exception.h>

#include <new>
#include <string>

namespace pawl {

/// Source: https://sqlite.org/rescode.html
Error error_from_sqlite(const SQLite::Exception& exception, const std::string& where);

/// Runs `work`, which gives a Result, and turns what it throws into that Result's error.
template <class Work>
auto guarded(const std::string& where, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const SQLite::Exception& exception) {
    return error_from_sqlite(exception, where);
  } catch (const std::bad_alloc&) {
    return make_error(Errc::io, "out of memory", where);
  }
}

}  // namespace pawl
