#include "actors/housekeeper.hpp"

#include "actors/actor_manners.hpp"
#include "actors/durable_write.hpp"

#include <caf/duration.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

namespace {

using Self = HousekeeperActor::stateful_pointer<HousekeeperState>;
using Then = std::function<void(const Result<Pruned>&)>;

/// Others that write meanwhile are let write in peace, so many times as long as a portion took.
struct Pace {
  std::int64_t pauses;
  std::int64_t pause_us_max;  ///< it may have been the disk that hung
};

/// With what a portion leaves for the next commits to do, others keep four fifths of what they had.
/// Who asks through the control socket is answered within 5 s.
constexpr Pace asked{6, 3'000'000};

/// Under a load that ends runs by thousands a second it has to keep up.
constexpr Pace by_itself{4, 50'000};

/// Removes a portion, and the next ones. A portion whose outcome is unknown is not repeated:
/// whoever wants it asks again.
void prune(Self self, const PruneOptions& options, std::size_t removed, const Pace& pace,
           const Then& then) {
  const std::int64_t began_us = self->state.config.clock->steady_us();
  if (const std::int64_t early_us = self->state.peace_until_us - began_us; early_us > 0)
    return later(self, std::chrono::microseconds(early_us),
                 [=] { prune(self, options, removed, pace, then); });
  const PruneRuns portion = next_portion(options, removed);
  const std::int64_t writes_before = self->state.config.counters->writes;
  self->request(self->state.config.store, caf::infinite,
                WriteGroupPtr(std::make_shared<const std::vector<Write>>(1, Write(portion))))
      .then(
          [=](const WriteGroupAnswer& answer) {
            const std::int64_t now_us = self->state.config.clock->steady_us();
            if (self->state.config.counters->writes > writes_before + 1)
              self->state.peace_until_us =
                  now_us + std::min(pace.pause_us_max, pace.pauses * (now_us - began_us));
            if (!answer->has_value()) return then(answer->error());
            const WriteReply& reply = (*answer)->front();
            const Pruned sum{removed + reply.pruned, reply.more};
            if (!sum.more || reply.pruned == 0 || sum.runs >= options.limit) return then(sum);
            prune(self, options, sum.runs, pace, then);
          },
          [=](const caf::error&) {
            then(make_error(Errc::engine_lost, "the store's actor is gone"));
          });
}

/// What the retention wants gone now.
std::vector<PruneOptions> wanted(const Retention& retention, std::int64_t now_ms) {
  std::vector<PruneOptions> all;
  if (retention.max_age_ms) all.push_back({now_ms - *retention.max_age_ms, std::nullopt});
  if (retention.max_runs) all.push_back({std::nullopt, *retention.max_runs});
  return all;
}

void keep_house(Self self);

void prune_all(Self self, std::vector<PruneOptions> all) {
  if (all.empty()) {
    const std::int64_t pause_ms =
        std::max<std::int64_t>(1, self->state.config.retention.check_every_ms);
    return later(self, std::chrono::milliseconds(pause_ms), [self] { keep_house(self); });
  }
  const PruneOptions next = all.back();
  all.pop_back();
  prune(self, next, 0, by_itself, [self, all](const Result<Pruned>& pruned) {
    const std::shared_ptr<Reporter>& reporter = self->state.config.reporter;
    if (!pruned)
      reporter->log(LogLevel::warning, "ended runs are kept for now, for they cannot be removed: " +
                                           pruned.error().text());
    else if (pruned->runs > 0)
      reporter->log(LogLevel::info, std::to_string(pruned->runs) + " ended runs were removed");
    // An engine that was overtaken, or has lost its store, has no house to keep.
    const bool is_over = !pruned && is_for_good(pruned.error().code);
    if (!is_over) prune_all(self, all);
  });
}

void keep_house(Self self) {
  const HousekeeperConfig& config = self->state.config;
  prune_all(self, wanted(config.retention, config.clock->now_ms()));
}

}  // namespace

HousekeeperActor::behavior_type housekeeper(
    HousekeeperActor::stateful_pointer<HousekeeperState> self, HousekeeperConfig config) {
  self->state.config = std::move(config);
  set_manners(self, self->state.config.reporter, HousekeeperState::name);
  return {
      [self](const Message<PruneRequest>& request) {
        prune(self, request->options, 0, asked,
              [request](const Result<Pruned>& pruned) { request->pruned->answer(pruned); });
      },
      [self](const Message<KeepHouse>&) { keep_house(self); },
      [](const Later& work) { (*work)(); },
  };
}

}  // namespace pawl
