/// The store actor: owns the store, and makes one transaction of all writes that wait.
#pragma once

#include "actors/counters.hpp"
#include "actors/ends_turn.hpp"
#include "actors/messages.hpp"
#include "actors/reporter.hpp"
#include "runtime/log_watch.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace pawl {

struct StoreActorConfig {
  std::shared_ptr<Store> store;  ///< handed over: the actor is its only user
  EngineSeams seams;
  std::shared_ptr<Reporter> reporter;
  std::shared_ptr<Counters> counters;
  LogWatch log_watch{0};
  std::shared_ptr<EndsTurn> turn = std::make_shared<EndsTurn>();  ///< of the step runner
};

/// Invariants:
/// 1. No write is answered before the transaction that holds it has returned from the store.
/// 2. A read runs when everything that was sent before it is committed.
/// 3. No commit is begun for others while it is the step runner's turn, unless somebody reads, a
///    batch is full, or the turn takes too long.
struct StoreActorState {
  using Promise = caf::typed_response_promise<WriteAnswer>;
  using GroupPromise = caf::typed_response_promise<WriteGroupAnswer>;

  /// Somebody who waits for an answer: to one write, or to a group of them.
  struct Waiting {
    WritePtr write;
    Promise promise;
    WriteGroupPtr group;
    GroupPromise group_promise;
    bool is_of_ends = false;  // whose sender has a turn after its answer
  };

  StoreActorConfig config;
  std::vector<Waiting> waiting;
  std::size_t writes_waiting = 0;  // in all of these
  bool commit_asked = false;       // a commit waits behind the mail
  std::uint64_t last_asked = 0;    // which: one that was asked for before is no more wanted
  std::uint64_t last_hold = 0;     // how often others were held back for the step runner's turn

  /// Writes what waits, and answers it.
  void commit();

  /// The same before something is read, which may take long: whom it answers need not wait for
  /// that.
  void commit_before_reading();

  /// Writes one transaction.
  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& writes);

  /// Looks how the store's log stands, and tells of it if it grows.
  void look_at_log();

  static inline const char* name = "pawl.store";
};

StoreActor::behavior_type store_actor(StoreActor::stateful_pointer<StoreActorState> self,
                                      StoreActorConfig config);

}  // namespace pawl
