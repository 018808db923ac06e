/// The coordinator: hosts the machines of the runs that are under way; messages become events,
/// commands become messages.
#pragma once

#include "actors/alarm.hpp"
#include "actors/answer_gate.hpp"
#include "actors/counters.hpp"
#include "actors/ends_box.hpp"
#include "actors/messages.hpp"
#include "actors/reporter.hpp"
#include "actors/stall_watch.hpp"
#include "actors/step_performers.hpp"
#include "actors/waiters.hpp"
#include "runtime/turn_queue.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

namespace pawl {

struct CoordinatorConfig {
  StoreActor store;
  std::int64_t epoch = 0;
  EngineSeams seams;
  std::shared_ptr<Reporter> reporter;
  std::shared_ptr<Counters> counters;
  std::shared_ptr<StepPerformers> performers;
  std::shared_ptr<AnswerGate> gate;
  std::shared_ptr<EndsBox> ends;
  bool recover = true;
  std::size_t live_runs_max = 10'000;
  std::size_t attempts_max = 4096;
  TurnQueue<DispatchPtr>::Limits turn_limits = {};  ///< by step type
};

class Coordinator;
using CoordinatorSelf = CoordinatorActor::stateful_pointer<Coordinator>;

CoordinatorActor::behavior_type coordinator(CoordinatorSelf self, CoordinatorConfig config);

/// Holds no rules: what may happen next is FlowMachine's to say.
///
/// Invariants:
/// 1. A machine hears of a record only after the record is durable.
/// 2. Each run has at most one machine, which lives while something can happen to it soon: a run
///    that only waits for a far time, or for a person, is dropped and read back when its time
///    comes. A run is dropped only when nothing of it is under way.
/// 3. Each started attempt is in its run's `running`, and in `busy_` (with the step runner) or in
///    `queue_`. What is in `queue_` is of a live run. What `queue_` has under way is in `busy_` or
///    in `orphans_`.
/// 4. Once `closing_`, nothing is started: an attempt that opens is recorded as interrupted
///    instead, so that the next engine finds no open attempt that had never begun.
/// 5. While `searched_to_` is set, or one of `search_all_` and `search_timed_`, there may be due
///    runs in the store that wait for room, and whatever makes room looks for them.
/// 6. The attempts and records that one event brings about go out together, in one message to the
///    step runner (of at most 256) and one to the store; so do those of several step ends, answers,
///    timers or runs that were read back.
class Coordinator {
 public:
  static inline const char* name = "pawl.coordinator";

  explicit Coordinator(CoordinatorSelf self) : self_(self) {}

  void begin(CoordinatorConfig config);

  // From the engine (coordinator_desk.cpp).
  void on_start(const Message<StartRequest>& request);
  void on_watch(const Message<WatchRequest>& request);
  void on_note(const Message<NoteRequest>& request);
  void on_close(const Message<CloseRequest>& request);

  // From recovery (coordinator_backlog.cpp).
  void on_recovered(const std::vector<Recovered>& runs);
  void on_found(const Found& found);

  // From the step runner (coordinator_crew.cpp).
  void on_ends(const std::vector<StepEnd>& ends);
  void on_late(const Message<AnsweredLate>& late);

  /// One of the actors that this one depends on died.
  void on_down(const caf::down_msg& down);

  /// The engine is gone: so are this actor's own actors, and everybody who still waits is told.
  void on_exit();

  /// Nothing can be written any more: everybody who waits is told, and everybody who asks from now
  /// on.
  void lose(const Error& error);

 private:
  struct Timer {
    std::string run;
    std::size_t step;
    int attempt;
  };

  using Timers = std::multimap<Alarm::TimePoint, Timer>;

  /// Runs are read back so long before their time comes, at the earliest, and half as long at the
  /// latest: then they have a timer when it does. Less than what a run waits for in memory.
  static constexpr std::int64_t ahead_ms = 500;

