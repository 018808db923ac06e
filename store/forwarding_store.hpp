/// ForwardingStore: a store that passes everything on to another one, for those that change one
/// thing. It writes nothing ahead: whoever changes `write` need not think of that.
#pragma once

#include <pawl/store.hpp>

#include <memory>
#include <utility>

namespace pawl {

class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}

  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& batch,
                                        std::int64_t now_ms) override {
    return store_->write(batch, now_ms);
  }

  std::int64_t epoch() const override { return store_->epoch(); }

  std::int64_t opened_at_ms() const override { return store_->opened_at_ms(); }

  std::int64_t wal_bytes() const override { return store_->wal_bytes(); }

  StoreLog log() const override { return store_->log(); }

  Result<std::optional<StoredRun>> load(const std::string& run) override {
    return store_->load(run);
  }

  Result<std::optional<StoredRun>> load(RunKey key) override { return store_->load(key); }

  Result<std::vector<RunRow>> list(const RunFilter& filter) override {
    return store_->list(filter);
  }

  Result<std::vector<RunRow>> due(std::int64_t now_ms, std::size_t limit,
                                  const DuePlace& after) override {
    return store_->due(now_ms, limit, after);
  }

  Result<std::optional<std::int64_t>> next_due_ms(std::int64_t now_ms) override {
    return store_->next_due_ms(now_ms);
  }

  Result<std::int64_t> count_unfinished() override { return store_->count_unfinished(); }

 protected:
  std::unique_ptr<Store> store_;
};

}  // namespace pawl
