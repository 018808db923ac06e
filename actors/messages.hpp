/// The protocol: every message between pawl's actors, and who sends it to whom. docs/protocol.md
/// tells it as a story.
///
///     from         to           message
///     Engine       coordinator  StartRequest, WatchRequest, NoteRequest, CloseRequest
///     Engine       store        Look
///     Engine       housekeeper  PruneRequest, KeepHouse
///     housekeeper  store        WriteGroupPtr (a PruneRuns), answered by WriteGroupAnswer
///     coordinator  step runner  DispatchesPtr
///     coordinator  store        WritePtr, answered by WriteAnswer; WriteGroupPtr
///     coordinator  recovery     RecoverRequest, ScanRequest
///     step runner  user's step  a job on a step thread, or a StepCallPtr to an actor
///     user's step  step runner  StepResult (an actor's), ThreadNews (a function's), Reported
///     user's step  store        EndsWait: ends lie in the EndsBox
///     store        step runner  EndsWritten
///     store        log keeper   SyncPtr, answered by SyncAnswer
///     step runner  store        EndsWait; WritePtr (a report, a late answer), answered by
///     WriteAnswer step runner  coordinator  StepEndsPtr, AnsweredLate recovery     store
///     RecoverRequest, answered by LoadAnswer
///                               WriteGroupPtr (lost receipts), answered by WriteGroupAnswer
///                               DueQuery, answered by DueAnswer
///     recovery     coordinator  RecoveredPtr, Found
///
/// Expected failures are part of the answers. A caf::error means only that the other actor is gone.
#pragma once

#include <pawl/retention.hpp>
#include <pawl/store.hpp>

#include "actors/dispatch.hpp"
#include "actors/ends_box.hpp"
#include "actors/ticket.hpp"
#include "runtime/flow_machine.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pawl {

// Step runner and coordinator to the store.

/// Kept by its sender until it is answered, to be sent again, the very same, if the outcome is
/// unknown.
using WritePtr = std::shared_ptr<const Write>;
using WriteAnswer = std::shared_ptr<const Result<WriteReply>>;

/// Writes that become durable together or not at all.
using WriteGroupPtr = std::shared_ptr<const std::vector<Write>>;
using WriteGroupAnswer = std::shared_ptr<const Result<std::vector<WriteReply>>>;

/// Ends of attempts lie in the EndsBox.
struct EndsWait {};

// Store to log keeper.

/// Wait for the disk.
using SyncPtr = std::shared_ptr<LogSync>;
using SyncAnswer = std::shared_ptr<const Result<void>>;

// Recovery to the store.

/// Runs that are due at `now_ms`, of those after a place.
struct DueQuery {
  std::int64_t now_ms;
  std::size_t limit;
  DuePlace after;
};

struct DueRuns {
  std::vector<RunRow> rows;
  std::optional<std::int64_t> next_due_ms;  ///< the earliest after now_ms
};

/// What is stored of each run that was asked for, in that order.
using LoadAnswer = std::shared_ptr<const std::vector<Result<std::optional<StoredRun>>>>;
using DueAnswer = std::shared_ptr<const Result<DueRuns>>;

/// A look at the store for somebody outside the ring; runs on the store's actor, after what was
/// written before.
using Look = std::shared_ptr<const std::function<void(StoreView&)>>;

// Coordinator to step runner.

/// Attempts whose turn it is, in this order.
using DispatchesPtr = std::shared_ptr<const std::vector<DispatchPtr>>;

// The user's step to the step runner.

/// A function has answered when its attempt had ended already.
struct LateAnswer {
  DispatchPtr dispatch;
  std::shared_ptr<Record> record;  ///< that it would leave if it had come in time
};

/// What a function answered is lost: a bug, or memory that ran out.
struct LostAnswer {
  DispatchPtr dispatch;
  std::string why;
};

/// An end was left in the EndsBox, and nobody looks whether the store takes it.
struct EndLeft {};

/// What a step thread tells.
using ThreadNews = std::variant<LateAnswer, LostAnswer, EndLeft>;

/// An attempt has reported its progress; the latest is there to be taken.
struct Reported {
  std::weak_ptr<Dispatch> dispatch;
};

// Store to step runner.

/// What became of the ends that were in one commit.
struct EndsWritten {
  std::vector<EndsBox::End> ends;
  /// To each write in its order: of an end's report if it has one, and of its record.
  Result<std::vector<WriteReply>> replies;
};

// Step runner to coordinator: how attempts ended. Each carries the record as it is stored.

/// The step's output is durable.
struct StepCompleted {
  DispatchPtr dispatch;
  std::shared_ptr<const Record> record;
  std::shared_ptr<const Record> other = {};  ///< the receipt of the attempt's own output, if that
                                             ///< was another one
};

/// The attempt's receipt is durable, and says that there is no output.
struct AttemptFailed {
  DispatchPtr dispatch;
  std::shared_ptr<const Record> record;
  std::shared_ptr<const Progress> progress;  ///< what its step last reported; null if nothing
};

/// The store refused the attempt's record, for good.
struct WriteRefused {
  DispatchPtr dispatch;
  Error error;
};

/// The step runner can say no more of the attempt: a bug, or memory that ran out, as in a crash.
struct AttemptLost {
  DispatchPtr dispatch;
};

