/// EngineCore: the actors of one engine, assembled on an actor system that somebody else owns: the
/// engine on threads, a test or the lab on a schedule of its own.
#pragma once

#include <pawl/control.hpp>
#include <pawl/engine.hpp>
#include <pawl/fork.hpp>
#include <pawl/resolution.hpp>
#include <pawl/signal.hpp>

#include "actors/answer_gate.hpp"
#include "actors/callback_thread.hpp"
#include "actors/counters.hpp"
#include "actors/messages.hpp"
#include "actors/pending.hpp"
#include "actors/reporter.hpp"
#include "actors/start_gate.hpp"
#include "actors/step_performers.hpp"

#include <caf/actor_system.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl {

/// What the handles on a run share.
class Run::State {
 public:
  State(std::string run_id, std::weak_ptr<CallbackThread> callback_thread)
      : id(std::move(run_id)), callbacks(std::move(callback_thread)) {}

  const std::string id;
  Pending<Result<void>> started;
  Pending<Outcome> end;
  std::weak_ptr<CallbackThread> callbacks;
};

template <class T>
using PendingPtr = std::shared_ptr<Pending<T>>;

/// Threads: any, but for `stop`.
class EngineCore {
 public:
  /// Given: `system` outlives this; all of `options.seams` are set; `callbacks` may be null (then
  /// callbacks run on the
  ///        thread that answers).
  EngineCore(caf::actor_system& system, std::unique_ptr<Store> store,
             std::shared_ptr<const Steps> steps, EngineOptions options,
             std::shared_ptr<CallbackThread> callbacks);

  Run submit(const Flow& flow, std::string_view run, const json& input,
             const StartOptions& options = {});

  /// A handle for which nothing was asked: its wait is over with `error`.
  Run refused(std::string_view run, const Error& error) const;

  Run watch(std::string_view run);
  PendingPtr<Result<RunState>> cancel(std::string_view run);
  PendingPtr<Result<RunState>> unblock(std::string_view run);
  PendingPtr<Result<RunState>> pause(std::string_view run);
  PendingPtr<Result<RunState>> unpause(std::string_view run);
  PendingPtr<Result<RunState>> signal(std::string_view run, Signal signal);

  /// Makes a fork and starts it. Waits for the store: as long as it takes, or each time that it is
  /// asked at most `wait_ms`.
  ///
  /// Errors: those of `Engine::fork`; Errc::busy when the store did not answer in time.
  Result<Run> fork(std::string_view run, std::string_view step, std::string_view id,
                   const ForkOptions& options, std::optional<std::int64_t> wait_ms = {});

  /// The same for another process. Asks the store three times. Gives the fork's state as far as
  /// noted.
  Result<RunState> fork(const std::string& run, const ControlFork& fork, std::int64_t wait_ms);

  PendingPtr<Result<RunState>> resolve(std::string_view run, const Resolution& resolution);

  /// See `Engine::prune`.
  PendingPtr<Result<Pruned>> prune(const PruneOptions& options);

  /// Stop starting things. Answered with the attempts still under way, as `RUN/STEP`: when there
  /// are none any more, or at once.
  PendingPtr<std::vector<std::string>> close(bool at_once);

  /// Ends the actors; nothing may be asked afterwards.
  void stop();

  /// Runs `read` on the store's actor, after everything that was written before.
  template <class T>
  PendingPtr<Result<T>> look(std::function<Result<T>(StoreView&)> read) {
    auto pending = std::make_shared<Pending<Result<T>>>();
    auto ticket = make_ticket<Result<T>>(pending, Result<T>(lost()));
    send_look([read = std::move(read), ticket](StoreView& store) { ticket->answer(read(store)); });
    return pending;
  }

  EngineStats stats() const;

  const Steps& steps() const { return *performers_->steps(); }

  const std::shared_ptr<Reporter>& reporter() const { return reporter_; }

 private:
  PendingPtr<Result<RunState>> note(std::string_view run, Record record);

  template <class T>
  static std::shared_ptr<Ticket<T>> make_ticket(const std::shared_ptr<Pending<T>>& pending,
                                                T if_dropped) {
    return std::make_shared<Ticket<T>>([pending](const T& value) { pending->set(value); },
                                       std::move(if_dropped));
  }

  static Error lost();
  bool has_room_to_start() const;
  Result<Message<StartRequest>> make_request(const Flow& flow, const RunId& run, const json& input,
                                             const StartOptions& options,
                                             const std::shared_ptr<Run::State>& state) const;
  Result<void> check_types(const Flow& flow, const std::string& run) const;
  std::shared_ptr<Run::State> make_state(const std::string& run) const;
  std::shared_ptr<Ticket<Result<void>>> started_ticket(
      const std::shared_ptr<Run::State>& state) const;
  std::shared_ptr<Ticket<Outcome>> end_ticket(const std::shared_ptr<Run::State>& state) const;
  void send_look(std::function<void(StoreView&)> look) const;

  EngineOptions options_;
  std::shared_ptr<Reporter> reporter_;
  std::shared_ptr<Counters> counters_;
  std::shared_ptr<StepPerformers> performers_;
  std::shared_ptr<AnswerGate> gate_;
  std::shared_ptr<StartGate> starts_;
  std::shared_ptr<CallbackThread> callbacks_;
  StoreActor store_;
  CoordinatorActor coordinator_;
  HousekeeperActor housekeeper_;
};

}  // namespace pawl
