/// Store: where runs are remembered. What it has answered is durable.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/error.hpp>
#include <pawl/labels.hpp>
#include <pawl/progress.hpp>
#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pawl {

/// A run's number within its store; ascending in the order of the starts, never reused.
using RunKey = std::int64_t;

// What can be written.

/// Adds a record to a run, unless it is there already. What counts as the same place:
///
/// - an output: one per step. Other bytes than the stored ones do not replace them; they are kept
///   in a `diverged` receipt. The same bytes from another attempt leave a `succeeded` receipt.
/// - a receipt: one per attempt; besides it, one `late` and one `diverged` receipt per attempt
/// - opened: one per attempt · cancel_requested, undoing, ended: one per run · unblocked: any
/// number
///
/// A receipt that would end an attempt of a step that has an output already is answered with that
/// output. An output of an attempt that has ended is refused with Errc::attempt_ended; anything but
/// `late`, `diverged` and `succeeded` receipts after the run's end with Errc::run_ended.
struct AppendRecord {
  RunKey run = 0;
  std::shared_ptr<Record>
      record;  ///< the store fills in seq, epoch and at_ms; leave it alone until it has answered
};

/// Starts a run, unless its id is taken.
///
/// Same id, same flow and same input (equal digests) is the same run: already_exists. Anything else
/// under that id is refused with Errc::run_differs, which says what differs. Labels are no part of
/// it: those of a repeated start count for nothing.
///
/// A child's start also adds a record to its parent: both are written, or neither. The same id for
/// a child of another step, or for a run that is no child, is another run.
///
/// A fork's start brings records: all of them are written, or nothing is. The same id for a fork of
/// another run or step, or one that was given other outputs, is another run; which records a
/// repeated start brings counts for nothing.
struct StartRun {
  std::string run;  ///< the run's id
  std::string flow_name;
  std::shared_ptr<const std::string> flow;  ///< canonical JSON
  Digest flow_digest;
  std::string input;                                 ///< canonical JSON, defaults merged in
  std::string folder;                                ///< absolute
  std::string body = {};                             ///< of the `started` record: see StartFacts
  std::optional<AppendRecord> opens = std::nullopt;  ///< with a child: the record in its parent
  /// With a fork: what follows the `started` record, in this order, each in a place of its own. The
  /// store fills them in as it does AppendRecord's.
  std::vector<std::shared_ptr<Record>> records = {};
};

/// Notes what an attempt reported of itself, in the place of what its step reported before. Of a
/// step only the last one is kept.
///
/// Refused with Errc::attempt_ended when the attempt has its end, the step its output, or a later
/// attempt has reported; with Errc::run_ended when the run has ended. So what an attempt reported
/// stands once its end is written: nothing that comes late takes its place.
struct NoteProgress {
  RunKey run = 0;
  std::shared_ptr<Progress>
      progress;  ///< the store fills in epoch and at_ms; leave it alone until it has answered
};

/// Notes what an unfinished run waits for, so that it is found when it is due. A hint, derived from
/// the records: the next record that is written about the run makes it due at once.
struct ParkRun {
  RunKey run = 0;
  RunState state = RunState::running;
  std::int64_t due_ms = 0;  ///< 0: now
};

/// Removes ended runs with all of their records and what their steps reported, those that ended
/// first before the others, and flows that no run uses any more: see retention.hpp. An unfinished
/// run is never removed. Always `written`; written twice it may remove further runs.
///
/// The id of a removed run is free again. Numbers of runs and records are not: later ones are
/// higher than all that there ever were.
struct PruneRuns {
  std::int64_t ended_before_ms = std::numeric_limits<std::int64_t>::max();
  std::size_t keep_newest = 0;  ///< of the runs that have ended, those that ended last
  // How much may go in one transaction, so that others need not wait for long.
  std::size_t runs_max = 256;
  std::size_t records_max = 20'000;  ///< once so many are removed, no further run is
};

