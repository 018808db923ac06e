/// The store actor: owns the store, and makes one transaction of all writes that wait.
#pragma once

#include "actors/batches_ahead.hpp"
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

/// While the log keeper waits for the disk to have one batch, the next one is written ahead.
///
/// Invariants:
/// 1. No write is answered before the transaction that holds it is durable.
/// 2. A read runs when everything that was sent before it is durable.
/// 3. A commit takes along all ends that were in the box when it began.
/// 4. At most `BatchesAhead::batches_max` are written ahead.
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

  /// Writes of one transaction, and whom to answer.
  struct Batch {
    std::vector<EndsBox::End> ends;
    std::vector<Write> of_ends;
    std::vector<Waiting> others;
    std::vector<const Write*> writes;  // all of these, those of the ends first
    std::vector<WriteReply> replies;   // in the same order
    std::int64_t began_us = 0;
  };

  explicit StoreActorState(StoreActor::stateful_pointer<StoreActorState> actor) : self(actor) {}

  StoreActor::stateful_pointer<StoreActorState> self;
  StoreActorConfig config;
  std::vector<Waiting> waiting;
  std::size_t writes_waiting = 0;    // in all of these
  bool commit_asked = false;         // a commit waits behind the mail
  LogKeeperActor log_keeper;         // none until it is needed
  BatchesAhead<Batch> ahead;         // written and not settled
  std::vector<Write> spare_of_ends;  // a batch's that was answered: memory only
  std::vector<const Write*> spare_writes;
  bool has_to_wait = false;  // a commit was asked for that ahead has no room for

  /// Writes what waits, and what lies in the box, and answers it as soon as it is durable.
  void commit();

  /// Writes it ahead, if there is room.
  void write_ahead();

  /// Writes and answers it, and waits for that.
  void commit_and_settle();

  /// The same before something is read, which may take long: whom it answers need not wait for
  /// that.
  void commit_before_reading();

  /// Takes what waits, and what lies in the box; false if there is nothing.
  bool take_batch(Batch& batch);

  /// Writes one transaction ahead.
  Result<std::vector<WriteReply>> write(Batch& batch);

  /// Waits for the disk, or lets the log keeper do so if there is something else to do.
  void settle_ahead();

  /// The log keeper has waited for the disk.
  void on_synced(std::uint64_t number, const LogSync& sync, Result<void> waited);

  /// Waits for the disk, and answers all that was written ahead.
  void settle_here();

  /// Answers the oldest `count` batches that are written ahead.
  void answer_ahead(std::size_t count, const Result<void>& settled);
  void keep_memory_of(Batch& batch);

  /// Tells the step runner what became of ends.
  void tell_ends(std::vector<EndsBox::End> ends, Result<std::vector<WriteReply>> replies);

  /// Tells of the ends, and answers the others.
  void tell_ends_and_answer(Batch& batch, Result<std::vector<WriteReply>> replies);

  /// Looks how the store's log stands, and tells of it if it grows.
  void look_at_log();

  static inline const char* name = "pawl.store";
};

StoreActor::behavior_type store_actor(StoreActor::stateful_pointer<StoreActorState> self,
                                      StoreActorConfig config);

}  // namespace pawl