using StepEnd = std::variant<StepCompleted, AttemptFailed, WriteRefused, AttemptLost>;

/// Those that one commit made durable, among others, in the order in which they were written.
using StepEndsPtr = std::shared_ptr<const std::vector<StepEnd>>;

/// The receipt of an answer that came too late is durable.
struct AnsweredLate {
  DispatchPtr dispatch;
  std::shared_ptr<const Record> record;
};

// Coordinator and recovery.

struct RecoverRequest {
  std::vector<std::string> runs;  ///< ids
};

struct ScanRequest {
  DueQuery due;
};

/// A run was read back and its lost attempts have their receipts.
struct Recovered {
  std::string run;
  std::optional<Error> error;  ///< unknown_run, corrupt, ...: there is no machine then
  RunKey key = 0;
  std::string folder;
  std::shared_ptr<FlowMachine> machine;  ///< handed over: the receiver is its only user
  std::vector<Progress> progress = {};   ///< what its steps last reported
};

using RecoveredPtr = std::shared_ptr<const std::vector<Recovered>>;

/// What a scan found.
struct Found {
  std::vector<RunRow> rows;
  std::optional<std::int64_t> next_due_ms;
  bool complete = true;  ///< there are no more that are due now
  std::optional<Error> error;
};

// Engine to coordinator. Tickets are answered once, whatever happens to the actors.

struct StartRequest {
  Flow flow;
  WritePtr start;  ///< a StartRun
  json input;
  std::shared_ptr<Ticket<Result<void>>> started;
  std::shared_ptr<Ticket<Outcome>> end;
};

struct WatchRequest {
  std::string run;
  std::shared_ptr<Ticket<Result<void>>> found;
  std::shared_ptr<Ticket<Outcome>> end;
};

/// Something that somebody outside wants noted of a run: a cancel, an unblock, a signal. The answer
/// is the run's state with it.
struct NoteRequest {
  std::string run;
  Record record;
  std::shared_ptr<Ticket<Result<RunState>>> answer;
};

/// Start nothing more. Answered with the attempts that are still under way, as `RUN/STEP`: when
/// there are none any more, or at once.
struct CloseRequest {
  bool at_once = false;
  std::shared_ptr<Ticket<std::vector<std::string>>> closed;
};

// Engine to housekeeper.

/// Remove ended runs now, all that may go.
struct PruneRequest {
  PruneOptions options;
  std::shared_ptr<Ticket<Result<Pruned>>> pruned;
};

/// Remove ended runs now and then, as the engine's options say.
struct KeepHouse {};

template <class T>
using Message = std::shared_ptr<const T>;

/// What an actor asks itself to do when a wait is over, or when the mail that waits now has been
/// read.
using Later = std::shared_ptr<const std::function<void()>>;

}  // namespace pawl

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::WritePtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::WriteAnswer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::WriteGroupPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::WriteGroupAnswer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::SyncPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::SyncAnswer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::LoadAnswer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::DueAnswer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::RecoveredPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Look)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::DispatchesPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::StepEndsPtr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Later)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::EndsWait>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::EndsWritten>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::DueQuery>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::ThreadNews>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::Reported>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::AnsweredLate>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::RecoverRequest>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::ScanRequest>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::Found>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::StartRequest>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::WatchRequest>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::NoteRequest>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::CloseRequest>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::PruneRequest>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pawl::Message<pawl::KeepHouse>)

namespace pawl {

using StoreActor = caf::typed_actor<caf::replies_to<WritePtr>::with<WriteAnswer>,
                                    caf::replies_to<WriteGroupPtr>::with<WriteGroupAnswer>,
                                    caf::reacts_to<Message<EndsWait>>,
                                    caf::replies_to<Message<RecoverRequest>>::with<LoadAnswer>,
                                    caf::replies_to<Message<DueQuery>>::with<DueAnswer>,
                                    caf::reacts_to<Look>, caf::reacts_to<Later>>;

using LogKeeperActor = caf::typed_actor<caf::replies_to<SyncPtr>::with<SyncAnswer>>;

using StepRunnerActor =
    caf::typed_actor<caf::reacts_to<DispatchesPtr>, caf::reacts_to<Message<EndsWritten>>,
                     caf::reacts_to<Message<ThreadNews>>, caf::reacts_to<Message<Reported>>,
                     caf::reacts_to<Later>>;

using RecoveryActor = caf::typed_actor<caf::reacts_to<Message<RecoverRequest>>,
                                       caf::reacts_to<Message<ScanRequest>>, caf::reacts_to<Later>>;

using HousekeeperActor =
    caf::typed_actor<caf::reacts_to<Message<PruneRequest>>, caf::reacts_to<Message<KeepHouse>>,
                     caf::reacts_to<Later>>;

using CoordinatorActor =
    caf::typed_actor<caf::reacts_to<Message<StartRequest>>, caf::reacts_to<Message<WatchRequest>>,
                     caf::reacts_to<Message<NoteRequest>>, caf::reacts_to<Message<CloseRequest>>,
                     caf::reacts_to<StepEndsPtr>, caf::reacts_to<Message<AnsweredLate>>,
                     caf::reacts_to<RecoveredPtr>, caf::reacts_to<Message<Found>>,
                     caf::reacts_to<Later>>;

}  // namespace pawl
