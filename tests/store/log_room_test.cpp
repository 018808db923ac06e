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

TEST_CASE("log room: a log is made as long again as it is, by 16 KiB at least and 512 at most",
          "[store]") {
  Log log;
  CHECK(log.write(0, 32) == 16 * kib);
  CHECK(log.write(32, 16 * kib + 33) == 16 * kib + 33);
  CHECK(log.write(40 * kib, 400 * kib) == 400 * kib);
  CHECK(log.write(800 * kib, 9'000 * kib) == 512 * kib);
  CHECK(log.file.bytes.substr(9'000 * kib) == std::string(512 * kib, '\0'));
}

TEST_CASE("log room: a log that is long enough is left alone", "[store]") {
  Log log;
  log.write(0, 32);
  const std::size_t writes = log.file.states.size();
  for (std::int64_t end = 33; end <= log.bytes(); end += 100)
    log.room.make(&log.file.base, 32, end);
  CHECK(log.file.states.size() == writes);
}

TEST_CASE("log room: nothing is written over what another connection has", "[store]") {
  Log log;
  log.write(0, 32);
  log.file.bytes = std::string(100'000, 'o');
  CHECK(log.write(40'000, 50'000) == 50'000);
  CHECK(log.file.bytes.substr(50'000) == std::string(50'000, 'o'));
  CHECK(log.write(99'000, 100'100) == 100'100);
  CHECK(log.file.bytes.substr(50'000, 49'000) == std::string(49'000, 'o'));
}

TEST_CASE("log room: a log that was cut, or may have been, gets room again", "[store]") {
  Log log;
  log.write(0, 1'000'000);
  log.file.bytes.clear();
  CHECK(log.write(0, 32) == 16 * kib);
  log.file.bytes.resize(500);
  log.room.forget();
  CHECK(log.write(500, 600) == 16 * kib);
}

TEST_CASE("log room: where none can be made there is none, and it is tried again", "[store]") {
  Log log;
  log.file.writes_to_fail_from = 2;
  CHECK(log.write(0, 32) == 0);
  log.file.writes_to_fail_from = 1'000;
  CHECK(log.write(32, 56) == 16 * kib);
}

}  // namespace pawl::log_room_test
