#include "lab/random_case.hpp"

#include <pawl/point.hpp>

#include "lab/chance.hpp"
#include "runtime/plan.hpp"

#include <algorithm>

namespace pawl::lab {

namespace {

/// One to three, at any points.
void add_mishaps(Life& life, Chance& chance, const Options& options) {
  const auto& points = protocol_points();
  for (std::uint64_t more = 1 + chance.below(3); more > 0; --more) {
    Mishap mishap;
    mishap.point = points[chance.below(points.size())];
    mishap.visit = static_cast<int>(1 + chance.below(6));
    const std::vector<MishapKind> kinds = mishaps_at(mishap.point);
    if (kinds.empty()) continue;
    mishap.kind = kinds[chance.below(kinds.size())];
    const bool fails_a_step = mishap.kind == MishapKind::kill || mishap.point == "step.before_body";
    if (options.steps_fail || !fails_a_step) life.mishaps.push_back(std::move(mishap));
  }
}

}  // namespace

LabCase random_case_for(const Scenario& scenario, std::uint64_t seed, const Options& options,
                        std::int64_t positions) {
  Chance chance(seed * 7919 + 17);
  LabCase made;
  made.disk_lies = options.disk_lies;
  const auto length = static_cast<std::uint64_t>(std::max<std::int64_t>(positions, 40)) +
                      20 * static_cast<std::uint64_t>(scenario.runs.size());
  const std::uint64_t lives = 1 + chance.below(3);
  for (std::uint64_t i = 0; i < lives; ++i) {
    Life life;
    life.seed = chance.next() % 1'000'000'007 + 1;
    if (chance.below(10) < 7)
      life.crash = Crash{
          static_cast<std::size_t>(chance.below(length * 5 / 4)),
          options.losses.empty() ? Loss::kill : options.losses[chance.below(options.losses.size())],
          chance.next() % 1'000'000};
    if (chance.below(10) < 4) {
      static constexpr FaultKind kinds[] = {FaultKind::io, FaultKind::full, FaultKind::nomem,
                                            FaultKind::busy, FaultKind::short_read};
      const auto first = static_cast<std::int64_t>(chance.below(length * 2));
      life.faults.push_back({first, kinds[chance.below(5)], chance.below(5) == 0});
      // A disk that fails for a moment fails more than once.
      if (!life.faults.front().for_ever && chance.below(3) == 0)
        for (auto next = first + 1, last = first + static_cast<std::int64_t>(chance.below(40));
             next <= last; ++next)
          life.faults.push_back({next, FaultKind::io, false});
    }
    if (chance.below(4) == 0) add_mishaps(life, chance, options);
    Weather& weather = life.weather;
    if (chance.below(3) == 0) weather.early_timers = static_cast<int>(5 + chance.below(60));
    if (chance.below(3) == 0) weather.slow_steps = static_cast<int>(50 + chance.below(400));
    if (chance.below(3) == 0) weather.stalls = static_cast<int>(5 + chance.below(100));
    if (chance.below(4) == 0) weather.readers = static_cast<int>(2 + chance.below(20));
    if (options.cancels && chance.below(4) == 0)
      weather.cancels = static_cast<int>(2 + chance.below(15));
    if (options.steps_fail) {
      if (chance.below(3) == 0) weather.failed_steps = static_cast<int>(50 + chance.below(400));
      if (chance.below(4) == 0) weather.lost_answers = static_cast<int>(50 + chance.below(300));
      if (chance.below(5) == 0) weather.killed_runners = static_cast<int>(5 + chance.below(60));
    }
    if (chance.below(6) == 0) weather.pauses = static_cast<int>(5 + chance.below(40));
    made.lives.push_back(std::move(life));
  }
  return made;
}

}  // namespace pawl::lab
