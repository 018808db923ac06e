#include "store/sqlite_pruner.hpp"

#include "runtime/mutant.hpp"
#include "store/meta.hpp"
#include "store/row_checksum.hpp"
#include "store/sqlite_progress.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Column.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace pawl {

namespace {

// The states 7 to 9 are those of ended runs: see run_state.hpp.
constexpr const char* select_newest_to_go =
    "SELECT ended_ms, run FROM runs INDEXED BY runs_ended WHERE state >= 7 AND state <= 9 "
    "AND NOT EXISTS (SELECT 1 FROM children WHERE children.run = runs.run) "
    "ORDER BY ended_ms DESC, run DESC LIMIT 1 OFFSET ?";
constexpr const char* select_to_go =
    "SELECT " PAWL_RUN_COLUMNS
    " FROM runs r INDEXED BY runs_ended WHERE state >= 7 AND state <= 9 "
    "AND ended_ms < ?1 AND (ended_ms < ?2 OR (ended_ms = ?2 AND run <= ?3)) "
    "AND NOT EXISTS (SELECT 1 FROM children WHERE children.run = r.run) ORDER BY ended_ms, run "
    "LIMIT ?4";
constexpr const char* select_children = "SELECT " PAWL_RUN_COLUMNS
                                        ", c.checksum FROM children c JOIN runs r ON r.run = c.run "
                                        "WHERE c.parent = ?";
constexpr const char* delete_child = "DELETE FROM children WHERE run = ?";
constexpr const char* delete_records = "DELETE FROM events WHERE run = ?";
constexpr const char* delete_run = "DELETE FROM runs WHERE run = ?";
constexpr const char* delete_unused_flow =
    "DELETE FROM flows WHERE flow = ?1 "
    "AND NOT EXISTS (SELECT 1 FROM runs INDEXED BY runs_flow WHERE flow = ?1)";
constexpr const char* select_last_event =
    "SELECT seq, commit_seq, at_ms FROM events ORDER BY seq DESC LIMIT 1";

constexpr const char* last_seq = "last_seq";
constexpr const char* last_commit_seq = "last_commit_seq";
constexpr const char* last_at_ms = "last_at_ms";

/// A negative OFFSET would be none at all, and keep nothing.
std::int64_t sql_number(std::size_t number) {
  constexpr std::size_t largest = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(number, largest));
}

int remove_by_key(SqliteConnection& connection, const char* sql, std::int64_t key) {
  StatementUse removal(connection.statement(sql));
  removal->bind(1, key);
  return removal->exec();
}

using RunAndFlow = std::pair<RunKey, std::int64_t>;

/// The run's key and its flow's; nothing if its row is not what its checksum says.
std::optional<RunAndFlow> sound_run(SQLite::Statement& row) {
  if (digest_from(row.getColumn(9)) != checksum_of_run(row)) return std::nullopt;
  return RunAndFlow(row.getColumn(0).getInt64(), row.getColumn(2).getInt64());
}

/// The run and all below it; nothing if a row that says so is damaged, for then it may say so of
/// another one's child.
std::vector<RunAndFlow> with_children(SqliteConnection& connection, const RunAndFlow& run) {
  std::vector<RunAndFlow> tree{run};
  for (std::size_t next = 0; next < tree.size(); ++next) {
    if (mutant("children_not_pruned")) break;
    StatementUse rows(connection.statement(select_children));
    rows->bind(1, tree[next].first);
    while (rows->executeStep()) {
      const std::optional<RunAndFlow> child = sound_run(*rows);
      if (!child ||
          digest_from(rows->getColumn(10)) != child_checksum(child->first, tree[next].first))
        return {};
      tree.push_back(*child);
    }
  }
  return tree;
}

/// Runs that may go, the first portion of them.
struct Portion {
  std::vector<RunAndFlow> runs;  ///< the sound ones
  bool is_full = false;          ///< there may be more
};

