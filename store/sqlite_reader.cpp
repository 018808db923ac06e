#include <pawl/sqlite_store.hpp>

#include "store/high_water.hpp"
#include "store/page_damage.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Transaction.h>

#include <optional>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

class SqliteReader final : public StoreView {
 public:
  SqliteReader(std::string path, std::string vfs, std::unique_ptr<SqliteConnection> connection)
      : path_(std::move(path)), vfs_(std::move(vfs)), connection_(std::move(connection)) {}

  Result<std::optional<StoredRun>> load(const std::string& run) override {
    return in_one_moment([&] { return read_run(*connection_, run); });
  }

  Result<std::optional<StoredRun>> load(RunKey key) override {
    return in_one_moment([&] { return read_run(*connection_, key); });
  }

  Result<std::vector<RunRow>> list(const RunFilter& filter) override {
    return in_one_moment([&] { return read_list(*connection_, filter); });
  }

  Result<std::vector<RunRow>> due(std::int64_t now_ms, std::size_t limit,
                                  const DuePlace& after) override {
    return in_one_moment([&] { return read_due(*connection_, now_ms, limit, after); });
  }

  Result<std::optional<std::int64_t>> next_due_ms(std::int64_t now_ms) override {
    return in_one_moment([&] { return read_next_due_ms(*connection_, now_ms); });
  }

  Result<std::int64_t> count_unfinished() override {
    return in_one_moment([&] { return read_count_unfinished(*connection_); });
  }

 private:
  /// A run's row and its records are two statements; a transaction keeps the owner's commits from
  /// falling between. What the owner has written ahead is seen here before it is durable.
  template <class Read>
  auto in_one_moment(Read&& read) -> decltype(read()) {
    const auto once = [&] {
      return guarded(path_, [&]() -> decltype(read()) {
        SQLite::Transaction transaction(connection_->db());
        connection_->db().execAndGet("SELECT count(*) FROM meta");  // the moment
        if (Result<void> durable = await_durability(*connection_, path_, vfs_); !durable)
          return decltype(read())(durable.error());
        return read();
      });
    };
    auto result = once();
    sqlite3* const db = connection_->db().getHandle();
    if (result || result.error().code != Errc::corrupt ||
        !has_damaged_pages(take_damaged_pages(db)))
      return result;
    const auto pages = pages_of_damaged_rows(path_, vfs_);
    if (!pages) return result;
    accept_pages(db, *pages);
    return once();
  }

  std::string path_;
  std::string vfs_;
  std::unique_ptr<SqliteConnection> connection_;
};

Result<std::unique_ptr<StoreView>> open_once(const std::string& path, const std::string& vfs,
                                             const std::vector<DamagedPage>& accepted) {
  return guarded(path, [&]() -> Result<std::unique_ptr<StoreView>> {
    if (vfs.empty() && ::access(path.c_str(), F_OK) != 0)
      return make_error(Errc::io, "there is no such store", path);
    // The mark first: the store goes on meanwhile, and is further than its mark, never behind it.
    const std::optional<HighWater> mark = HighWaterFile::read(path, vfs);
    auto opened = SqliteConnection::open_reader(path, vfs, accepted);
    if (!opened) return opened.error();
    if (Result<void> kept = check_high_water(mark, read_high_water(**opened), path); !kept)
      return kept.error();
    return std::unique_ptr<StoreView>(
        std::make_unique<SqliteReader>(path, vfs, std::move(*opened)));
  });
}

}  // namespace

Result<std::unique_ptr<StoreView>> open_sqlite_reader(const std::string& path,
                                                      const std::string& vfs) {
  auto opened = open_once(path, vfs, {});
  if (opened || opened.error().code != Errc::corrupt) return opened;
  const auto pages = pages_of_damaged_rows(path, vfs);
  return pages ? open_once(path, vfs, *pages) : std::move(opened);
}

}  // namespace pawl
