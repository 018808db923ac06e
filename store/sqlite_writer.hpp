/// SqliteWriter: what each kind of write means in SQL, inside a transaction that somebody else
/// begins and commits.
#pragma once

#include <pawl/store.hpp>

#include "store/high_water.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_pruner.hpp"
#include "store/sqlite_reads.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace pawl {

/// All members throw what SQLite throws; the transaction is lost then.
class SqliteWriter {
 public:
  /// Given: `connection`, which must outlive this; `epoch`, stamped on every row.
  SqliteWriter(SqliteConnection& connection, std::int64_t epoch);

  /// Begins a transaction's worth of writes at `now_ms`.
  void begin(std::int64_t now_ms);

  /// Ends it, before its COMMIT.
  void end();

  /// Where the store has come to, if what was begun is committed.
  HighWater high_water() const { return {epoch_, seq_, quiet_commits_}; }

  /// When the last event that was ever written before the beginning was; 0 if there was none.
  std::int64_t last_at_ms() const { return last_at_ms_; }

  WriteReply apply(const StartRun& start);
  WriteReply apply(const AppendRecord& append);
  WriteReply apply(const NoteProgress& note);
  WriteReply apply(const ParkRun& park);
  WriteReply apply(const PruneRuns& prune);

 private:
  /// Why a record may not be written where it would have to be, if it is not there already.
  enum class Objection { none, step_has_output, attempt_ended, run_ended };

  /// What a run's row says of it.
  struct Noted {
    RunState state;
    std::int64_t ended_ms;
    Digest birth;      ///< of what never changes
    bool is_unbroken;  ///< no attempt of it has ended without an output; false if that is not known
  };

  WriteReply add(const AppendRecord& append);
  Objection objection(const AppendRecord& append, const Noted& noted);
  bool opens_too(const AppendRecord& opens, WriteReply& reply);
  WriteReply same_or_refused(const StartRun& start, const Digest& input_digest,
                             const RunHead& same);
  WriteReply existing(RunKey run, const std::string& step, std::int64_t slot, const Record& record);
  /// Only for prunes: who else needs to know reads it in the child's first record.
  void note_child(RunKey run, RunKey parent);

  /// Errors: Errc::corrupt if the flow's row is not what its checksum says.
  Result<std::int64_t> flow_key(const StartRun& start);
  RunKey insert_run(const StartRun& start, std::int64_t flow, const Digest& input_digest);
  bool insert_event(RunKey run, Record& record);
  void note_end(RunKey run, const Noted& noted, const Record& record);
  /// Writes what changes of a run's row.
  void note(RunKey run, const Noted& noted, RunState state, std::int64_t due_ms,
            std::int64_t ended_ms);
  /// Errors: Errc::unknown_run; Errc::corrupt if the row is not what its checksum says.
  Result<Noted> what_is_noted(RunKey run);
  bool is_taken(RunKey run, const std::string& step, std::int64_t slot);
  void remember(RunKey run, const Noted& noted);

  SqliteConnection& connection_;
  std::int64_t epoch_;
  std::int64_t seq_ = 0;         // of the last event that was ever in the file
  std::int64_t commit_seq_ = 0;  // of the transaction that is being written
  std::int64_t quiet_commits_ = 0;
  std::int64_t seq_before_ = 0;  // at the transaction's beginning, as is the next
  int changes_before_ = 0;
  std::int64_t now_ms_ = 0;
  std::int64_t last_at_ms_ = 0;
  RunKey last_run_ = 0;
  /// Of runs that were written about before, and have not ended. Nobody else writes, and a
  /// transaction that is lost takes the writer with it.
  std::unordered_map<RunKey, Noted> noted_;
  std::optional<PruneBoundary> prune_boundary_;
};

}  // namespace pawl
