/// BatchesAhead: what is written ahead of the disk, and for what of it a sync goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace pawl {

/// A sync makes durable what was there when it began, and nothing that came later.
///
/// Threads: one at a time.
template <class Batch>
class BatchesAhead {
 public:
  static constexpr std::size_t batches_max = 2;

  bool empty() const { return batches_.empty(); }

  /// Whether there is no room: a sync goes on for one, and the next one is there.
  bool full() const { return batches_.size() >= batches_max; }

  std::size_t size() const { return batches_.size(); }

  void add(Batch batch) { batches_.push_back(std::move(batch)); }

  /// A sync begins, elsewhere. Gives its number, by which its end is known.
  std::uint64_t sync_begins() {
    syncing_ = batches_.size();
    return ++last_sync_;
  }

  bool is_syncing() const { return syncing_ > 0; }

  /// How many of these, the oldest ones, are durable by that sync; 0 if all of them were settled
  /// without it meanwhile.
  std::size_t durable_by(std::uint64_t sync) const { return sync == last_sync_ ? syncing_ : 0; }

  /// They are settled one by one, the oldest first.
  Batch take_oldest() {
    Batch oldest = std::move(batches_.front());
    batches_.pop_front();
    if (syncing_ > 0) --syncing_;
    return oldest;
  }

 private:
  std::deque<Batch> batches_;
  std::size_t syncing_ = 0;  // of these, those for which a sync goes on elsewhere
  std::uint64_t last_sync_ = 0;
};

}  // namespace pawl
