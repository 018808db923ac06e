#include "store/page_damage.hpp"

#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Transaction.h>

#include <algorithm>

namespace pawl {

RowCounts count_rows(SQLite::Database& db) {
  struct Known {
    std::string table, index;
  };

  const Known all[] = {{"flows", "sqlite_autoindex_flows_1"},
                       {"runs", "sqlite_autoindex_runs_1"},
                       {"events", "sqlite_autoindex_events_1"},
                       {"children", "children_parent"}};
  RowCounts counts;
  for (const Known& known : all) {
    const auto count = [&](const std::string& how) {
      return db.execAndGet("SELECT count(*) FROM " + known.table + " " + how).getInt64();
    };
    const std::int64_t rows = count("NOT INDEXED WHERE +rowid IS NOT NULL");
    const std::int64_t indexed = count("INDEXED BY " + known.index);
    counts.some_are_lost |= rows < indexed;
    counts.some_are_hidden |= rows > indexed;
  }
  return counts;
}

namespace {

Result<std::vector<DamagedPage>> examine(const std::string& path, const std::string& vfs) {
  const Error refused = make_error(Errc::corrupt, "more than rows is damaged", path);
  auto opened = SqliteConnection::open_reader(path, vfs);
  if (!opened) return opened.error();
  SQLite::Database& db = (*opened)->db();
  sqlite3* const handle = db.getHandle();
  accept_all_pages(handle);
  SQLite::Transaction one_moment(db);
  // What has no checksums of its own.
  db.execAndGet("SELECT count(sql) FROM sqlite_schema");
  db.execAndGet("SELECT sum(seq) FROM sqlite_sequence");
  std::vector<DamagedPage> damaged = take_damaged_pages(handle);
  const auto is_damaged = [](const DamagedPage& page) {
    return !page.corrected && !page.is_unsealed;
  };
  if (std::any_of(damaged.begin(), damaged.end(), is_damaged)) return refused;
  if (db.execAndGet("PRAGMA quick_check(1)").getString() != "ok") return refused;
  if (const RowCounts counts = count_rows(db); counts.some_are_lost || counts.some_are_hidden)
    return refused;
  const std::vector<DamagedPage> others = take_damaged_pages(handle);
  damaged.insert(damaged.end(), others.begin(), others.end());
  damaged.erase(std::remove_if(damaged.begin(), damaged.end(),
                               [](const DamagedPage& page) { return page.corrected; }),
                damaged.end());
  const bool has_unsealed = std::any_of(damaged.begin(), damaged.end(),
                                        [](const DamagedPage& page) { return page.is_unsealed; });
  if (has_unsealed && db.execAndGet("PRAGMA integrity_check(1)").getString() != "ok")
    return refused;
  if (std::any_of(damaged.begin(), damaged.end(),
                  [](const DamagedPage& page) { return page.is_of_index && !page.is_unsealed; }))
    return refused;
  return damaged;
}

}  // namespace

std::optional<std::vector<DamagedPage>> pages_of_damaged_rows(const std::string& path,
                                                              const std::string& vfs) {
  Result<std::vector<DamagedPage>> found = guarded(path, [&] { return examine(path, vfs); });
  if (!found || found->empty()) return std::nullopt;
  return std::move(*found);
}

std::vector<std::int64_t> unsealed_pages(const std::vector<DamagedPage>& pages) {
  std::vector<std::int64_t> unsealed;
  for (const DamagedPage& page : pages)
    if (page.is_unsealed) unsealed.push_back(page.page);
  return unsealed;
}

bool has_damaged_pages(const std::vector<DamagedPage>& pages) {
  return std::any_of(pages.begin(), pages.end(),
                     [](const DamagedPage& page) { return !page.corrected; });
}

}  // namespace pawl
