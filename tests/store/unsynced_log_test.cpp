// What is gathered for a log, and kept until it is durable, on a file that a test looks into.
#include "store/unsynced_log.hpp"

#include "support/catch.hpp"
#include "support/test_file.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl::unsynced_log_test {

namespace {

struct Log {
  Log() { file.bytes_told = 1 << 20; }  // no room is to be made

  int put(const std::string& text, std::int64_t at) {
    return log->put(&file.base, text.data(), static_cast<int>(text.size()), at);
  }

  int complete() { return log->complete(&file.base); }

  /// Writes these to their places, and completes that.
  void commit(const std::vector<std::pair<std::string, std::int64_t>>& writes) {
    const UnsyncedLog::Keeping keeping(*log);
    for (const auto& [text, at] : writes) REQUIRE(put(text, at) == SQLITE_OK);
    REQUIRE(complete() == SQLITE_OK);
  }

  int sync_it() { return log->sync(&file.base, SQLITE_SYNC_FULL); }

  TestFile file;
  std::unique_ptr<UnsyncedLog> log = UnsyncedLog::make();
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("unsynced log: what is written in a row goes to the file as one, when all is complete",
          "[store]") {
  Log log;
  const UnsyncedLog::Keeping keeping(*log.log);
  CHECK(log.put("ab", 0) == SQLITE_OK);
  CHECK(log.put("cd", 2) == SQLITE_OK);
  CHECK(log.put("xy", 8) == SQLITE_OK);
  CHECK(log.file.states.empty());
  CHECK(log.complete() == SQLITE_OK);
  CHECK(log.file.states == Strings{"abcd", "abcd....xy"});
  CHECK(log.put("z", 10) == SQLITE_OK);  // what fills a sector
  CHECK(log.file.bytes == "abcd....xyz");
}

TEST_CASE("unsynced log: there is room behind what is written, now or when all is complete",
          "[store]") {
  Log log;
  log.file.bytes_told = 0;
  const std::string first(70'000, 'a');
  CHECK(log.put(first, 0) == SQLITE_OK);
  CHECK(log.file.bytes == first + std::string(70'000, '\0'));
  {
    const UnsyncedLog::Keeping keeping(*log.log);
    CHECK(log.put("x", 140'000) == SQLITE_OK);
    CHECK(log.put("y", 140'001) == SQLITE_OK);
    CHECK(log.file.bytes.size() == 140'000);
    CHECK(log.complete() == SQLITE_OK);
  }
  CHECK(log.file.bytes.size() == 280'004);
  CHECK(log.file.bytes.substr(140'000, 3) == std::string("xy\0", 3));
}

TEST_CASE("unsynced log: on a full disk the log has what place there is, and then the room",
          "[store]") {
  Log log;
  log.file.bytes_told = 0;
  log.file.bytes_max = 100'000;
  const std::string batch(90'000, 'x');
  log.commit({{batch, 0}});
  CHECK(log.file.bytes == batch + std::string(10'000, '\0'));
  log.commit({{"yy", 90'000}});
  CHECK(log.file.bytes == batch + "yy" + std::string(9'998, '\0'));
}

TEST_CASE("unsynced log: a page that is written again keeps room and order", "[store]") {
  Log log;
  log.file.bytes_told = 0;
  log.commit({{std::string(50'000, 'a'), 0}, {std::string(50'000, 'b'), 50'000}, {"CC", 5}});
  CHECK(log.file.bytes.size() == 200'000);
  CHECK(log.file.bytes.substr(0, 10) == "aaaaaCCaaa");
  CHECK(log.file.bytes.substr(99'998, 4) == std::string("bb\0\0", 4));
  log.file.sync_code = SQLITE_IOERR_FSYNC;
  CHECK(log.sync_it() == SQLITE_IOERR_FSYNC);
  const std::string before = log.file.bytes;
  log.file.sync_code = SQLITE_OK;
  CHECK(log.sync_it() == SQLITE_OK);
  CHECK(log.file.bytes == before);
}

TEST_CASE("unsynced log: a log that was cut gets room again", "[store]") {
  Log log;
  log.file.bytes_told = 0;
  log.commit({{std::string(100'000, 'x'), 0}});
  log.file.bytes.resize(80'000);
  log.log->note_cut();
  log.commit({{"yy", 80'000}});
  CHECK(log.file.bytes.size() == 160'004);
}

TEST_CASE("unsynced log: what is read is written before, and nothing else", "[store]") {
  Log log;
  const UnsyncedLog::Keeping keeping(*log.log);
  CHECK(log.put("cd", 2) == SQLITE_OK);
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
    CHECK(log.put("ab", 0) == SQLITE_OK);
  }
  CHECK(log.sync_it() == SQLITE_OK);
  CHECK(log.file.states.empty());
  {
    const UnsyncedLog::Keeping keeping(*log.log);
    CHECK(log.put("cd", 0) == SQLITE_OK);
    CHECK(log.put("xy", 4) == SQLITE_OK);
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
