/// The store actor: owns the store, and makes one transaction of all writes that wait.
#pragma once

#include "actors/counters.hpp"
#include "actors/ends_box.hpp"
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
  std::shared_ptr<EndsBox> ends = std::make_shared<EndsBox>();  ///< who leaves some wakes the actor
};

/// Invariants:
/// 1. No write is answered before the transaction that holds it has returned from the store.
/// 2. A read runs when everything that was sent before it is committed.
/// 3. A commit takes along all ends that were in the box when it began.
struct StoreActorState {
  using Promise = caf::typed_response_promise<WriteAnswer>;
  using GroupPromise = caf::typed_response_promise<WriteGroupAnswer>;

  /// Somebody who waits for an answer: to one write, or to a group of them.
  struct Waiting {
    WritePtr write;
    Promise promise;
    WriteGroupPtr group;
    GroupPromise group_promise;
  };

  explicit StoreActorState(StoreActor::stateful_pointer<StoreActorState> actor) : self(actor) {}

  StoreActor::stateful_pointer<StoreActorState> self;
  StoreActorConfig config;
  std::vector<Waiting> waiting;
  std::size_t writes_waiting = 0;  // in all of these
  bool commit_asked = false;       // a commit waits behind the mail

  /// Writes what waits, and what lies in the box, and answers it.
  void commit();

  /// The same before something is read, which may take long: whom it answers need not wait for
  /// that.
  void commit_before_reading();

  /// Writes one transaction.
  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& writes);

  /// Tells the step runner what became of ends.
  void tell_ends(std::vector<EndsBox::End> ends, Result<std::vector<WriteReply>> replies);

  /// Tells of the first `of_ends` replies, and answers the others.
  void tell_ends_and_answer(std::vector<EndsBox::End> ends, std::size_t of_ends,
                            const std::vector<Waiting>& batch,
                            Result<std::vector<WriteReply>> replies);

  /// Looks how the store's log stands, and tells of it if it grows.
  void look_at_log();

  static inline const char* name = "pawl.store";
};

StoreActor::behavior_type store_actor(StoreActor::stateful_pointer<StoreActorState> self,
                                      StoreActorConfig config);

}  // namespace pawl
