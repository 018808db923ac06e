#include <pawl/repair.hpp>
#include <pawl/sqlite_store.hpp>

#include "store/checked_vfs.hpp"
#include "store/page_damage.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <memory>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

/// What SQLite's own check says first; empty if all is well.
std::string check_pages(SQLite::Database& db) {
  const std::string line = db.execAndGet("PRAGMA integrity_check(1)").getString();
  return line == "ok" ? "" : line;
}

/// Writes pages of which a bit has flipped back as they were. `check_pages` has read them all.
///
/// Gives: whether others with rows in them are damaged beyond that. Verify tells of them.
bool write_pages_back(SqliteConnection& connection, std::vector<std::string>& done) {
  sqlite3* const db = connection.db().getHandle();
  bool has_damaged_rows = false;
  std::vector<std::int64_t> corrected;
  for (const DamagedPage& damaged : take_damaged_pages(db)) {
    if (damaged.corrected)
      corrected.push_back(damaged.page);
    else
      has_damaged_rows |= !damaged.is_of_index && !damaged.is_unsealed;
  }
  if (corrected.empty()) return has_damaged_rows;
  const int code = rewrite_pages(db, corrected);
  if (code != SQLITE_OK) throw SQLite::Exception(db, code);
  for (const std::int64_t page : corrected)
    done.push_back("a bit of page " + std::to_string(page) + " that had flipped");
  return has_damaged_rows;
}

Result<void> repair_pages(const std::string& path, std::vector<std::string>& done) {
  return guarded(path, [&]() -> Result<void> {
    auto connection = SqliteConnection::open_writer({path, {}, 4000, false});
    if (!connection) return connection.error();
    accept_all_pages((*connection)->db().getHandle());
    if (Result<void> emptied = (*connection)->empty_the_log(); !emptied) return emptied;
    const std::string before = check_pages((*connection)->db());
    const bool has_damaged_rows = write_pages_back(**connection, done);
    // Indexes that know of rows which are lost are the only ones who still do.
    if (before.empty() || has_damaged_rows || count_rows((*connection)->db()).some_are_lost)
      return {};
    (*connection)->db().exec("REINDEX");
    if (check_pages((*connection)->db()).empty())
      done.push_back("the indexes were made anew from the rows: " + before);
    return {};
  });
}

}  // namespace

Result<Repair> repair_sqlite_store(const std::string& store, const RepairOptions& options) {
  const Result<std::string> path = canonical_store_path(store);
  if (!path) return path.error();
  if (::access(path->c_str(), F_OK) != 0)
    return make_error(Errc::io, "there is no such store", *path);
  auto lock = take_file_lock(*path, 0);
  if (!lock) return lock.error();
  Repair repair;
  if (const auto reader = open_sqlite_reader(*path);
      !reader && reader.error().code == Errc::rolled_back) {
    if (!options.accepts_loss) return reader.error();
    repair.done.push_back("a loss was accepted: " + reader.error().message);
  }
  if (Result<void> made = repair_pages(*path, repair.done); !made) return made.error();
  // An owner's opening does the rest: its mark says how far the store has come.
  SqliteStoreOptions opening{*path};
  opening.accepts_loss = options.accepts_loss;
  opening.take_lock = [&](const std::string&) { return std::move(lock); };
  if (const auto opened = open_sqlite_store(opening); !opened) return opened.error();
  Result<Verification> left = verify_sqlite_store(*path);
  if (!left) return left.error();
  repair.left = std::move(*left);
  return repair;
}

}  // namespace pawl
