/// The housekeeper: removes ended runs, when it is asked and by itself, a portion at a time.
#pragma once

#include <pawl/retention.hpp>

#include "actors/counters.hpp"
#include "actors/messages.hpp"
#include "actors/reporter.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <memory>

namespace pawl {

struct HousekeeperConfig {
  StoreActor store;
  Retention retention;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<const Counters> counters;
  std::shared_ptr<Reporter> reporter;
};

/// Invariant: each portion is a transaction of its own, and the store has answered it before the
/// next one is sent: what others write meanwhile comes between.
struct HousekeeperState {
  HousekeeperConfig config;
  std::int64_t peace_until_us = 0;  // of the steady clock: until then others write undisturbed

  static inline const char* name = "pawl.housekeeper";
};

/// Keeps house by itself only once it was told to `KeepHouse`.
HousekeeperActor::behavior_type housekeeper(
    HousekeeperActor::stateful_pointer<HousekeeperState> self, HousekeeperConfig config);

}  // namespace pawl
