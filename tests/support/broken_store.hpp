// A store in memory that fails when a test says so.
#pragma once

#include <pawl/memory_store.hpp>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace pawl {

/// What a test and its stores share.
struct BrokenDisk {
  int failing_batches = 0;            ///< the next so many batches fail
  Errc failure = Errc::io;            ///< how
  bool failing_batches_last = false;  ///< they are written all the same: the worst kind of unknown
  std::function<bool(const Write&)> fails;  ///< if set, only batches with such a write fail
  std::function<void()> on_batch;           ///< called before each batch
  int failing_loads = 0;                    ///< the next so many reads of a run fail, likewise

  std::vector<std::size_t> batch_sizes;  ///< of those that succeeded
  int failed_batches = 0;
};

class BrokenStore final : public Store {
 public:
  BrokenStore(std::shared_ptr<MemoryFile> file, std::shared_ptr<BrokenDisk> disk)
      : file_(std::move(file)), store_(open_memory_store(file_)), disk_(std::move(disk)) {}

  /// Becomes the file's owner once more, in a new epoch.
  void own_again() { store_ = open_memory_store(file_); }

  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& batch,
                                        std::int64_t now_ms) override {
    if (disk_->on_batch) disk_->on_batch();
    bool concerned = !disk_->fails;
    for (const Write* write : batch) concerned = concerned || disk_->fails(*write);
    if (disk_->failing_batches == 0 || !concerned) {
      disk_->batch_sizes.push_back(batch.size());
      return store_->write(batch, now_ms);
    }
    --disk_->failing_batches;
    ++disk_->failed_batches;
    if (disk_->failing_batches_last) {
      const auto written = store_->write(batch, now_ms);
      if (!written) return written;
    }
    return make_error(disk_->failure, "the disk is broken");
  }

  std::int64_t epoch() const override { return store_->epoch(); }

  std::int64_t opened_at_ms() const override { return store_->opened_at_ms(); }

  std::int64_t wal_bytes() const override { return 0; }

  Result<std::optional<StoredRun>> load(const std::string& run) override {
    if (disk_->failing_loads == 0) return store_->load(run);
    --disk_->failing_loads;
    return make_error(disk_->failure, "the disk is broken");
  }

  Result<std::optional<StoredRun>> load(RunKey key) override { return store_->load(key); }

  Result<std::vector<RunRow>> list(const RunFilter& filter) override {
    return store_->list(filter);
  }

  Result<std::vector<RunRow>> due(std::int64_t now_ms, std::size_t limit) override {
    return store_->due(now_ms, limit);
  }

  Result<std::optional<std::int64_t>> next_due_ms(std::int64_t now_ms) override {
    return store_->next_due_ms(now_ms);
  }

  Result<std::int64_t> count_unfinished() override { return store_->count_unfinished(); }

 private:
  std::shared_ptr<MemoryFile> file_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<BrokenDisk> disk_;
};

}  // namespace pawl