using Write = std::variant<StartRun, AppendRecord, NoteProgress, ParkRun, PruneRuns>;

enum class WriteStatus {
  written,         ///< it is durable, and new
  already_exists,  ///< it, or another record in its place, was durable before: see `stored`
  refused,         ///< it was not written and never will be: see `error`
};

struct WriteReply {
  WriteStatus status = WriteStatus::refused;
  RunKey run = 0;
  std::shared_ptr<const Record>
      stored;             ///< the record as stored; with a new run, its `started` record
  bool diverged = false;  ///< with already_exists: the stored record differs from the one given
  RunState state =
      RunState::running;  ///< with StartRun and already_exists: the run's state, as far as noted
  Error error;            ///< with refused
  std::shared_ptr<const Record> opened =
      nullptr;  ///< with a child's start: the parent's record as stored
  /// With a receipt that ends an attempt: what its step last reported, for the next one; null if
  /// nothing.
  std::shared_ptr<const Progress> progress = nullptr;
  std::size_t pruned = 0;  ///< with PruneRuns: the runs that were removed
  bool more = false;       ///< with PruneRuns: there may be more that could go
};

// What can be read.

struct RunRow {
  RunKey key = 0;
  std::string run;
  std::string flow_name;
  RunState state = RunState::running;  ///< as far as noted: exact for ended runs
  std::int64_t due_ms = 0;
  std::int64_t started_ms = 0;
  std::int64_t ended_ms = 0;  ///< 0 while the run is unfinished
  Labels labels = {};         ///< those of the start; `list` and `load` fill them in
  std::string parent = {};    ///< with a child's run: its parent's; filled in as the labels are
  /// What is wrong with what is stored of the run: not to be trusted then, and not loaded. Empty if
  /// nothing is, as far as it was read.
  std::string damage = {};
};

struct StoredRun {
  RunRow row;
  std::shared_ptr<const std::string> flow;  ///< canonical JSON
  Digest flow_digest;
  std::string input;  ///< canonical JSON
  std::string folder;
  std::vector<Record> records;          ///< in their order
  std::vector<Progress> progress = {};  ///< what its steps last reported, by step
};

/// Which runs to list: those of which all of it holds.
struct RunFilter {
  std::optional<RunState> state;
  bool unfinished_only = false;
  std::string flow_name;  ///< the flow's; empty: any
  std::string id_prefix;  ///< what the id begins with
  /// What stands in the stored input, byte for byte: canonical JSON, with the flow's defaults and
  /// without white space. Looks at every input: for people, not for every day's path.
  std::string input_text;
  std::optional<std::int64_t> started_from_ms;    ///< started then or later
  std::optional<std::int64_t> started_before_ms;  ///< started earlier
  Labels labels;                                  ///< what it has, among others, with these values
  RunKey before = std::numeric_limits<RunKey>::max();  ///< only runs with a smaller key
  std::size_t limit = 1000;
};

/// A place in the order of unfinished runs: that of a run, or before all others.
struct DuePlace {
  std::int64_t due_ms = std::numeric_limits<std::int64_t>::min();
  RunKey run = 0;

  bool operator<(const DuePlace& other) const {
    return due_ms != other.due_ms ? due_ms < other.due_ms : run < other.run;
  }
};

/// What readers of a store see. Only what is durable.
///
/// Errors: Errc::io, Errc::busy, Errc::corrupt.
class StoreView {
 public:
  virtual ~StoreView() = default;

  /// The run and all of its records; nothing if there is no such run.
  virtual Result<std::optional<StoredRun>> load(const std::string& run) = 0;
  virtual Result<std::optional<StoredRun>> load(RunKey key) = 0;

  /// Runs, the newest first.
  virtual Result<std::vector<RunRow>> list(const RunFilter& filter) = 0;

  /// Unfinished runs that are due at `now_ms`, the earliest due first, then by key; at most
  /// `limit`, and only those after the place given.
  virtual Result<std::vector<RunRow>> due(std::int64_t now_ms, std::size_t limit,
                                          const DuePlace& after) = 0;

