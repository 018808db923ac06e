#include <pawl/sqlite_store.hpp>

#include "runtime/mutant.hpp"
#include "store/batch_points.hpp"
#include "store/high_water.hpp"
#include "store/meta.hpp"
#include "store/migration.hpp"
#include "store/onlookers.hpp"
#include "store/page_damage.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"
#include "store/sqlite_reads.hpp"
#include "store/sqlite_writer.hpp"
#include "store/store_file.hpp"
#include "store/writer_sql.hpp"
#include "store/written_ahead.hpp"

#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include <optional>
#include <utility>

namespace pawl {

namespace {

/// Invariants:
/// 1. Nothing is answered before the COMMIT that holds it has returned, into the file that the path
///    leads to. What is written ahead is settled by a sync of the log that began after its COMMIT.
/// 2. Every transaction begins by checking that this owner's epoch is still the file's.
/// 3. Nothing is answered before the high-water mark tells of it, and no store is opened that has
///    less than its mark says.
/// 4. After an error of which the outcome is unknown the connection is opened anew before it is
///    used again, its log is emptied into the main file, and what was counted in memory is read
///    back: a retry of COMMIT or fsync could report success for lost data.
/// 5. While `ahead_` is there, the connection is the one that wrote ahead: nothing is read, nor
///    written but ahead, until it is settled. What a failed sync may have lost is written to the
///    log again and synced, before anything else is done and before the log is used for anything.
class SqliteStore final : public Store {
 public:
  SqliteStore(SqliteConnection::WriterOptions options, std::unique_ptr<OwnerLock> lock,
              bool accepts_loss)
      : options_(std::move(options)), lock_(std::move(lock)), accepts_loss_(accepts_loss) {}

  ~SqliteStore() override {
    // It may lack what its index has: whoever opens it next looks at it anew.
    if (ahead_.has_failed() && connection_) connection_->leave_the_log();
    // The file is closed before the lock is given up.
    writer_.reset();
    connection_.reset();
  }

  Result<void> open() {
    Result<void> opened = open_once();
    if (opened || opened.error().code != Errc::corrupt) return opened;
    const auto pages = pages_of_damaged_rows(options_.path, options_.vfs);
    if (!pages) return opened;
    options_.accepted = *pages;
    return open_once();
  }

  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& batch,
                                        std::int64_t now_ms) override {
    if (Result<void> ready = settle_failed(); !ready) return ready.error();
    auto replies = past_damaged_rows([&] { return write_transaction(batch, now_ms); });
    onlookers_.tell(replies, now_ms);
    return replies;
  }

  Result<std::vector<WriteReply>> write_ahead(const std::vector<const Write*>& batch,
                                              std::int64_t now_ms) override {
    if (broken_ || ahead_.has_failed())
      if (Result<void> ready = settle_failed(); !ready) return ready.error();
    const auto commit = [&] { return commit_ahead(batch, now_ms); };
    auto replies = ahead_.is_there() ? on_a_whole_connection(commit) : past_damaged_rows(commit);
    last_write_ms_ = now_ms;
    if (!replies) onlookers_.tell(replies, now_ms);
    return replies;
  }

  std::shared_ptr<LogSync> log_sync() override {
    return ahead_.is_there() ? ahead_.sync(*connection_, options_) : nullptr;
  }

  Result<void> settle(const LogSync& sync, Result<void> waited) override {
    if (!ahead_.is_there()) return waited;
    return settled(ahead_.settle(*connection_, sync, waited));
  }

  Result<void> settle() override {
    return ahead_.is_there() ? settled(ahead_.wait(*connection_)) : Result<void>();
  }

  std::int64_t epoch() const override { return epoch_; }

  std::int64_t opened_at_ms() const override { return opened_at_ms_; }

  std::int64_t wal_bytes() const override {
    return connection_ ? log_file_bytes(connection_->db().getHandle()) : 0;
  }

  StoreLog log() const override { return connection_ ? connection_->log() : StoreLog{}; }

