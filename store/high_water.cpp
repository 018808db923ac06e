#include "store/high_water.hpp"

#include <pawl/digest.hpp>

#include "store/meta.hpp"
#include "store/sqlite_pruner.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace pawl {

namespace {

/// The file's bytes: a word of its own, the three numbers, little-endian, and a digest of all that.
using MarkBytes = std::array<unsigned char, 48>;
constexpr char magic[] = "pawlmark";
constexpr std::size_t digest_at = 32;

// Of SQLite's own kinds of files. A log gets the main file's mode, which must be there then.
constexpr int to_write = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
constexpr int to_read = SQLITE_OPEN_READONLY | SQLITE_OPEN_SUPER_JOURNAL;

void put(MarkBytes& bytes, std::size_t at, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<unsigned char>(value >> (8 * i));
}

std::uint64_t get(const MarkBytes& bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{bytes[at + i]} << (8 * i);
  return value;
}

Digest digest_in(const MarkBytes& bytes) {
  return digest_of({reinterpret_cast<const char*>(bytes.data()), digest_at});
}

MarkBytes bytes_of(const HighWater& mark) {
  MarkBytes bytes{};
  std::memcpy(bytes.data(), magic, 8);
  put(bytes, 8, static_cast<std::uint64_t>(mark.epoch));
  put(bytes, 16, static_cast<std::uint64_t>(mark.seq));
  put(bytes, 24, static_cast<std::uint64_t>(mark.quiet_commits));
  const Digest digest = digest_in(bytes);
  std::copy(digest.bytes.begin(), digest.bytes.end(), bytes.begin() + digest_at);
  return bytes;
}

std::optional<HighWater> mark_from(const MarkBytes& bytes) {
  const Digest digest = digest_in(bytes);
  if (std::memcmp(bytes.data(), magic, 8) != 0 ||
      !std::equal(digest.bytes.begin(), digest.bytes.end(), bytes.begin() + digest_at))
    return std::nullopt;
  return HighWater{static_cast<std::int64_t>(get(bytes, 8)),
                   static_cast<std::int64_t>(get(bytes, 16)),
                   static_cast<std::int64_t>(get(bytes, 24))};
}

std::string mark_path(const std::string& store_path) {
  return store_path + "-mark";
}

const char* const what_to_do =
    "put the newest copy back, or accept the loss with `pawl repair --accept-loss`";

constexpr const char* what_it_is = "the store's mark";

}  // namespace

HighWater read_high_water(SqliteConnection& connection) {
  if (!connection.checks_rows()) return {};
  const std::optional<std::int64_t> epoch = read_meta(connection, "epoch");
  if (!epoch)
    throw SQLite::Exception(
        "the store's number \"epoch\" is not there; restore the store from a backup",
        SQLITE_CORRUPT);
  return {*epoch, read_log_end(connection).seq, read_meta(connection, quiet_commits).value_or(0)};
}

Result<void> check_high_water(const std::optional<HighWater>& mark, const HighWater& store,
                              const std::string& where) {
  if (!mark || mark->is_within(store)) return {};
  const auto come_to = [](const HighWater& at) {
    return "record " + std::to_string(at.seq) + " of epoch " + std::to_string(at.epoch);
  };
  return make_error(Errc::rolled_back,
                    "the store ends at " + come_to(store) + ", but " + come_to(*mark) +
                        " was acknowledged: its log (-wal) was lost or damaged, or an older copy "
                        "was put in its place; " +
                        what_to_do,
                    where);
}

Error store_is_gone(const std::string& where) {
  return make_error(Errc::rolled_back,
                    "the store's file is not there or empty, but its mark is, " + mark_path(where) +
                        ": put the file back, or remove the mark to begin a new store",
                    where);
}

HighWaterFile::HighWaterFile(const std::string& store_path, const std::string& vfs)
    : file_(what_it_is, mark_path(store_path), vfs, to_write) {}

void HighWaterFile::write(const HighWater& mark) {
  const MarkBytes bytes = bytes_of(mark);
  file_.write(bytes.data(), static_cast<int>(bytes.size()));
}

std::optional<HighWater> HighWaterFile::read(const std::string& store_path,
                                             const std::string& vfs) {
  const std::string path = mark_path(store_path);
  if (!SqliteConnection::has_file(path, vfs)) return std::nullopt;
  MarkBytes bytes{};
  if (!SideFile(what_it_is, path, vfs, to_read).read(bytes.data(), static_cast<int>(bytes.size())))
    return std::nullopt;
  return mark_from(bytes);
}

}  // namespace pawl
