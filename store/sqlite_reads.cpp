#include "store/sqlite_reads.hpp"

#include "runtime/start_facts.hpp"
#include "store/sqlite_progress.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Transaction.h>

#include <cstring>
#include <limits>
#include <utility>

namespace pawl {

namespace {

constexpr const char* select_run_by_id =
    "SELECT r.run, r.id, f.name, r.state, r.due_ms, r.started_ms, r.ended_ms, f.spec, f.digest, "
    "r.input, r.folder "
    "FROM runs r JOIN flows f ON f.flow = r.flow WHERE r.id = ?";
constexpr const char* select_run_by_key =
    "SELECT r.run, r.id, f.name, r.state, r.due_ms, r.started_ms, r.ended_ms, f.spec, f.digest, "
    "r.input, r.folder "
    "FROM runs r JOIN flows f ON f.flow = r.flow WHERE r.run = ?";
constexpr const char* select_all_runs =
    "SELECT r.run, r.id, f.name, r.state, r.due_ms, r.started_ms, r.ended_ms, f.spec, f.digest, "
    "r.input, r.folder, r.input_digest "
    "FROM runs r JOIN flows f ON f.flow = r.flow ORDER BY r.run";
constexpr const char* select_records =
    "SELECT seq, step, kind, attempt_end, attempt, epoch, at_ms, started_ms, duration_ms, due_ms, "
    "input_digest, "
    "output_digest, body FROM events WHERE run = ? ORDER BY seq";
constexpr const char* select_record =
    "SELECT seq, step, kind, attempt_end, attempt, epoch, at_ms, started_ms, duration_ms, due_ms, "
    "input_digest, "
    "output_digest, body FROM events WHERE run = ? AND step = ? AND slot = ?";
// The slot 1 is that of the `started` record: see record_slot.hpp.
constexpr const char* select_list =
    "SELECT r.run, r.id, f.name, r.state, r.due_ms, r.started_ms, r.ended_ms, s.body "
    "FROM runs r CROSS JOIN flows f ON f.flow = r.flow "
    "LEFT JOIN events s ON s.run = r.run AND s.step = '' AND s.slot = 1 "
    "WHERE r.run < ?1 AND (?2 = 0 OR r.state = ?2) AND (?3 = 0 OR r.state < 7) "
    "AND r.started_ms >= ?4 AND r.started_ms < ?5 AND (?6 = '' OR f.name = ?6) "
    "AND (?7 = '' OR substr(r.id, 1, length(?7)) = ?7) AND (?8 = '' OR instr(r.input, ?8) > 0) "
    "ORDER BY r.run DESC LIMIT ?9";
constexpr const char* select_due =
    "SELECT r.run, r.id, f.name, r.state, r.due_ms, r.started_ms, r.ended_ms "
    "FROM runs r INDEXED BY runs_due JOIN flows f ON f.flow = r.flow "
    "WHERE r.state < 7 AND r.due_ms <= ? ORDER BY r.due_ms, r.run LIMIT ?";
constexpr const char* select_next_due =
    "SELECT due_ms FROM runs INDEXED BY runs_due WHERE state < 7 AND due_ms > ? ORDER BY due_ms "
    "LIMIT 1";
constexpr const char* select_count_unfinished =
    "SELECT count(*) FROM runs INDEXED BY runs_due WHERE state < 7";

Error unknown_number(const char* what, std::int64_t number, const std::string& where) {
  return make_error(Errc::corrupt,
                    std::string("a row holds the unknown ") + what + " " + std::to_string(number),
                    where);
}

Result<RunRow> row_from(SQLite::Statement& row) {
  const int state = row.getColumn(3).getInt();
  RunRow run{row.getColumn(0).getInt64(),  row.getColumn(1).getString(),
             row.getColumn(2).getString(), RunState::running,
             row.getColumn(4).getInt64(),  row.getColumn(5).getInt64(),
             row.getColumn(6).getInt64()};
  if (!is_run_state(state)) return unknown_number("run state", state, run.run);
  run.state = static_cast<RunState>(state);
  return run;
}

Result<Record> record_from(SQLite::Statement& row) {
  const std::int64_t kind = row.getColumn(2).getInt64();
  const std::int64_t end = row.getColumn(3).getInt64();
  Record record;
  record.seq = row.getColumn(0).getInt64();
  if (!is_record_kind(kind))
    return unknown_number("record kind", kind, "event " + std::to_string(record.seq));
  if (!is_attempt_end(end))
    return unknown_number("attempt end", end, "event " + std::to_string(record.seq));
  record.kind = static_cast<RecordKind>(kind);
  record.end = static_cast<AttemptEnd>(end);
  record.step = row.getColumn(1).getString();
  record.attempt = row.getColumn(4).getInt();
  record.epoch = row.getColumn(5).getInt64();
  record.at_ms = row.getColumn(6).getInt64();
  record.started_ms = row.getColumn(7).getInt64();
  record.duration_ms = row.getColumn(8).getInt64();
  record.due_ms = row.getColumn(9).getInt64();
  record.input_digest = digest_from(row.getColumn(10));
  record.output_digest = digest_from(row.getColumn(11));
  record.body = row.getColumn(12).getString();
  return record;
}

void fill_in(RunRow& row, StartFacts facts) {
  row.labels = std::move(facts.labels);
  if (facts.parent) row.parent = std::move(facts.parent->run);
}

/// The run whose row the statement is at, with all of its records.
Result<StoredRun> run_from(SqliteConnection& connection, SQLite::Statement& found) {
  StoredRun run;
  Result<RunRow> row = row_from(found);
  if (!row) return row.error();
  run.row = std::move(*row);
  run.flow = std::make_shared<const std::string>(found.getColumn(7).getString());
  run.flow_digest = digest_from(found.getColumn(8));
  run.input = found.getColumn(9).getString();
  run.folder = found.getColumn(10).getString();
  StatementUse records(connection.statement(select_records));
  records->bind(1, run.row.key);
  while (records->executeStep()) {
    Result<Record> record = record_from(*records);
    if (!record) return record.error();
    run.records.push_back(std::move(*record));
  }
  run.progress = read_progress(connection, run.row.key);
  Result<StartFacts> facts = start_facts_of(run.records);
  if (!facts) return make_error(facts.error().code, facts.error().message, run.row.run);
  fill_in(run.row, std::move(*facts));
  return run;
}

Result<std::optional<StoredRun>> read_found_run(SqliteConnection& connection, StatementUse& found) {
  if (!found->executeStep()) return std::optional<StoredRun>();
  Result<StoredRun> run = run_from(connection, *found);
  if (!run) return run.error();
  return std::optional(std::move(*run));
}

Result<std::vector<RunRow>> read_rows(StatementUse& rows) {
  std::vector<RunRow> runs;
  while (rows->executeStep()) {
    Result<RunRow> row = row_from(*rows);
    if (!row) return row.error();
    runs.push_back(std::move(*row));
  }
  return runs;
}

}  // namespace

void bind_digest(SQLite::Statement& statement, int index, const Digest& digest) {
  if (digest == Digest{})
    statement.bind(index);
  else
    statement.bindNoCopy(index, digest.bytes.data(), static_cast<int>(digest.bytes.size()));
}

Digest digest_from(const SQLite::Column& column) {
  Digest digest;
  if (column.getBytes() == static_cast<int>(digest.bytes.size()))
    std::memcpy(digest.bytes.data(), column.getBlob(), digest.bytes.size());
  return digest;
}

Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, const std::string& run) {
  StatementUse found(connection.statement(select_run_by_id));
  found->bindNoCopy(1, run);
  return read_found_run(connection, found);
}

Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, RunKey key) {
  StatementUse found(connection.statement(select_run_by_key));
  found->bind(1, key);
  return read_found_run(connection, found);
}

