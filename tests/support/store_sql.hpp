// SQL on a store's file, written as pawl writes it: its pages have the checksums that belong to
// them, whatever its rows say.
#pragma once

#include "store/checked_vfs.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <string>
#include <vector>

namespace pawl {

inline SQLite::Database open_to_change(const std::string& path) {
  return SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 0, checked_vfs({}));
}

inline void run_sql(const std::string& path, const std::string& sql) {
  open_to_change(path).exec(sql);
}

/// The first column of each row, as text.
inline std::vector<std::string> column_of(const std::string& path, const std::string& query) {
  SQLite::Database db = open_to_change(path);
  SQLite::Statement rows(db, query);
  std::vector<std::string> values;
  while (rows.executeStep()) values.push_back(rows.getColumn(0).getString());
  return values;
}

}  // namespace pawl