  struct LiveRun {
    RunKey key = 0;
    std::string folder;
    std::shared_ptr<FlowMachine> machine;
    std::map<std::size_t, DispatchPtr> running;  // by step
    std::map<std::string, json> progress;        // what its steps last reported, for later attempts
    std::size_t writes = 0;  // this actor's writes about the run that are not answered yet
    std::map<std::string, bool> holds;  // by child that is being told of a pause or its end: which
    bool resumed = false;               // the machine was told to go on
    std::optional<RunState> counted;    // the state under which the counters know it
    std::vector<Timers::iterator> timers;  // its own
    std::optional<Error> stuck;  // why it cannot go on; it stays until nothing is under way
  };

  /// A record that is to be written, and whom to tell.
  struct Unwritten {
    std::string run;
    RunKey key;
    std::shared_ptr<Record> record;
    std::shared_ptr<Ticket<Result<RunState>>> told;  // null if nobody waits for it
  };

  using Batch = std::shared_ptr<const std::vector<Unwritten>>;

  /// A child has come to its end, which its parent must hear of.
  struct ChildEnd {
    std::string child;
    Record ended;
  };

  using Request = std::variant<Message<WatchRequest>, Message<NoteRequest>, ChildEnd>;
  using TimePoint = Alarm::TimePoint;

  /// A run that is being read back.
  struct Arriving {
    std::vector<Request> requests;            // of those who asked for it
    bool was_started = false;                 // meanwhile: what is read may lack all of it
    std::vector<Message<AnsweredLate>> late;  // that came meanwhile: what is read may lack them
  };

  // Runs (coordinator_desk.cpp).
  void adopt(const std::string& id, RunKey key, const std::string& folder,
             std::shared_ptr<FlowMachine> machine);
  void answer(const Request& request, const Error& error);
  void answer(const Request& request, const Outcome& ended);
  void take(const Request& request, const std::string& id);
  void serve(const Request& request, LiveRun& run);
  void note(const NoteRequest& request, LiveRun& run);
  void note_child(const std::string& child, Record record, const std::string& what,
                  const std::function<void()>& then);
  void hold_child(const std::string& parent, const std::string& child, bool paused);
  void halt(LiveRun& run, std::int64_t due_ms);
  void on_start_answered(const Message<StartRequest>& request, const Result<WriteReply>& result);
  void on_start_written(const Message<StartRequest>& request, const WriteReply& reply);

  // Runs that are not in memory (coordinator_backlog.cpp).
  void scan_if_room();
  void fetch(const std::string& id, std::optional<Request> request);
  void fetch_gathered();
  void on_recovered(const Recovered& recovered);

  bool has_room() const { return live_.size() + arriving_.size() < config_.live_runs_max; }

  // Commands of machines.
  void tell(LiveRun& run, const Event& event);
  void resume_if_quiet(const std::string& id);
  void carry_out(LiveRun& run, const Commands& commands);
  void carry_out(LiveRun& run, const StartAttempt& start);
  void carry_out(LiveRun& run, const AwaitTimer& wait);
  void carry_out(LiveRun& run, const OpenAttempt& open);
  void carry_out(LiveRun& run, const WriteRecord& write);
  void carry_out(LiveRun& run, const CancelAttempt& cancel);
  void carry_out(LiveRun& run, const WithdrawAttempt& withdraw);
  void carry_out(LiveRun& run, const StartChild& start);
  void carry_out(LiveRun& run, const CancelChild& cancel);
  void carry_out(LiveRun& run, const HoldChild& hold);
  void carry_out(LiveRun& run, const EndRun& end);
  static void postpone_end(LiveRun& run);
  static void keep_progress(LiveRun& run, const Progress& progress);
  void write_about(LiveRun& run, Record record,
                   std::shared_ptr<Ticket<Result<RunState>>> told = nullptr);
  void write_starts();
  void write_parks();
  void write_gathered();
  void on_batch_written(const Batch& batch, const Result<std::vector<WriteReply>>& replies);
  void on_written(const std::string& id, const Result<WriteReply>& result,
                  const std::shared_ptr<Ticket<Result<RunState>>>& told);
  void gather(const std::function<void()>& act);
  void settle(const std::string& id);
  void finish(const std::string& id);
  void drop(const std::string& id);
  void park(LiveRun& run, RunState state, std::int64_t due_ms);
  void give_up(const std::string& id, const Error& error);
  void drop_if_idle(const std::string& id);
  void answer_everybody(const Error& error);
  void count(LiveRun& run, std::optional<RunState> state);