  Result<std::optional<StoredRun>> load(const std::string& run) override {
    return read([&] { return read_run(*connection_, run); });
  }

  Result<std::optional<StoredRun>> load(RunKey key) override {
    return read([&] { return read_run(*connection_, key); });
  }

  Result<std::vector<RunRow>> list(const RunFilter& filter) override {
    return read([&] { return read_list(*connection_, filter); });
  }

  Result<std::vector<RunRow>> due(std::int64_t now_ms, std::size_t limit,
                                  const DuePlace& after) override {
    return read([&] { return read_due(*connection_, now_ms, limit, after); });
  }

  Result<std::optional<std::int64_t>> next_due_ms(std::int64_t now_ms) override {
    return read([&] { return read_next_due_ms(*connection_, now_ms); });
  }

  Result<std::int64_t> count_unfinished() override {
    return read([&] { return read_count_unfinished(*connection_); });
  }

 private:
  Result<void> open_once() {
    connection_.reset();
    return guarded(options_.path, [&]() -> Result<void> {
      std::optional<HighWater> mark;
      if (!accepts_loss_) mark = HighWaterFile::read(options_.path, options_.vfs);
      options_.may_be_new = !mark;
      mend_log(options_.path, options_.vfs);
      // SQLite would make the file readable for everybody; runs hold what nobody else should see.
      if (options_.vfs.empty() && options_.may_be_new) create_private_file(options_.path);
      auto opened = SqliteConnection::open_writer(options_);
      if (!opened) return opened.error();
      connection_ = std::move(*opened);
      options_.may_be_new = false;
      if (Result<void> kept = check_against_mark(mark); !kept) return kept;
      // A reader in the way is no reason to fail: the first commit syncs the log, as any commit.
      const Result<void> emptied = empty_the_log();
      if (!emptied && emptied.error().code != Errc::busy) return emptied;
      if (emptied) seal_pages();
      SQLite::Transaction transaction(connection_->db(), SQLite::TransactionBehavior::IMMEDIATE);
      migrate(*connection_);
      if (stored_epoch() < 0)
        return make_error(
            Errc::corrupt,
            "the store's number \"epoch\" is not there; restore the store from a backup",
            options_.path);
      if (!mutant("epoch_not_raised")) write_meta(*connection_, "epoch", stored_epoch() + 1);
      epoch_ = stored_epoch();
      writer_ = std::make_unique<SqliteWriter>(*connection_, epoch_);
      opened_at_ms_ = writer_->last_at_ms();
      transaction.commit();
      if (options_.vfs.empty()) {
        Result<StoreFile> file = StoreFile::at(options_.path);
        if (!file) return file.error();
        file_ = std::move(*file);
      }
      mark_file_ = std::make_unique<HighWaterFile>(options_.path, options_.vfs);
      set_mark();
      return {};
    });
  }

  Result<void> reconnect_if_broken() {
    if (!broken_) return {};
    writer_.reset();
    connection_.reset();
    if (Result<void> in_place = is_in_place(); !in_place) return in_place;
    return guarded(options_.path, [&]() -> Result<void> {
      auto opened = SqliteConnection::open_writer(options_);
      if (!opened) return opened.error();
      connection_ = std::move(*opened);
      if (Result<void> kept = check_against_mark(mark_file_->reached()); !kept) return kept;
      if (Result<void> emptied = empty_the_log(); !emptied) return emptied;
      ahead_.forget_file();
      writer_ = std::make_unique<SqliteWriter>(*connection_, epoch_);
      broken_ = false;
      return {};
    });
  }

  /// Whether the file has what was acknowledged. If not, all of it is left as it is: whoever has
  /// the log that belongs to it can put it back.
  Result<void> check_against_mark(const std::optional<HighWater>& mark) {
    if (!mark || mutant("mark_not_checked")) return {};
    Result<void> checked = check_high_water(mark, read_high_water(*connection_), options_.path);
    if (!checked) connection_->leave_the_log();
    return checked;
  }

