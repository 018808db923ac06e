/// SqliteConnection: one open file, its settings checked, its prepared statements kept.
#pragma once

#include <pawl/error.hpp>
#include <pawl/store.hpp>

#include "store/checked_vfs.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pawl {

/// Throws what SQLite throws, except where it gives a Result.
///
/// Source: https://sqlite.org/c3ref/open.html (NOMUTEX: one thread at a time)
class SqliteConnection {
 public:
  struct WriterOptions {
    std::string path;  ///< canonical
    std::string vfs;
    int checkpoint_pages;
    bool may_be_new = true;  ///< whether a file without tables gets them; else it is `rolled_back`
    std::vector<DamagedPage> accepted = {};  ///< see `accept_pages`
  };

  /// Opens the file for writing, makes or migrates its tables, and sets WAL and synchronous=FULL. A
  /// foreign file is left untouched.
  static Result<std::unique_ptr<SqliteConnection>> open_writer(const WriterOptions& options);

  /// Opens an existing store to read it, without ever checkpointing.
  static Result<std::unique_ptr<SqliteConnection>> open_reader(
      const std::string& path, const std::string& vfs, std::vector<DamagedPage> accepted = {});

  /// Whether a VFS has a file of that name, and not an empty one.
  ///
  /// Given: `vfs`, its name; the system's if empty.
  static bool has_file(const std::string& path, const std::string& vfs);

  SQLite::Database& db() { return db_; }

  /// The statement `sql`, prepared at its first use, reset and without bindings.
  ///
  /// Given: `sql`, a string literal: its address is the statement's name.
  SQLite::Statement& statement(const char* sql);

  /// Whether every row has a checksum: of a file of format 1, which a reader may meet, none has.
  bool checks_rows() const { return checks_rows_; }

  /// Reads the file's format anew.
  void look_at_format();

  /// Whether the file has the table `progress`. One of an older pawl gets it when it is next opened
  /// to be written; a reader may come first.
  bool has_progress();

  /// The log as of the last commit.
  const StoreLog& log() const { return log_; }

  /// Moves the log into the main file, and syncs that.
  ///
  /// Errors: Errc::busy when a reader is in the way.
  Result<void> empty_the_log();

  /// Waits for the disk to have the log.
  void sync_the_log();

  /// What was written to the log without that; null if there is none.
  UnsyncedLog* unsynced_log() { return pawl::unsynced_log(db_.getHandle()); }

  /// Leaves the log as it is when the connection is closed; the last one would move it into the
  /// main file.
  void leave_the_log();

  /// Rolls an open transaction back, if there is one.
  void roll_back() noexcept;

 private:
  SqliteConnection(const std::string& path, int flags, const std::string& vfs);

  // SQLite keeps its address.
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  Result<void> configure(const WriterOptions& options);
  Result<void> set_pragma(const std::string& name, const std::string& value,
                          const std::string& expected);
  void on_commit(int pages);

  SQLite::Database db_;
  bool checks_rows_ = false;
  bool has_progress_ = false;
  int checkpoint_pages_ = 0;
  bool to_begin_anew_ = false;  // the log was moved into the main file, as far as readers let it
  StoreLog log_;
  std::map<const char*, SQLite::Statement> statements_;
};

/// Resets a statement when it goes out of scope: an unreset one keeps its transaction open.
class StatementUse {
 public:
  explicit StatementUse(SQLite::Statement& statement) : statement_(statement) {}

  ~StatementUse() { statement_.tryReset(); }

  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;

  SQLite::Statement* operator->() { return &statement_; }

  SQLite::Statement& operator*() { return statement_; }

 private:
  SQLite::Statement& statement_;
};

}  // namespace pawl