  // Children (coordinator_children.cpp).
  void on_child_started(const std::string& parent, const StartChild& start,
                        const std::shared_ptr<const Plan>& flow, const std::string& folder,
                        const Result<WriteReply>& result);
  void adopt_child(const StartChild& start, const std::shared_ptr<const Plan>& flow,
                   const std::string& folder, const WriteReply& reply);
  void end_child(const ChildEnd& end);
  void write_child_end(LiveRun& child, LiveRun& parent, const Record& ended);
  void end_orphan(const ChildEnd& end, const Error& error);
  void fetch_children(const FlowMachine& machine);
  void note_child_lives(const LiveRun& run);
  void note_child_gone(const LiveRun& run);
  void tell_above(const std::string& id, const FlowMachine& machine, const RunError& why);
  std::optional<Outcome> halted_below(const std::string& id) const;

  // The step runner (coordinator_crew.cpp).
  void on_end(const StepCompleted& completed);
  void on_end(const AttemptFailed& failed);
  void on_end(const WriteRefused& refused);
  void on_end(const AttemptLost& lost);
  void start_queued();
  void dispatch_gathered();
  void lose_attempt(const DispatchPtr& dispatch);
  void take_turn(LiveRun& run, const DispatchPtr& dispatch);
  void release_orphans(const std::string& run, const Record* stored);
  void begin_turn(const DispatchPtr& dispatch);
  void send_or_gather();
  static void resolve_parameters(Dispatch& dispatch);
  void forget_busy(const Dispatch& dispatch);
  bool is_owed(const DispatchPtr& dispatch) const;
  LiveRun* take_back(const DispatchPtr& dispatch);
  void stop_own_actors();

  void set_alarm(TimePoint at);
  void search_before(std::int64_t due_ms);
  void search_all_soon();
  void on_alarm();
  void answer_close_if_done();
  std::vector<std::string> still_running() const;

  CoordinatorSelf self_;
  CoordinatorConfig config_;
  RecoveryActor recovery_;
  std::unordered_map<std::string, LiveRun> live_;  // by run id
  std::unordered_map<std::string, Arriving> arriving_;
  std::unordered_set<std::string> halted_;  // blocked or damaged: scans pass them over
  std::unordered_map<std::string, std::size_t> live_children_;  // by parent
  /// Runs, and those of their children, and of theirs, that are blocked or damaged.
  std::map<std::string, std::map<std::string, RunError>> halted_below_;
  Waiters waiters_;

  StepRunnerActor runner_;            // none until it is needed, or after its death
  std::vector<DispatchPtr> busy_;     // attempts that the step runner has, each at its place
  TurnQueue<DispatchPtr> queue_;      // those that it has not
  std::vector<DispatchPtr> orphans_;  // that it lost, until their receipts are durable
  std::uint64_t last_dispatch_ = 0;

  bool gathers_ = false;
  std::vector<DispatchPtr> undispatched_;  // gathered, as are the next
  std::vector<Unwritten> unwritten_;
  std::vector<Write> unwritten_parks_;
  std::vector<std::string> unfetched_;
  std::vector<Message<StartRequest>> unwritten_starts_;  // until the mail behind them is read

  Alarm alarm_;
  Timers timers_;
  std::optional<TimePoint> scan_at_;
  std::optional<TimePoint> turn_at_;  // when the queue may have a turn again
  bool scanning_ = false;
  bool search_all_ = false;    // the store may have runs that are due and not live, and have not
                               // waited for a time
  bool search_timed_ = false;  // or that have
  std::optional<DuePlace> searched_to_;  // so far a search has come that goes on
  /// So far a search has come of those that wait for a time. None that waits anew comes before it,
  /// for whoever waits for less than `park_ms` stays in memory.
  DuePlace timed_to_{0, std::numeric_limits<RunKey>::max()};

  StallWatch stalls_;
  std::size_t writes_ = 0;  // all of this actor's writes that are not answered yet
  bool closing_ = false;
  std::vector<std::shared_ptr<Ticket<std::vector<std::string>>>> closers_;
  std::optional<Error> lost_;
};

}  // namespace pawl