  /// Notes how far the store has come.
  void set_mark() { mark_file_->reach(writer_->high_water()); }

  Result<void> settled(const Result<HighWater>& reached) {
    const Result<void> told = guarded(options_.path, [&]() -> Result<void> {
      if (!reached) return reached.error();
      // Into a file that nobody will find: then it may not be answered.
      if (Result<void> in_place = is_in_place(); !in_place) return in_place;
      mark_file_->reach(*reached);
      return {};
    });
    if (!told) {
      ahead_.note_failure();
      mark_file_->note_failed_sync();
    }
    onlookers_.tell(told, last_write_ms_);
    return told;
  }

  /// Settles what could not be settled when it was asked for.
  Result<void> settle_failed() {
    if (ahead_.is_there() && !ahead_.has_failed())
      return make_error(Errc::internal, "what was written ahead is to be settled first",
                        options_.path);
    return settle();
  }

  /// Moves the log into the main file, and syncs that. What a failed sync left in the log looks
  /// committed to whoever opens it next: a repeated batch would be answered without any sync.
  Result<void> empty_the_log() {
    if (mutant("log_not_emptied_after_error")) return {};
    return connection_->empty_the_log();
  }

  /// Whether what is written now will be found. Simulated disks lose no files.
  ///
  /// Errors: those of `StoreFile::check`.
  Result<void> is_in_place() const { return file_ ? file_->check() : Result<void>(); }

  template <class Read>
  auto read(Read&& read) -> decltype(read()) {
    if (Result<void> ready = settle_failed(); !ready) return ready.error();
    return past_damaged_rows(std::forward<Read>(read));
  }

  /// Does `work`, once more if damaged pages were in its way whose rows alone are damaged.
  template <class Work>
  auto past_damaged_rows(Work&& work) -> decltype(work()) {
    return guarded(options_.path, [&] { return past_damaged_rows_unguarded(work); });
  }

  template <class Work>
  auto past_damaged_rows_unguarded(Work& work) -> decltype(work()) {
    auto result = on_a_whole_connection(work);
    if (result || result.error().code != Errc::corrupt || !accept_damaged_rows()) return result;
    return on_a_whole_connection(work);
  }

  /// Gives pages that another program has written their checksums.
  void seal_pages() {
    const std::vector<std::int64_t> unsealed = unsealed_pages(options_.accepted);
    if (unsealed.empty()) return;
    const int code = rewrite_pages(connection_->db().getHandle(), unsealed);
    if (code != SQLITE_OK) throw SQLite::Exception(connection_->db().getHandle(), code);
  }

  /// Whether damaged pages were in the way in which rows alone are damaged: the next connection
  /// reads them, for each row tells of itself.
  bool accept_damaged_rows() {
    if (!connection_ || !has_damaged_pages(take_damaged_pages(connection_->db().getHandle())))
      return false;
    auto pages = pages_of_damaged_rows(options_.path, options_.vfs);
    if (!pages) return false;
    options_.accepted = std::move(*pages);
    return true;
  }

  /// Runs `work`; after an error the next work gets a connection that is opened anew.
  template <class Work>
  auto on_a_whole_connection(Work&& work) -> decltype(work()) {
    if (Result<void> ready = reconnect_if_broken(); !ready) return ready.error();
    broken_ = true;  // until it is known not to be: even an error may lack the memory to be told
    auto result = guarded(options_.path, work);
    if (result) {
      broken_ = false;
      return result;
    }
    connection_->roll_back();
    return result;
  }

  std::int64_t stored_epoch() { return read_meta(*connection_, "epoch").value_or(-1); }

  Result<std::vector<WriteReply>> write_transaction(const std::vector<const Write*>& batch,
                                                    std::int64_t now_ms) {
    auto replies = add(batch, now_ms);
    if (!replies) return replies;
    commit();
    // Into a file that nobody will find: then it may not be answered.
    if (Result<void> in_place = is_in_place(); !in_place) return in_place.error();
    batch_point("store.after_commit", batch);
    set_mark();
    return replies;
  }

