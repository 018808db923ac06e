#include "store/written_ahead.hpp"

#include "runtime/mutant.hpp"
#include "store/sqlite_error.hpp"

#include <sqlite3.h>

#include <atomic>
#include <string>
#include <utility>

namespace pawl {

namespace {

class LogFileSync final : public LogSync {
 public:
  LogFileSync(std::shared_ptr<SideFile> file, std::string where, const HighWater& reached,
              UnsyncedLog& log)
      : file_(std::move(file)),
        where_(std::move(where)),
        reached_(reached),
        place_(log.written()),
        failure_(log.failure()) {}

  Result<void> wait() override {
    Result<void> waited = guarded(where_, [this] {
      if (!mutant("written_ahead_not_synced")) file_->sync();
      return Result<void>();
    });
    // Whoever syncs the log before this is heard of must know.
    if (!waited) *failure_ = true;
    return waited;
  }

  // How far store and log had come when this was made.
  const HighWater& reached() const { return reached_; }

  UnsyncedLog::Place place() const { return place_; }

 private:
  std::shared_ptr<SideFile> file_;
  std::string where_;
  HighWater reached_;
  UnsyncedLog::Place place_;
  std::shared_ptr<std::atomic<bool>> failure_;
};

}  // namespace

std::shared_ptr<LogSync> WrittenAhead::sync(SqliteConnection& connection,
                                            const SqliteConnection::WriterOptions& store) {
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL;
  UnsyncedLog* const log = connection.unsynced_log();
  if (!reached_ || has_failed_ || log == nullptr) return nullptr;
  std::shared_ptr<LogSync> sync;
  // Whoever gets none waits for SQLite's own handle.
  static_cast<void>(guarded(store.path, [&] {
    if (!file_)
      file_ = std::make_shared<SideFile>("the store's log", store.path + "-wal", store.vfs, flags);
    sync = std::make_shared<LogFileSync>(file_, store.path, *reached_, *log);
    return Result<void>();
  }));
  return sync;
}

Result<HighWater> WrittenAhead::settle(SqliteConnection& connection, const LogSync& sync,
                                       const Result<void>& waited) {
  const auto& of = static_cast<const LogFileSync&>(sync);
  UnsyncedLog& log = *connection.unsynced_log();
  if (waited && log.has_failed()) return wait(connection);  // another sync has, meanwhile
  if (waited) log.forget_before(of.place());
  return settled(of.reached(), waited);
}

Result<HighWater> WrittenAhead::wait(SqliteConnection& connection) {
  return settled(*reached_, guarded(connection.db().getFilename(), [&] {
    if (!mutant("written_ahead_not_synced")) connection.sync_the_log();
    return Result<void>();
  }));
}

Result<HighWater> WrittenAhead::settled(const HighWater& reached, const Result<void>& waited) {
  has_failed_ = !waited;
  if (!waited && !mutant("failed_sync_ignored")) return waited.error();
  const HighWater durable = reached;
  if (*reached_ == durable) reached_.reset();
  return durable;
}

}  // namespace pawl