void read_each_run(
    SqliteConnection& connection,
    const std::function<void(const std::string&, const Digest&, Result<StoredRun>)>& visit) {
  StatementUse found(connection.statement(select_all_runs));
  while (found->executeStep())
    visit(found->getColumn(1).getString(), digest_from(found->getColumn(11)),
          run_from(connection, *found));
}

Result<std::vector<RunRow>> read_list(SqliteConnection& connection, const RunFilter& filter) {
  StatementUse rows(connection.statement(select_list));
  rows->bind(1, filter.before);
  rows->bind(2, filter.state ? static_cast<int>(*filter.state) : 0);
  rows->bind(3, filter.unfinished_only ? 1 : 0);
  rows->bind(4, filter.started_from_ms.value_or(std::numeric_limits<std::int64_t>::min()));
  rows->bind(5, filter.started_before_ms.value_or(std::numeric_limits<std::int64_t>::max()));
  rows->bindNoCopy(6, filter.flow_name);
  rows->bindNoCopy(7, filter.id_prefix);
  rows->bindNoCopy(8, filter.input_text);
  // Labels are looked at here: SQLite need not know JSON.
  const std::int64_t all = -1;
  rows->bind(9, filter.labels.empty() ? static_cast<std::int64_t>(filter.limit) : all);
  std::vector<RunRow> runs;
  while (runs.size() < filter.limit && rows->executeStep()) {
    Result<RunRow> row = row_from(*rows);
    if (!row) return row.error();
    Result<StartFacts> facts = start_facts_from(rows->getColumn(7).getString());
    if (!facts) return make_error(facts.error().code, facts.error().message, row->run);
    fill_in(*row, std::move(*facts));
    if (has_labels(row->labels, filter.labels)) runs.push_back(std::move(*row));
  }
  return runs;
}

Result<std::vector<RunRow>> read_due(SqliteConnection& connection, std::int64_t now_ms,
                                     std::size_t limit) {
  StatementUse rows(connection.statement(select_due));
  rows->bind(1, now_ms);
  rows->bind(2, static_cast<std::int64_t>(limit));
  return read_rows(rows);
}

Result<std::optional<std::int64_t>> read_next_due_ms(SqliteConnection& connection,
                                                     std::int64_t now_ms) {
  StatementUse next(connection.statement(select_next_due));
  next->bind(1, now_ms);
  if (!next->executeStep()) return std::optional<std::int64_t>();
  return std::optional(next->getColumn(0).getInt64());
}

Result<std::int64_t> read_count_unfinished(SqliteConnection& connection) {
  StatementUse count(connection.statement(select_count_unfinished));
  count->executeStep();
  return count->getColumn(0).getInt64();
}

Result<std::shared_ptr<const Record>> read_record(SqliteConnection& connection, RunKey run,
                                                  const std::string& step, std::int64_t slot) {
  StatementUse found(connection.statement(select_record));
  found->bind(1, run);
  found->bindNoCopy(2, step);
  found->bind(3, slot);
  if (!found->executeStep()) return std::shared_ptr<const Record>();
  Result<Record> record = record_from(*found);
  if (!record) return record.error();
  return std::make_shared<const Record>(std::move(*record));
}

}  // namespace pawl
