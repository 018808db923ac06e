// Room behind a log's end, in a file that a test looks into. See log_test.cpp for a store's log.
#include "store/log_room.hpp"

#include "support/catch.hpp"
#include "support/test_file.hpp"

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace pawl::log_room_test {

namespace {

constexpr std::int64_t kib = 1024;

struct Log {
  std::int64_t bytes() const { return static_cast<std::int64_t>(file.bytes.size()); }

  /// Writes up to `end`, and gives the room that there is then.
  std::int64_t write(std::int64_t at, std::int64_t end) {
    CHECK(file.write(std::string(static_cast<std::size_t>(end - at), 'x'), at) == SQLITE_OK);
    room.make(&file.base, at, end);
    return bytes() - end;
  }

  TestFile file;
  LogRoom room;
};

}  // namespace

TEST_CASE("log room: a log from 64 KiB on is made as long again as it is, by 512 KiB at most",
          "[store]") {
  Log log;
  CHECK(log.write(0, 32) == 0);
  CHECK(log.write(32, 64 * kib - 1) == 0);
  CHECK(log.write(64 * kib - 1, 64 * kib) == 64 * kib);
  CHECK(log.write(120 * kib, 400 * kib) == 400 * kib);
  CHECK(log.write(800 * kib, 9'000 * kib) == 512 * kib);
  CHECK(log.file.bytes.substr(9'000 * kib) == std::string(512 * kib, '\0'));
}

TEST_CASE("log room: a log that is long enough is left alone", "[store]") {
  Log log;
  log.write(0, 100'000);
  const std::size_t writes = log.file.states.size();
  for (std::int64_t end = 100'001; end <= log.bytes(); end += 100)
    log.room.make(&log.file.base, 100'000, end);
  CHECK(log.file.states.size() == writes);
}

TEST_CASE("log room: nothing is written over what another connection has", "[store]") {
  Log log;
  log.write(0, 32);
  log.file.bytes = std::string(100'000, 'o');
  CHECK(log.write(60'000, 70'000) == 30'000);
  CHECK(log.file.bytes.substr(70'000) == std::string(30'000, 'o'));
  CHECK(log.write(99'000, 100'100) == 100'100);
  CHECK(log.file.bytes.substr(70'000, 29'000) == std::string(29'000, 'o'));
}

TEST_CASE("log room: a log that was cut, or may have been, gets room again", "[store]") {
  Log log;
  log.write(0, 1'000'000);
  log.file.bytes.clear();
  CHECK(log.write(0, 70'000) == 70'000);
  log.file.bytes.resize(80'000);
  log.room.forget();
  CHECK(log.write(80'000, 80'100) == 80'100);
}

TEST_CASE("log room: where none can be made there is none, and it is tried again", "[store]") {
  Log log;
  log.file.writes_to_fail_from = 2;
  CHECK(log.write(0, 70'000) == 0);
  log.file.writes_to_fail_from = 1'000;
  CHECK(log.write(70'000, 70'024) == 70'024);
}

}  // namespace pawl::log_room_test