  /// The earliest due time after `now_ms` of an unfinished run; nothing if there is none.
  virtual Result<std::optional<std::int64_t>> next_due_ms(std::int64_t now_ms) = 0;

  virtual Result<std::int64_t> count_unfinished() = 0;
};

/// How a store's log stands: what is written goes there first, and from there to the main file.
struct StoreLog {
  std::int64_t bytes = 0;  ///< what it holds since it was last begun anew, whatever its file's size
  bool held = false;       ///< whether it was to be begun anew, and goes on growing instead
  std::string failure = {};  ///< why it could not be moved into the main file; empty if it could,
                             ///< as far as those let it who read
};

/// Waits for the disk to have what was written ahead when it was made.
class LogSync {
 public:
  virtual ~LogSync() = default;

  /// Errors:  Errc::io, Errc::full.
  /// Threads: any, one at a time; the store may write further batches ahead meanwhile.
  virtual Result<void> wait() = 0;
};

/// A store with the right to write: one owner at a time.
///
/// Threads: one at a time.
class Store : public StoreView {
 public:
  /// Writes a batch in one transaction. When it returns, everything that it answers is durable.
  ///
  /// Given:   `now_ms`, stamped on the records.
  /// Returns: one reply per write, in order. A write that is refused does not hinder the others.
  /// Errors:  for the whole batch, of which nothing was answered:
  ///          Errc::io, Errc::full, Errc::busy: whether it lasted is unknown; write the same again.
  ///          Errc::fenced: another owner took over; it was not written, and nothing will be.
  ///          Errc::store_moved: the store's file is not where it was; whether it was written is
  ///          unknown, and nothing will be.
  ///          Errc::corrupt, Errc::foreign_file: the file is damaged; it was not written.
  ///          Errc::too_large: a value is larger than the store can hold; it was not written.
  virtual Result<std::vector<WriteReply>> write(const std::vector<const Write*>& batch,
                                                std::int64_t now_ms) = 0;

  /// Writes a batch as `write` does, but does not wait for the disk: a power loss may undo it, and
  /// nothing of it may be told before it is settled. Further batches may be written ahead
  /// meanwhile. Whatever else is to be done with the store, `settle` comes first.
  ///
  /// Stores that know no such thing write it as `write` does, and have nothing to settle.
  ///
  /// Errors: those of `write`; and then too `settle` comes next, for those that were written ahead
  ///         before.
  virtual Result<std::vector<WriteReply>> write_ahead(const std::vector<const Write*>& batch,
                                                      std::int64_t now_ms) {
    return write(batch, now_ms);
  }

  /// For all that is written ahead; null if everything is durable, or nobody else can wait for it:
  /// then `settle` does.
  virtual std::shared_ptr<LogSync> log_sync() { return nullptr; }

  /// What was written ahead when `sync` was made is durable, if this gives no error.
  ///
  /// Given:  `waited`, what `sync` gave.
  /// Errors: those of `write`, for all that is written ahead, later batches too: whether it lasted
  ///         is unknown; write the same again.
  virtual Result<void> settle(const LogSync& sync, Result<void> waited) {
    static_cast<void>(sync);
    return waited;
  }

  /// The same for all that is written ahead; waits for the disk itself.
  virtual Result<void> settle() { return {}; }

  /// The number of this ownership: higher than that of every owner before.
  virtual std::int64_t epoch() const = 0;

  /// The time on the last record that was ever written before the store was opened; 0 if there was
  /// none.
  virtual std::int64_t opened_at_ms() const = 0;

  /// The size of the log's file, which is not cut when its content has gone to the main file; 0 for
  /// stores without a log.
  virtual std::int64_t wal_bytes() const = 0;

  /// What the log holds, as of the last write. Costs nothing; stores without a log need none.
  virtual StoreLog log() const { return {}; }
};

}  // namespace pawl
