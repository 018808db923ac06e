// A store in memory that fails when a test says so.
#pragma once

#include <pawl/memory_store.hpp>

#include "store/forwarding_store.hpp"

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

class BrokenStore final : public ForwardingStore {
 public:
  BrokenStore(std::shared_ptr<MemoryFile> file, std::shared_ptr<BrokenDisk> disk)
      : ForwardingStore(open_memory_store(file)), file_(std::move(file)), disk_(std::move(disk)) {}

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

  using ForwardingStore::load;

  Result<std::optional<StoredRun>> load(const std::string& run) override {
    if (disk_->failing_loads == 0) return store_->load(run);
    --disk_->failing_loads;
    return make_error(disk_->failure, "the disk is broken");
  }

 private:
  std::shared_ptr<MemoryFile> file_;
  std::shared_ptr<BrokenDisk> disk_;
};

}  // namespace pawl
