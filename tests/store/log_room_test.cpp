// Room behind a log's end, in a file that a test looks into, and in a store's log.
#include "store/log_room.hpp"

#include "support/catch.hpp"
#include "support/memory_file.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace pawl::log_room_test {

namespace {

constexpr std::int64_t kib = 1024;

std::int64_t bytes(const MemoryFile& file) {
  return static_cast<std::int64_t>(file.bytes.size());
}

}  // namespace

TEST_CASE("log room: a log is made as long again as it is, by 16 KiB at least and 512 at most",
          "[store]") {
  MemoryFile file;
  LogRoom room;
  const auto made_for = [&](std::int64_t end) {
    room.make(&file.base, end - 1, end);
    return bytes(file) - end;
  };
  CHECK(made_for(32) == 16 * kib);
  CHECK(made_for(16 * kib + 33) == 16 * kib + 33);
  CHECK(made_for(400 * kib) == 400 * kib);
  CHECK(made_for(9'000 * kib) == 512 * kib);
}

TEST_CASE("log room: a log that is long enough is left alone", "[store]") {
  MemoryFile file;
  LogRoom room;
  room.make(&file.base, 0, 32);
  const std::size_t writes = file.states.size();
  for (std::int64_t end = 33; end <= bytes(file); end += 100) room.make(&file.base, 32, end);
  CHECK(file.states.size() == writes);
}

TEST_CASE("log room: nothing is written over what another connection has", "[store]") {
  MemoryFile file;
  LogRoom room;
  room.make(&file.base, 0, 32);
  file.bytes = std::string(100'000, 'x');
  const std::string others = file.bytes;
  room.make(&file.base, 40'000, 50'000);
  CHECK(file.bytes == others);
  room.make(&file.base, 99'000, 100'100);
  CHECK(file.bytes.substr(0, others.size()) == others);
  CHECK(bytes(file) == 200'200);
}

TEST_CASE("log room: a log that begins anew may have been cut", "[store]") {
  MemoryFile file;
  LogRoom room;
  room.make(&file.base, 900'000, 1'000'000);
  file.bytes.clear();
  room.make(&file.base, 0, 32);
  CHECK(bytes(file) == 32 + 16 * kib);
}

TEST_CASE("log room: where none can be made there is none, and it is tried again", "[store]") {
  MemoryFile file;
  LogRoom room;
  file.writes_to_fail_from = 1;
  room.make(&file.base, 0, 32);
  CHECK(file.bytes.empty());
  file.writes_to_fail_from = 1'000;
  room.make(&file.base, 32, 56);
  CHECK(bytes(file) == 56 + 16 * kib);
}

}  // namespace pawl::log_room_test
