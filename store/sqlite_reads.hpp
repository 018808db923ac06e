/// The SELECTs of a store, for its owner and for readers alike.
#pragma once

#include <pawl/store.hpp>

#include "store/sqlite_connection.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl {

/// All throw what SQLite throws. Outside a transaction each sees one moment of the store.
Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, const std::string& run);
Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, RunKey key);
/// Visits every run, in the order of their starts: its id, the digest noted of its input, and what
/// can be read of it.
void read_each_run(
    SqliteConnection& connection,
    const std::function<void(const std::string&, const Digest&, Result<StoredRun>)>& visit);
Result<std::vector<RunRow>> read_list(SqliteConnection& connection, const RunFilter& filter);
Result<std::vector<RunRow>> read_due(SqliteConnection& connection, std::int64_t now_ms,
                                     std::size_t limit);
Result<std::optional<std::int64_t>> read_next_due_ms(SqliteConnection& connection,
                                                     std::int64_t now_ms);
Result<std::int64_t> read_count_unfinished(SqliteConnection& connection);

/// The record in a place of a run; null if there is none.
Result<std::shared_ptr<const Record>> read_record(SqliteConnection& connection, RunKey run,
                                                  const std::string& step, std::int64_t slot);

/// Binds a digest, all zeros as NULL, to the parameter `index`. The digest must outlive the
/// statement's step.
void bind_digest(SQLite::Statement& statement, int index, const Digest& digest);
Digest digest_from(const SQLite::Column& column);

}  // namespace pawl
