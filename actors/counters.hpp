/// Counters: what the actors count while they work, readable at any time without asking them.
#pragma once

#include <pawl/engine.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pawl {

/// Threads: each member has one writer (named in its comment) and any number of readers.
class Counters {
 public:
  // The store actor.
  std::atomic<std::int64_t> writes_waiting{0};
  std::atomic<std::int64_t> commits{0};
  std::atomic<std::int64_t> writes{0};
  std::atomic<std::int64_t> batch_max{0};
  std::atomic<std::int64_t> wal_bytes{0};

  // The coordinator.
  std::atomic<std::int64_t> steps_completed{0};
  std::atomic<std::int64_t> attempts_running{0};
  std::array<std::atomic<std::int64_t>, 10> live_runs{};   // by RunState
  std::array<std::atomic<std::int64_t>, 10> ended_runs{};  // by RunState

  /// The store actor committed a batch.
  void note_commit(std::int64_t batch, std::int64_t duration_us);

  EngineStats stats() const;

 private:
  std::array<std::atomic<std::int64_t>, 1024> commit_us_{};  // the last ones, in a ring
};

}  // namespace pawl
