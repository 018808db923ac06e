/// TestFile: a file of SQLite's that a test looks into, and lets fail.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pawl {

struct TestFile {
  TestFile() {
    methods.xWrite = [](sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
      return of(file).write({static_cast<const char*>(from), static_cast<std::size_t>(size)}, at);
    };
    methods.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
      *size = std::max(static_cast<std::int64_t>(of(file).bytes.size()), of(file).bytes_told);
      return SQLITE_OK;
    };
    methods.xSync = [](sqlite3_file* file, int) {
      if (of(file).on_sync) of(file).on_sync();
      return of(file).sync_code;
    };
    base.pMethods = &methods;
  }

  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  static TestFile& of(sqlite3_file* file) { return *reinterpret_cast<TestFile*>(file); }

  int write(const std::string& text, std::int64_t at) {
    if (static_cast<int>(states.size()) + 1 >= writes_to_fail_from) return SQLITE_FULL;
    const auto begin = static_cast<std::size_t>(at);
    const std::string fits = text.substr(0, begin < bytes_max ? bytes_max - begin : 0);
    if (bytes.size() < begin + fits.size()) bytes.resize(begin + fits.size(), '.');
    bytes.replace(begin, fits.size(), fits);
    states.push_back(bytes);
    return fits == text ? SQLITE_OK : SQLITE_FULL;
  }

  sqlite3_file base{};  // first: SQLite's methods get only this
  sqlite3_io_methods methods{};
  std::string bytes;
  std::size_t bytes_max = 1 << 24;  ///< for no more there is place on the disk
  std::int64_t bytes_told = 0;      ///< it says to be as long as this, if that is longer
  std::vector<std::string> states;  ///< after each write
  int writes_to_fail_from = 1'000;  ///< the n-th write and all after it fail
  int sync_code = SQLITE_OK;
  std::function<void()> on_sync;
};

}  // namespace pawl
