#include "store/sqlite_connection.hpp"

#include "runtime/mutant.hpp"
#include "store/checked_vfs.hpp"
#include "store/high_water.hpp"
#include "store/page_checksum.hpp"
#include "store/schema.hpp"
#include "store/store_file.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <utility>

namespace pawl {

namespace {

constexpr int busy_timeout_ms = 5000;

/// What an open file holds, looked at before any setting is changed, because journal_mode=WAL
/// already writes to the file. False when it holds nothing yet.
///
/// Errors: as `check_schema`.
Result<bool> holds_a_store(SQLite::Database& db, const std::string& path) {
  const Result<void> checked = check_schema(db, path);
  if (checked) return true;
  if (checked.error().code == Errc::foreign_file && has_no_tables(db)) return false;
  return checked.error();
}

}  // namespace

SqliteConnection::SqliteConnection(const std::string& path, int flags, const std::string& vfs)
    : db_(path, flags | SQLite::OPEN_NOMUTEX, busy_timeout_ms, checked_vfs(vfs)) {
  sqlite3_extended_result_codes(db_.getHandle(), 1);
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open_writer(
    const WriterOptions& options) {
  if (!options.may_be_new && !has_file(options.path, options.vfs))
    return store_is_gone(options.path);
  const int flags = SQLite::OPEN_READWRITE | (options.may_be_new ? SQLite::OPEN_CREATE : 0);
  std::unique_ptr<SqliteConnection> opened(new SqliteConnection(options.path, flags, options.vfs));
  accept_pages(opened->db_.getHandle(), options.accepted);
  const Result<bool> has_tables = holds_a_store(opened->db_, options.path);
  if (!has_tables) return has_tables.error();
  if (!*has_tables && !options.may_be_new) return store_is_gone(options.path);

  if (!*has_tables) {
    int reserved = mutant("pages_unchecked") ? 0 : page_checksum_bytes;
    opened->db_.exec("PRAGMA page_size = " + std::to_string(page_bytes));
    sqlite3_file_control(opened->db_.getHandle(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  }

  struct Pragma {
    std::string name, value, expected;
  };

  const Pragma pragmas[] = {
      {"journal_mode", mutant("journal_delete") ? "DELETE" : "WAL",
       mutant("journal_delete") ? "delete" : "wal"},
      {"synchronous",
       mutant("synchronous_normal") ? "NORMAL"
       : mutant("synchronous_off")  ? "OFF"
                                    : "FULL",
       mutant("synchronous_normal") ? "1"
       : mutant("synchronous_off")  ? "0"
                                    : "2"},
      // What tells a checkpoint's syncs from a commit's: see unsynced_log.
      {"checkpoint_fullfsync", "ON", "1"},
      {"journal_size_limit", "67108864", "67108864"},
      {"cache_size", "-16384", "-16384"},
  };
  for (const Pragma& pragma : pragmas)
    if (Result<void> set = opened->set_pragma(pragma.name, pragma.value, pragma.expected); !set)
      return set.error();
  if (Result<void> set = opened->configure(options); !set) return set.error();
  if (!*has_tables)
    if (Result<void> made = make_schema(opened->db_, options.path); !made) return made.error();
  opened->look_at_format();
  return opened;
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open_reader(
    const std::string& path, const std::string& vfs, std::vector<DamagedPage> accepted) {
  if (vfs.empty())
    if (Result<void> checked = check_no_device(path); !checked) return checked.error();
  std::unique_ptr<SqliteConnection> opened(new SqliteConnection(path, SQLite::OPEN_READONLY, vfs));
  accept_pages(opened->db_.getHandle(), std::move(accepted));
  opened->leave_the_log();
  if (Result<void> checked = check_schema(opened->db_, path); !checked) return checked.error();
  opened->look_at_format();
  return opened;
}

bool SqliteConnection::has_file(const std::string& path, const std::string& vfs) {
  sqlite3_vfs* const files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  if (files == nullptr) throw SQLite::Exception("no such VFS: " + vfs, SQLITE_ERROR);
  int is_there = 0;
  const int code = files->xAccess(files, path.c_str(), SQLITE_ACCESS_EXISTS, &is_there);
  if (code != SQLITE_OK) throw SQLite::Exception("nobody can say whether it is there", code);
  return is_there != 0;
}

/// Settings that have a function of their own: no text to parse, and none to get wrong.
Result<void> SqliteConnection::configure(const WriterOptions& options) {
  checkpoint_pages_ = options.checkpoint_pages;
  sqlite3_wal_hook(
      db_.getHandle(),
      [](void* connection, sqlite3*, const char*, int pages) {
        static_cast<SqliteConnection*>(connection)->on_commit(pages);
        return SQLITE_OK;
      },
      this);
  int trusted = -1;
  if (sqlite3_db_config(db_.getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &trusted) ==
          SQLITE_OK &&
      trusted == 0)
    return {};
  return make_error(Errc::io, "SQLite does not take its settings", db_.getFilename());
}

/// Does what SQLite's wal_autocheckpoint does, which is a hook as well, and notes how it went. An
/// error here is none of the commit's.
void SqliteConnection::on_commit(int pages) {
  constexpr std::int64_t frame_header_bytes = 24;
  const std::int64_t bytes = pages * (page_bytes + frame_header_bytes);
  log_.held = to_begin_anew_ && bytes > log_.bytes;
  log_.bytes = bytes;
  to_begin_anew_ = checkpoint_pages_ > 0 && pages >= checkpoint_pages_;
  if (!to_begin_anew_) {
    log_.failure.clear();
    return;
  }
  const int code = sqlite3_wal_checkpoint_v2(db_.getHandle(), "main", SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  log_.failure = code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY ? "" : sqlite3_errstr(code);
}

Result<void> SqliteConnection::set_pragma(const std::string& name, const std::string& value,
                                          const std::string& expected) {
  // SQLite takes a value that it does not know for another one, in silence: every setting is read
  // back. What a PRAGMA answers is no proof: it says "wal" before the change to it has failed.
  db_.exec("PRAGMA " + name + " = " + value);
  const std::string actual = db_.execAndGet("PRAGMA " + name).getString();
  if (actual == expected) return {};
  // A text for which there is no memory is an empty one.
  if (sqlite3_errcode(db_.getHandle()) == SQLITE_NOMEM)
    throw SQLite::Exception(db_.getHandle(), SQLITE_NOMEM);
  return make_error(Errc::io,
                    "SQLite's " + name + " is " + actual + " instead of " + expected +
                        "; the file system may not support it",
                    db_.getFilename());
}

SQLite::Statement& SqliteConnection::statement(const char* sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end())
    found = statements_
                .emplace(std::piecewise_construct, std::forward_as_tuple(sql),
                         std::forward_as_tuple(db_, sql))
                .first;
  found->second.tryReset();
  found->second.clearBindings();
  return found->second;
}

void SqliteConnection::look_at_format() {
  checks_rows_ = db_.execAndGet("PRAGMA user_version").getInt() >= 2;
}

bool SqliteConnection::has_progress() {
  if (!has_progress_) has_progress_ = db_.tableExists("progress");
  return has_progress_;
}

Result<void> SqliteConnection::empty_the_log() {
  const int code = sqlite3_wal_checkpoint_v2(db_.getHandle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                             nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  if (code != SQLITE_BUSY) throw SQLite::Exception(db_.getHandle(), code);
  return make_error(Errc::busy, "somebody who reads the store keeps its log from being emptied",
                    db_.getFilename());
}

void SqliteConnection::sync_the_log() {
  const int code = sync_log(db_.getHandle());
  if (code != SQLITE_OK)
    throw SQLite::Exception(std::string("the log cannot be synced: ") + sqlite3_errstr(code), code);
}

void SqliteConnection::leave_the_log() {
  sqlite3_db_config(db_.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void SqliteConnection::roll_back() noexcept {
  for (auto& [sql, statement] : statements_) statement.tryReset();
  if (sqlite3_get_autocommit(db_.getHandle()) == 0)
    sqlite3_exec(db_.getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace pawl
