#include "store/meta.hpp"

#include "store/row_checksum.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <string>

namespace pawl {

namespace {

constexpr const char* select_value = "SELECT value, checksum FROM meta WHERE key = ?";
constexpr const char* replace_value =
    "INSERT OR REPLACE INTO meta(key, value, checksum) VALUES(?, ?, ?)";

}  // namespace

std::optional<std::int64_t> read_meta(SqliteConnection& connection, const char* key) {
  StatementUse row(connection.statement(select_value));
  row->bindNoCopy(1, key);
  if (!row->executeStep()) return std::nullopt;
  const std::int64_t value = row->getColumn(0).getInt64();
  if (digest_from(row->getColumn(1)) != meta_checksum(key, value))
    throw SQLite::Exception("the store's number \"" + std::string(key) +
                                "\" is damaged: its checksum does not fit; restore the store from "
                                "a backup",
                            SQLITE_CORRUPT);
  return value;
}

void write_meta(SqliteConnection& connection, const char* key, std::int64_t value) {
  const Digest checksum = meta_checksum(key, value);
  StatementUse row(connection.statement(replace_value));
  row->bindNoCopy(1, key);
  row->bind(2, value);
  bind_digest(*row, 3, checksum);
  row->exec();
}

}  // namespace pawl
