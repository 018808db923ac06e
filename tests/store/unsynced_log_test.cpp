// What is gathered for a log, and kept until it is durable, on a file that a test looks into.
#include "store/unsynced_log.hpp"

#include "support/catch.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace pawl::unsynced_log_test {

namespace {

struct File {
  sqlite3_file base{};  // first: SQLite's methods get only this
  std::string bytes;
  std::vector<std::string> states;  ///< after each write
  int writes_to_fail_from = 1'000;  ///< the n-th write and all after it fail
  int sync_code = SQLITE_OK;
  std::function<void()> on_sync;
};

File& file_of(sqlite3_file* file) {
  return *reinterpret_cast<File*>(file);
}

int write(sqlite3_file* to, const void* from, int size, sqlite3_int64 at) {
  File& file = file_of(to);
  if (static_cast<int>(file.states.size()) + 1 >= file.writes_to_fail_from) return SQLITE_FULL;
  const auto begin = static_cast<std::size_t>(at);
  const auto count = static_cast<std::size_t>(size);
  if (file.bytes.size() < begin + count) file.bytes.resize(begin + count, '.');
  file.bytes.replace(begin, count, static_cast<const char*>(from), count);
  file.states.push_back(file.bytes);
  return SQLITE_OK;
}

int sync(sqlite3_file* of, int) {
  File& file = file_of(of);
  if (file.on_sync) file.on_sync();
  return file.sync_code;
}

struct Log {
  Log() {
    methods.xWrite = write;
    methods.xSync = sync;
    file.base.pMethods = &methods;
  }

  int keep(const std::string& text, std::int64_t at) {
    return log->keep(&file.base, text.data(), static_cast<int>(text.size()), at);
  }

  int complete() { return log->complete(&file.base); }

  /// Writes these to their places, and completes that.
  void commit(const std::vector<std::pair<std::string, std::int64_t>>& writes) {
    const UnsyncedLog::Keeping keeping(*log);
    for (const auto& [text, at] : writes) REQUIRE(keep(text, at) == SQLITE_OK);
    REQUIRE(complete() == SQLITE_OK);
  }

  int sync_it() { return log->sync(&file.base, SQLITE_SYNC_FULL); }

  sqlite3_io_methods methods{};
  File file;
  std::unique_ptr<UnsyncedLog> log = UnsyncedLog::make();
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("unsynced log: what is written in a row goes to the file as one, when all is complete",
          "[store]") {
  Log log;
  const UnsyncedLog::Keeping keeping(*log.log);
  CHECK(log.keep("ab", 0) == SQLITE_OK);
  CHECK(log.keep("cd", 2) == SQLITE_OK);
  CHECK(log.keep("xy", 8) == SQLITE_OK);
  CHECK(log.file.states.empty());
  CHECK(log.complete() == SQLITE_OK);
  CHECK(log.file.states == Strings{"abcd", "abcd....xy"});
  CHECK(log.keep("z", 10) == SQLITE_OK);  // what fills a sector
  CHECK(log.file.bytes == "abcd....xyz");
}

TEST_CASE("unsynced log: what is read is written before, and nothing else", "[store]") {
  Log log;
  const UnsyncedLog::Keeping keeping(*log.log);
  CHECK(log.keep("cd", 2) == SQLITE_OK);
  CHECK(log.log->write_if_within(&log.file.base, 0, 2) == SQLITE_OK);
  CHECK(log.log->write_if_within(&log.file.base, 4, 2) == SQLITE_OK);
  CHECK(log.file.states.empty());
  CHECK(log.log->write_if_within(&log.file.base, 3, 1) == SQLITE_OK);
  CHECK(log.file.bytes == "..cd");
}

TEST_CASE("unsynced log: what was not complete never reaches the file", "[store]") {
  Log log;
  {
    const UnsyncedLog::Keeping keeping(*log.log);
    CHECK(log.keep("ab", 0) == SQLITE_OK);
  }
  CHECK(log.sync_it() == SQLITE_OK);
  CHECK(log.file.states.empty());
  {
    const UnsyncedLog::Keeping keeping(*log.log);
    CHECK(log.keep("cd", 0) == SQLITE_OK);
    CHECK(log.keep("xy", 4) == SQLITE_OK);
    log.file.writes_to_fail_from = 2;
    CHECK(log.complete() == SQLITE_FULL);
  }
  log.file.writes_to_fail_from = 1'000;
  CHECK(log.sync_it() == SQLITE_OK);
  CHECK(log.file.states == Strings{"cd"});
}

TEST_CASE("unsynced log: after a failed sync nobody sees what was there before the last bytes",
          "[store]") {
  Log log;
  log.commit({{"aaaa", 0}, {"bbbb", 4}, {"CC", 2}, {"DD", 5}});
  const std::string last = "aaCCbDDb";
  CHECK(log.file.bytes == last);
  log.file.sync_code = SQLITE_IOERR_FSYNC;
  CHECK(log.sync_it() == SQLITE_IOERR_FSYNC);
  CHECK(log.log->has_failed());
  log.file.sync_code = SQLITE_OK;
  log.file.states.clear();
  log.file.writes_to_fail_from = 2;
  CHECK(log.sync_it() == SQLITE_FULL);
  log.file.writes_to_fail_from = 1'000;
  CHECK(log.sync_it() == SQLITE_OK);
  CHECK(log.file.states.size() > 1);
  for (const std::string& state : log.file.states) CHECK(state == last);
  CHECK_FALSE(log.log->has_failed());
  log.file.states.clear();
  *log.log->failure() = true;
  CHECK(log.sync_it() == SQLITE_OK);
  CHECK(log.file.states.empty());  // it is durable, and kept no more
}

TEST_CASE("unsynced log: a sync that fails elsewhere while this one goes on is not forgotten",
          "[store]") {
  Log log;
  log.commit({{"ab", 0}});
  log.file.on_sync = [&] { *log.log->failure() = true; };
  CHECK(log.sync_it() == SQLITE_IOERR_FSYNC);
  CHECK(log.log->has_failed());
  log.file.on_sync = nullptr;
  log.file.states.clear();
  CHECK(log.sync_it() == SQLITE_OK);
  CHECK(log.file.states == Strings{"ab"});
}

}  // namespace pawl::unsynced_log_test