  Result<std::vector<WriteReply>> commit_ahead(const std::vector<const Write*>& batch,
                                               std::int64_t now_ms) {
    UnsyncedLog* const log = connection_->unsynced_log();
    if (log == nullptr) return write_transaction(batch, now_ms);
    const UnsyncedLog::Keeping keeping(*log);
    auto replies = add(batch, now_ms);
    if (!replies) return replies;
    commit();
    ahead_.note(writer_->high_water());
    if (mutant("mark_before_sync")) set_mark();
    return replies;
  }

  /// Begins a transaction, and does in it what the batch says.
  Result<std::vector<WriteReply>> add(const std::vector<const Write*>& batch, std::int64_t now_ms) {
    std::vector<WriteReply> replies;
    replies.reserve(batch.size());
    StatementUse(connection_->statement(writer_sql::begin))->exec();
    if (const std::int64_t epoch = stored_epoch(); epoch != epoch_ && !mutant("epoch_not_checked"))
      return make_error(Errc::fenced,
                        "the store has a newer owner (epoch " + std::to_string(epoch) +
                            "); this engine, epoch " + std::to_string(epoch_) + ", writes no more",
                        options_.path);
    writer_->begin(now_ms);
    for (const Write* write : batch) {
      if (mutant("tail_of_batch_dropped") && batch.size() > 1 && write == batch.back()) {
        replies.push_back(answer_unwritten(*write));
        continue;
      }
      replies.push_back(std::visit([&](const auto& what) { return writer_->apply(what); }, *write));
    }
    writer_->end();
    batch_point("store.before_commit", batch);
    return replies;
  }

  void commit() {
    if (mutant("mark_before_commit")) set_mark();
    if (mutant("commit_error_swallowed")) {
      try {
        StatementUse(connection_->statement(writer_sql::commit))->exec();
      } catch (const std::exception&) {
        connection_->roll_back();
      }
    } else {
      StatementUse(connection_->statement(writer_sql::commit))->exec();
    }
  }

  /// Seeded bug: an answer for what was not written.
  static WriteReply answer_unwritten(const Write& write) {
    WriteReply reply;
    reply.status = WriteStatus::written;
    if (const auto* append = std::get_if<AppendRecord>(&write)) reply.stored = append->record;
    return reply;
  }

  SqliteConnection::WriterOptions options_;
  std::unique_ptr<OwnerLock> lock_;
  std::unique_ptr<SqliteConnection> connection_;
  std::unique_ptr<SqliteWriter> writer_;
  bool accepts_loss_;
  std::unique_ptr<HighWaterFile> mark_file_;
  WrittenAhead ahead_;
  std::optional<StoreFile> file_;  // the one that was opened; none on simulated disks
  bool broken_ = false;
  std::int64_t last_write_ms_ = 0;
  Onlookers onlookers_{lock_.get()};
  std::int64_t epoch_ = 0;
  std::int64_t opened_at_ms_ = 0;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteStoreOptions& options) {
  return guarded(options.path, [&]() -> Result<std::unique_ptr<Store>> {
    SqliteConnection::WriterOptions writer{options.path, options.vfs, options.checkpoint_pages};
    if (options.vfs.empty()) {
      Result<std::string> path = canonical_store_path(options.path);
      if (!path) return path.error();
      writer.path = std::move(*path);
    }
    auto lock = options.take_lock
                    ? options.take_lock(writer.path)
                    : take_file_lock(writer.path, options.lock_wait_ms, options.take_over);
    if (!lock) return lock.error();
    auto store =
        std::make_unique<SqliteStore>(std::move(writer), std::move(*lock), options.accepts_loss);
    if (Result<void> opened = store->open(); !opened) return opened.error();
    return std::unique_ptr<Store>(std::move(store));
  });
}

}  // namespace pawl
