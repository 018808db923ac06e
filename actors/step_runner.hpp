/// The step runner: performs attempts, writes their records, and only then completes them.
#pragma once

#include "actors/alarm.hpp"
#include "actors/answer_gate.hpp"
#include "actors/ends_box.hpp"
#include "actors/messages.hpp"
#include "actors/performing.hpp"
#include "actors/reporter.hpp"
#include "actors/step_performers.hpp"

#include <caf/actor_addr.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pawl {

struct StepRunnerConfig {
  StoreActor store;
  CoordinatorActor coordinator;
  EngineSeams seams;
  std::shared_ptr<Reporter> reporter;
  std::shared_ptr<StepPerformers> performers;
  std::shared_ptr<AnswerGate> gate;
  std::shared_ptr<EndsBox> ends;
};

/// One for all attempts, however many are under way: what comes to it together goes to the store
/// together, and comes to the coordinator together.
///
/// Invariants:
/// 1. The coordinator hears of a completion only after the store has answered written or
///    already_exists.
/// 2. After a write of unknown outcome the same bytes are written again; the body does not run
///    again.
/// 3. An answer that comes after its attempt has ended leaves a `late` receipt, of which the
///    coordinator hears only if the step wants to know of other outputs.
/// 4. It does not outlive its coordinator.
/// 5. Of an attempt's progress at most one write is not answered, and between the beginnings of two
///    lies `Limits::progress_interval_ms`. The last report is written with the attempt's end at the
///    latest, never after it.
/// 6. An attempt ends once, by whoever claims that first: the thread that has its answer, or this
///    actor, when its time is over. Its end waits for the commit that is under way and for its own
///    (EndsBox).
/// 7. What goes wrong in here over one attempt costs that one only: the coordinator hears that it
///    is lost.
/// 8. Each handler ends in `flush`.
struct StepRunnerState {
  using TimePoint = Alarm::TimePoint;
  using Deadlines = std::multimap<TimePoint, const Dispatch*>;

  /// How what an attempt reports is written.
  struct Reporting {
    bool is_writing = false;  // a report of it
    TimePoint next{};         // no write earlier
    bool waits = false;       // for that time
  };

  /// One that is performed, or whose end is being written.
  struct Attempt {
    DispatchPtr dispatch;
    bool is_stalled = false;    // that its end waits for long was told
    Executor::JobId job = 0;    // when a function performs
    caf::actor_addr performer;  // when an actor performs: that one, monitored
    Reporting reporting;
    std::optional<Deadlines::iterator> deadline;
  };

  StepRunnerConfig config;
  std::shared_ptr<Performing> performing;
  std::shared_ptr<const ReportsDesk> reports_desk;
  std::unordered_map<const Dispatch*, Attempt> attempts;
  std::map<caf::actor_addr, std::size_t> performers;  // monitored, and how many each performs
  Deadlines deadlines;
  Alarm alarm;
  std::vector<Executor::Posting> unposted;  // jobs, and the attempts that they perform
  std::vector<DispatchPtr> unposted_of;
  std::vector<StepEnd> untold;
  std::vector<std::pair<const EndsBox::End*, const WriteReply*>> durable;  // of one message
  int tries = 0;  // to write, which have failed one after the other
  Alarm stall_alarm;

  static inline const char* name = "pawl.step_runner";
};

using StepRunnerSelf = StepRunnerActor::stateful_pointer<StepRunnerState>;

StepRunnerActor::behavior_type step_runner(StepRunnerSelf self, StepRunnerConfig config);

}  // namespace pawl
