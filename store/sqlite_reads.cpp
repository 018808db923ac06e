#include "store/sqlite_reads.hpp"

#include "runtime/mutant.hpp"
#include "runtime/start_facts.hpp"
#include "store/record_slot.hpp"
#include "store/row_checksum.hpp"
#include "store/sqlite_progress.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Transaction.h>

#include <cstring>
#include <limits>
#include <utility>

namespace pawl {

namespace {

// What is read of a run and of its flow wherever one is read: `head_from` takes it.
#define PAWL_RUN_HEAD PAWL_RUN_COLUMNS ", f.digest, f.name, f.checksum"
constexpr int run_head_columns = 13;
// What is read of a record wherever one is read: `record_from` takes it.
#define PAWL_EVENT                                                                    \
  "e.seq, e.step, e.kind, e.attempt_end, e.attempt, e.epoch, e.at_ms, e.started_ms, " \
  "e.duration_ms, e.due_ms, e.input_digest, e.output_digest, e.body, e.run, e.slot, " \
  "e.commit_seq, e.checksum"

// A run whose flow's row is not found is there all the same, and damaged.
constexpr const char* select_head_by_id =
    "SELECT " PAWL_RUN_HEAD " FROM runs r LEFT JOIN flows f ON f.flow = r.flow WHERE r.id = ?";
constexpr const char* select_run_by_id =
    "SELECT " PAWL_RUN_HEAD
    ", f.spec, r.input FROM runs r LEFT JOIN flows f ON f.flow = r.flow WHERE r.id = ?";
constexpr const char* select_run_by_key =
    "SELECT " PAWL_RUN_HEAD
    ", f.spec, r.input FROM runs r LEFT JOIN flows f ON f.flow = r.flow WHERE r.run = ?";
constexpr const char* select_all_runs =
    "SELECT " PAWL_RUN_HEAD
    ", f.spec, r.input FROM runs r LEFT JOIN flows f ON f.flow = r.flow ORDER BY r.run";
constexpr const char* select_records =
    "SELECT " PAWL_EVENT " FROM events e WHERE e.run = ? ORDER BY e.seq";
constexpr const char* select_record =
    "SELECT " PAWL_EVENT " FROM events e WHERE e.run = ? AND e.step = ? AND e.slot = ?";
// The slot 1 is that of the `started` record: see record_slot.hpp.
constexpr const char* select_list =
    "SELECT " PAWL_RUN_HEAD ", " PAWL_EVENT
    " FROM runs r LEFT JOIN flows f ON f.flow = r.flow "
    "LEFT JOIN events e ON e.run = r.run AND e.step = '' AND e.slot = 1 "
    "WHERE r.run < ?1 AND (?2 = 0 OR r.state = ?2) AND (?3 = 0 OR r.state < 7) "
    "AND r.started_ms >= ?4 AND r.started_ms < ?5 AND (?6 = '' OR f.name = ?6) "
    "AND (?7 = '' OR substr(r.id, 1, length(?7)) = ?7) AND (?8 = '' OR instr(r.input, ?8) > 0) "
    "ORDER BY r.run DESC LIMIT ?9";
constexpr const char* select_due =
    "SELECT " PAWL_RUN_HEAD
    " FROM runs r INDEXED BY runs_due LEFT JOIN flows f ON f.flow = r.flow "
    "WHERE r.state < 7 AND r.due_ms <= ? AND (r.due_ms, r.run) > (?, ?) "
    "ORDER BY r.due_ms, r.run LIMIT ?";
constexpr const char* select_next_due =
    "SELECT due_ms FROM runs INDEXED BY runs_due WHERE state < 7 AND due_ms > ? ORDER BY due_ms "
    "LIMIT 1";
constexpr const char* select_count_unfinished =
    "SELECT count(*) FROM runs INDEXED BY runs_due WHERE state < 7";

const char* const restore =
    "; restore the store from a backup, or start the run again under another id";

Error damaged(const std::string& what, const std::string& where) {
  return make_error(Errc::corrupt, what + restore, where);
}

Error led_astray(const std::string& run, const std::string& other) {
  return damaged("the index of runs leads to run " + other + " instead", run);
}

/// What is wrong with the rows of a run and its flow; empty if nothing is.
std::string damage_of(const SqliteConnection& connection, SQLite::Statement& row,
                      const RunHead& head) {
  if (const int state = row.getColumn(6).getInt(); !is_run_state(state))
    return "the run's row holds the unknown state " + std::to_string(state);
  if (row.getColumn(10).isNull()) return "the run's flow is not in the store";
  if (!connection.checks_rows()) return "";
  if (digest_from(row.getColumn(9)) != checksum_of_run(row))
    return "the run's row is damaged: its checksum does not fit";
  if (digest_from(row.getColumn(12)) !=
      flow_checksum(row.getColumn(2).getInt64(), head.flow_digest, head.row.flow_name))
    return "the row of the run's flow is damaged: its checksum does not fit";
  return "";
}

/// The run and flow whose `PAWL_RUN_HEAD` the statement is at.
RunHead head_from(const SqliteConnection& connection, SQLite::Statement& row) {
  RunHead head;
  head.row.key = row.getColumn(0).getInt64();
  head.row.run = row.getColumn(1).getString();
  head.input_digest = digest_from(row.getColumn(3));
  head.folder = row.getColumn(4).getString();
  head.row.started_ms = row.getColumn(5).getInt64();
  head.row.due_ms = row.getColumn(7).getInt64();
  head.row.ended_ms = row.getColumn(8).getInt64();
  head.flow_digest = digest_from(row.getColumn(10));
  head.row.flow_name = row.getColumn(11).getString();
  head.row.damage = damage_of(connection, row, head);
  if (const int state = row.getColumn(6).getInt(); is_run_state(state))
    head.row.state = static_cast<RunState>(state);
  return head;
}

/// A row whose numbers are those that a record holds, with the rest unchecked.
Record raw_record_from(SQLite::Statement& row, int at) {
  Record record;
  record.seq = row.getColumn(at).getInt64();
  record.step = row.getColumn(at + 1).getString();
  record.kind = static_cast<RecordKind>(row.getColumn(at + 2).getInt());
  record.end = static_cast<AttemptEnd>(row.getColumn(at + 3).getInt());
  record.attempt = row.getColumn(at + 4).getInt();
  record.epoch = row.getColumn(at + 5).getInt64();
  record.at_ms = row.getColumn(at + 6).getInt64();
  record.started_ms = row.getColumn(at + 7).getInt64();
  record.duration_ms = row.getColumn(at + 8).getInt64();
  record.due_ms = row.getColumn(at + 9).getInt64();
  record.input_digest = digest_from(row.getColumn(at + 10));
  record.output_digest = digest_from(row.getColumn(at + 11));
  record.body = row.getColumn(at + 12).getString();
  return record;
}

Digest checksum_of_event(const Record& record, SQLite::Statement& row, int at) {
  const SQLite::Column slot = row.getColumn(at + 14);
  return event_checksum(row.getColumn(at + 13).getInt64(),
                        slot.isNull() ? std::nullopt : std::optional(slot.getInt64()),
                        row.getColumn(at + 15).getInt64(), record);
}

/// The record whose `PAWL_EVENT` the statement is at, from column `at` on.
Result<Record> record_from(const SqliteConnection& connection, SQLite::Statement& row, int at = 0) {
  const std::int64_t kind = row.getColumn(at + 2).getInt64();
  const std::int64_t end = row.getColumn(at + 3).getInt64();
  // As a number: SQLite's own text of it would need memory, and without that the number is gone.
  const std::string name = "record " + std::to_string(row.getColumn(at).getInt64());
  if (!is_record_kind(kind))
    return damaged(name + " has the unknown kind " + std::to_string(kind), "");
  if (!is_attempt_end(end))
    return damaged(name + " has the unknown attempt end " + std::to_string(end), "");
  Record record = raw_record_from(row, at);
  if (connection.checks_rows() && !mutant("input_row_checksum_ignored") &&
      digest_from(row.getColumn(at + 16)) != checksum_of_event(record, row, at))
    return damaged(name + " is damaged: its checksum does not fit", "");
  return record;
}

void fill_in(RunRow& row, StartFacts facts) {
  row.labels = std::move(facts.labels);
  if (facts.parent) row.parent = std::move(facts.parent->run);
}

/// The run whose row the statement is at, with all of its records.
Result<StoredRun> run_from(SqliteConnection& connection, SQLite::Statement& found) {
  StoredRun run;
  RunHead head = head_from(connection, found);
  const std::string& id = head.row.run;
  if (!head.row.damage.empty()) return damaged(head.row.damage, id);
  run.flow = std::make_shared<const std::string>(found.getColumn(run_head_columns).getString());
  run.input = found.getColumn(run_head_columns + 1).getString();
  if (digest_of(*run.flow) != head.flow_digest)
    return damaged("the run's flow is not what its digest says", id);
  if (digest_of(run.input) != head.input_digest)
    return damaged("the run's input is not what its digest says", id);
  run.row = std::move(head.row);
  run.flow_digest = head.flow_digest;
  run.folder = std::move(head.folder);
  StatementUse records(connection.statement(select_records));
  records->bind(1, run.row.key);
  while (records->executeStep()) {
    Result<Record> record = record_from(connection, *records);
    if (!record) return make_error(record.error().code, record.error().message, run.row.run);
    if (!run.records.empty() && run.records.back().seq >= record->seq)
      return damaged(
          "the index of records leads to record " + std::to_string(record->seq) + " more than once",
          run.row.run);
    run.records.push_back(std::move(*record));
  }
  if (run.records.empty() || run.records.front().kind != RecordKind::started)
    return damaged("the run's first record is not there", run.row.run);
  Result<std::vector<Progress>> progress = read_progress(connection, run.row.key);
  if (!progress) return make_error(progress.error().code, progress.error().message, run.row.run);
  run.progress = std::move(*progress);
  Result<StartFacts> facts = start_facts_of(run.records);
  if (!facts) return make_error(facts.error().code, facts.error().message, run.row.run);
  fill_in(run.row, std::move(*facts));
  return run;
}

/// Takes from a list's row what the run's first record says of it.
Result<void> fill_in_start(const SqliteConnection& connection, SQLite::Statement& row,
                           RunRow& run) {
  if (!run.damage.empty()) return {};
  if (row.getColumn(run_head_columns).isNull())
    return damaged("the run's first record is not there", run.run);
  const Result<Record> started = record_from(connection, row, run_head_columns);
  if (!started) return started.error();
  Result<StartFacts> facts = start_facts_from(started->body);
  if (!facts) return facts.error();
  fill_in(run, std::move(*facts));
  return {};
}

Result<std::optional<StoredRun>> read_found_run(SqliteConnection& connection, StatementUse& found) {
  if (!found->executeStep()) return std::optional<StoredRun>();
  Result<StoredRun> run = run_from(connection, *found);
  if (!run) return run.error();
  return std::optional(std::move(*run));
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

Digest birth_of_run(SQLite::Statement& row) {
  return run_birth(row.getColumn(0).getInt64(), row.getColumn(1).getString(),
                   row.getColumn(2).getInt64(), digest_from(row.getColumn(3)),
                   row.getColumn(4).getString(), row.getColumn(5).getInt64());
}

Digest checksum_of_run(SQLite::Statement& row) {
  return run_checksum(birth_of_run(row), row.getColumn(6).getInt64(), row.getColumn(7).getInt64(),
                      row.getColumn(8).getInt64());
}

Digest checksum_of_event(SQLite::Statement& row, int at) {
  return checksum_of_event(raw_record_from(row, at), row, at);
}

Result<std::optional<RunHead>> read_head(SqliteConnection& connection, const std::string& run) {
  StatementUse found(connection.statement(select_head_by_id));
  found->bindNoCopy(1, run);
  if (!found->executeStep()) return std::optional<RunHead>();
  RunHead head = head_from(connection, *found);
  if (!head.row.damage.empty()) return damaged(head.row.damage, run);
  if (head.row.run != run) return led_astray(run, head.row.run);
  return std::optional(std::move(head));
}

Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, const std::string& run) {
  StatementUse found(connection.statement(select_run_by_id));
  found->bindNoCopy(1, run);
  Result<std::optional<StoredRun>> stored = read_found_run(connection, found);
  if (stored && *stored && (*stored)->row.run != run) return led_astray(run, (*stored)->row.run);
  return stored;
}

Result<std::optional<StoredRun>> read_run(SqliteConnection& connection, RunKey key) {
  StatementUse found(connection.statement(select_run_by_key));
  found->bind(1, key);
  return read_found_run(connection, found);
}

void read_each_run(SqliteConnection& connection,
                   const std::function<void(const std::string&, Result<StoredRun>)>& visit) {
  StatementUse found(connection.statement(select_all_runs));
  while (found->executeStep()) visit(found->getColumn(1).getString(), run_from(connection, *found));
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
    RunRow row = head_from(connection, *rows).row;
    if (const Result<void> filled = fill_in_start(connection, *rows, row); !filled)
      row.damage = filled.error().message;
    if (has_labels(row.labels, filter.labels)) runs.push_back(std::move(row));
  }
  return runs;
}

Result<std::vector<RunRow>> read_due(SqliteConnection& connection, std::int64_t now_ms,
                                     std::size_t limit, const DuePlace& after) {
  StatementUse rows(connection.statement(select_due));
  rows->bind(1, now_ms);
  rows->bind(2, after.due_ms);
  rows->bind(3, after.run);
  rows->bind(4, static_cast<std::int64_t>(limit));
  std::vector<RunRow> runs;
  while (rows->executeStep()) runs.push_back(head_from(connection, *rows).row);
  return runs;
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
  Result<Record> record = record_from(connection, *found);
  if (!record) return record.error();
  if (record->step != step || slot_of(*record) != slot || found->getColumn(13).getInt64() != run)
    return damaged("the index of records leads to record " + std::to_string(record->seq) +
                       ", which stands elsewhere",
                   "");
  return std::make_shared<const Record>(std::move(*record));
}

}  // namespace pawl
