/// The recovery actor: reads runs back from the store, so that the coordinator can go on with them.
#pragma once

#include "actors/messages.hpp"
#include "actors/reporter.hpp"
#include "actors/stall_watch.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <map>
#include <memory>

namespace pawl {

struct RecoveryConfig {
  StoreActor store;
  CoordinatorActor coordinator;
  std::int64_t epoch = 0;  ///< the store's: attempts of earlier ones are lost
  std::shared_ptr<Reporter> reporter;
};

/// Invariant: a run is handed over only after all of its lost attempts have durable receipts.
struct RecoveryState {
  RecoveryConfig config;
  std::map<Digest, std::shared_ptr<const Plan>> plans;  // those of the flows met so far
  StallWatch stalls;

  static inline const char* name = "pawl.recovery";
};

RecoveryActor::behavior_type recovery(RecoveryActor::stateful_pointer<RecoveryState> self,
                                      RecoveryConfig config);

/// Builds a run's machine from what is stored: the same way for recovery, views and the lab.
///
/// Errors: Errc::corrupt, with the run's id in `where`.
Result<std::shared_ptr<FlowMachine>> rebuild(const StoredRun& stored,
                                             const std::shared_ptr<const Plan>& plan);

}  // namespace pawl
