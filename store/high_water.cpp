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
#include <exception>

namespace pawl {

namespace {

/// The file's bytes: a word of its own, the three numbers, little-endian, and a digest of all that.
using MarkBytes = std::array<unsigned char, 48>;
constexpr char magic[] = "pawlmark";
constexpr char magic_after_failure[] = "pawlfail";  // to an older pawl no mark
constexpr std::size_t digest_at = 32;

// Of SQLite's own kinds of files. A journal gets the main file's mode, which must be there then,
// and not the room that a log gets.
constexpr int to_write = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_JOURNAL;
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

MarkBytes bytes_of(const HighWater& mark, bool sync_failed) {
  MarkBytes bytes{};
  std::memcpy(bytes.data(), sync_failed ? magic_after_failure : magic, 8);
  put(bytes, 8, static_cast<std::uint64_t>(mark.epoch));
  put(bytes, 16, static_cast<std::uint64_t>(mark.seq));
  put(bytes, 24, static_cast<std::uint64_t>(mark.quiet_commits));
  const Digest digest = digest_in(bytes);
  std::copy(digest.bytes.begin(), digest.bytes.end(), bytes.begin() + digest_at);
  return bytes;
}

std::optional<HighWater> mark_from(const MarkBytes& bytes) {
  const Digest digest = digest_in(bytes);
  if ((std::memcmp(bytes.data(), magic, 8) != 0 &&
       std::memcmp(bytes.data(), magic_after_failure, 8) != 0) ||
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

/// The file's bytes; all zeros if there is none, or a shorter one.
MarkBytes read_bytes(const std::string& store_path, const std::string& vfs) {
  const std::string path = mark_path(store_path);
  MarkBytes bytes{};
  if (!SqliteConnection::has_file(path, vfs) ||
      !SideFile(what_it_is, path, vfs, to_read).read(bytes.data(), static_cast<int>(bytes.size())))
    return {};
  return bytes;
}

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

Result<void> await_durability(SqliteConnection& connection, const std::string& path,
                              const std::string& vfs) {
  if (connection.unsynced_log() == nullptr) return {};  // without a log each commit was synced
  const std::optional<HighWater> mark = HighWaterFile::read(path, vfs);
  if (mark && read_high_water(connection).is_within(*mark)) return {};
  connection.sync_the_log();
  // Others have seen that a sync failed, and this one would not.
  if (!HighWaterFile::tells_of_failed_sync(path, vfs)) return {};
  return make_error(Errc::busy,
                    "the store's owner cannot make durable what it has written last; try again "
                    "when it can",
                    path);
}

void mend_log(const std::string& path, const std::string& vfs) {
  const std::string log_path = path + "-wal";
  if (!HighWaterFile::tells_of_failed_sync(path, vfs) || !SqliteConnection::has_file(log_path, vfs))
    return;
  SideFile log("the store's log", log_path, vfs, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL);
  log.write_again();
  log.sync();
}

Error store_is_gone(const std::string& where) {
  return make_error(Errc::rolled_back,
                    "the store's file is not there or empty, but its mark is, " + mark_path(where) +
                        ": put the file back, or remove the mark to begin a new store",
                    where);
}

HighWaterFile::HighWaterFile(const std::string& store_path, const std::string& vfs)
    : file_(what_it_is, mark_path(store_path), vfs, to_write) {}

void HighWaterFile::reach(const HighWater& now) {
  if (reached_ && now.is_within(*reached_) && !says_failed_) return;
  write(now, false);
  reached_ = now;
  says_failed_ = false;
}

void HighWaterFile::note_failed_sync() noexcept {
  says_failed_ = true;
  try {
    write(reached_.value_or(HighWater{}), true);
  } catch (const std::exception&) {  // as after a kill a moment earlier
  }
}

void HighWaterFile::write(const HighWater& mark, bool sync_failed) {
  const MarkBytes bytes = bytes_of(mark, sync_failed);
  file_.write(bytes.data(), static_cast<int>(bytes.size()));
}

std::optional<HighWater> HighWaterFile::read(const std::string& store_path,
                                             const std::string& vfs) {
  return mark_from(read_bytes(store_path, vfs));
}

bool HighWaterFile::tells_of_failed_sync(const std::string& store_path, const std::string& vfs) {
  const MarkBytes bytes = read_bytes(store_path, vfs);
  return mark_from(bytes) && std::memcmp(bytes.data(), magic_after_failure, 8) == 0;
}

}  // namespace pawl
