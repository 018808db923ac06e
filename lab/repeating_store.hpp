/// RepeatingStore: a store that is asked twice, as by a sender that does not know what became of
/// its first request.
#pragma once

#include "store/forwarding_store.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace pawl::lab {

class RepeatingStore final : public ForwardingStore {
 public:
  /// Given: `repeat`, set to have the batch that is being written written once more; reset by it.
  RepeatingStore(std::unique_ptr<Store> store, bool& repeat)
      : ForwardingStore(std::move(store)), repeat_(repeat) {}

  /// Answers what the second write was answered, if there is one: nothing may be lost by it.
  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& batch,
                                        std::int64_t now_ms) override {
    auto written = ForwardingStore::write(batch, now_ms);
    if (!std::exchange(repeat_, false) || !written) return written;
    return ForwardingStore::write(batch, now_ms);
  }

  Result<std::vector<WriteReply>> write_ahead(const std::vector<const Write*>& batch,
                                              std::int64_t now_ms) override {
    auto written = store_->write_ahead(batch, now_ms);
    if (!std::exchange(repeat_, false) || !written) return written;
    written = store_->write_ahead(batch, now_ms);
    if (!written) static_cast<void>(store_->settle().has_value());  // nobody knows of the first
    return written;
  }

  std::shared_ptr<LogSync> log_sync() override { return store_->log_sync(); }

  Result<void> settle(const LogSync& sync, Result<void> waited) override {
    return store_->settle(sync, std::move(waited));
  }

  Result<void> settle() override { return store_->settle(); }

 private:
  bool& repeat_;
};

}  // namespace pawl::lab
