/// The clock, the chance and the actor system's settings of a world without threads.
#pragma once

#include <pawl/clock.hpp>

#include "lab/chance.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <chrono>
#include <cstdint>

namespace pawl::lab {

/// One system configuration for all lives: making it costs more than a life.
struct SystemConfig : caf::actor_system_config {
  SystemConfig() {
    set("scheduler.policy", caf::atom("testing"));
    set("logger.file-verbosity", caf::atom("quiet"));
    set("logger.console-verbosity", caf::atom("quiet"));
  }
};

/// Time as the scheduler has it: it passes when the scheduler says so.
struct SchedulerClock final : Clock {
  SchedulerClock(caf::scheduler::test_coordinator& given, std::int64_t start)
      : scheduler(given), start_ms(start) {}

  std::int64_t now_ms() const override { return start_ms + steady_us() / 1000 - 1000; }

  std::int64_t steady_us() const override {
    const auto elapsed = scheduler.clock().now().time_since_epoch();
    return 1'000'000 + std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
  }

  caf::scheduler::test_coordinator& scheduler;
  std::int64_t start_ms;
};

/// Chance that follows from a seed.
struct SeededRandom final : RandomSource {
  explicit SeededRandom(std::uint64_t seed) : chance(seed) {}

  std::uint64_t next() override { return chance.next(); }

  Chance chance;
};

}  // namespace pawl::lab