/// Nothing if no more than `keep_newest` have ended.
std::optional<PruneBoundary> find_boundary(SqliteConnection& connection, std::size_t keep_newest) {
  StatementUse newest(connection.statement(select_newest_to_go));
  newest->bind(1, sql_number(keep_newest));
  if (!newest->executeStep()) return std::nullopt;
  return PruneBoundary{keep_newest, newest->getColumn(0).getInt64(),
                       newest->getColumn(1).getInt64()};
}

Portion runs_up_to(SqliteConnection& connection, const PruneRuns& prune,
                   const PruneBoundary& newest) {
  Portion portion;
  StatementUse rows(connection.statement(select_to_go));
  rows->bind(1, prune.ended_before_ms);
  rows->bind(2, newest.ended_ms);
  rows->bind(3, newest.run);
  rows->bind(4, sql_number(prune.runs_max));
  std::size_t seen = 0;
  for (; rows->executeStep(); ++seen)
    if (const std::optional<RunAndFlow> run = sound_run(*rows)) portion.runs.push_back(*run);
  portion.is_full = seen == prune.runs_max;
  return portion;
}

Portion runs_to_go(SqliteConnection& connection, const PruneRuns& prune,
                   std::optional<PruneBoundary>& known) {
  if (prune.keep_newest == 0 || mutant("newest_not_kept"))
    return runs_up_to(connection, prune, {0, std::numeric_limits<std::int64_t>::max(), 0});
  if (known && known->keep_newest == prune.keep_newest) {
    Portion portion = runs_up_to(connection, prune, *known);
    if (portion.is_full) return portion;  // else others may have ended since
  }
  known = find_boundary(connection, prune.keep_newest);
  return known ? runs_up_to(connection, prune, *known) : Portion();
}

}  // namespace

Pruned prune_runs(SqliteConnection& connection, const PruneRuns& prune,
                  std::optional<PruneBoundary>& known, const LogEnd& now) {
  Pruned pruned;
  const Portion portion = runs_to_go(connection, prune, known);
  bool stopped_early = false;
  std::set<std::int64_t> flows;
  std::size_t records = 0;
  for (const RunAndFlow& run : portion.runs) {
    if (records >= prune.records_max) {
      stopped_early = true;
      break;
    }
    const std::vector<RunAndFlow> tree = with_children(connection, run);
    for (const auto& [part, its_flow] : tree) {
      records += static_cast<std::size_t>(remove_by_key(connection, delete_records, part));
      if (!mutant("progress_not_pruned")) delete_progress(connection, part);
      remove_by_key(connection, delete_child, part);
      remove_by_key(connection, delete_run, part);
      flows.insert(its_flow);
    }
    if (!tree.empty()) ++pruned.runs;
  }
  // Those that are damaged stay, and stand before the others: a portion of nothing else is the end.
  pruned.more = stopped_early || (portion.is_full && pruned.runs > 0);
  for (const std::int64_t flow : flows) remove_by_key(connection, delete_unused_flow, flow);
  if (pruned.runs > 0 && !mutant("numbers_go_back_after_prune")) {
    write_meta(connection, last_seq, now.seq);
    write_meta(connection, last_commit_seq, now.commit_seq);
    write_meta(connection, last_at_ms, now.at_ms);
  }
  return pruned;
}

LogEnd read_log_end(SqliteConnection& connection) {
  LogEnd end{read_meta(connection, last_seq).value_or(0),
             read_meta(connection, last_commit_seq).value_or(0),
             read_meta(connection, last_at_ms).value_or(0)};
  StatementUse last(connection.statement(select_last_event));
  if (!last->executeStep()) return end;
  end.seq = std::max(end.seq, last->getColumn(0).getInt64());
  end.commit_seq = std::max(end.commit_seq, last->getColumn(1).getInt64());
  end.at_ms = std::max(end.at_ms, last->getColumn(2).getInt64());
  return end;
}

}  // namespace pawl
