#include <pawl/repair.hpp>
#include <pawl/sqlite_store.hpp>

#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"

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

Result<void> make_indexes_anew(const std::string& path, std::vector<std::string>& done) {
  return guarded(path, [&]() -> Result<void> {
    auto connection = SqliteConnection::open_writer({path, {}, 4000, false});
    if (!connection) return connection.error();
    const std::string before = check_pages((*connection)->db());
    if (before.empty()) return {};
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
  if (Result<void> made = make_indexes_anew(*path, repair.done); !made) return made.error();
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
