#include "actors/step_progress.hpp"

#include <pawl/limits.hpp>

#include "actors/actor_manners.hpp"
#include "actors/durable_write.hpp"
#include "runtime/mutant.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <optional>
#include <utility>

namespace pawl {

namespace {

using Attempt = StepRunnerState::Attempt;

/// The attempt, if it may still report.
Attempt* reporting(StepRunnerSelf self, const std::weak_ptr<Dispatch>& dispatch) {
  const DispatchPtr alive = dispatch.lock();
  if (!alive || alive->ended_us() != 0) return nullptr;
  const auto found = self->state.attempts.find(alive.get());
  return found == self->state.attempts.end() ? nullptr : &found->second;
}

void write_progress(StepRunnerSelf self, Attempt& attempt);

void on_progress_written(StepRunnerSelf self, Attempt& attempt,
                         const std::shared_ptr<Progress>& progress,
                         const Result<WriteReply>& result) {
  const Dispatch& dispatch = *attempt.dispatch;
  attempt.reporting.is_writing = false;
  const bool must_repeat = !result && is_passing(result.error().code);
  if (!dispatch.reports().settle(!must_repeat)) return;  // its end tells
  if (result && result->status == WriteStatus::written) tell_progress(self, dispatch, *progress);
  if (must_repeat) {
    // Not the very same again, as with a record: there may be something newer by then.
    EngineEvent event = event_of(EventKind::write_failed, dispatch);
    event.message = "progress: " + result.error().text();
    self->state.config.reporter->event(event);
  }
  if (dispatch.reports().has_more()) write_progress(self, attempt);
}

/// Writes what the attempt has reported last, as soon as it may be written.
void write_progress(StepRunnerSelf self, Attempt& attempt) {
  StepRunnerState::Reporting& reports = attempt.reporting;
  if (reports.is_writing || reports.waits) return;
  const DispatchPtr& dispatch = attempt.dispatch;
  const std::weak_ptr<Dispatch> weak = dispatch;
  const Alarm::TimePoint now = self->clock().now();
  if (now < reports.next) {
    reports.waits = true;
    return later(self, reports.next - now, [self, weak] {
      Attempt* const still = reporting(self, weak);
      if (still == nullptr) return;
      still->reporting.waits = false;
      write_progress(self, *still);
    });
  }
  if (const std::optional<Error> refusal = dispatch->reports().take_refusal())
    self->state.config.reporter->log(
        LogLevel::warning,
        "run=" + dispatch->call.run + " step=" + dispatch->call.step +
            ": what it reported as its progress is not kept: " + refusal->message);
  std::optional<std::string> text = dispatch->reports().take();
  if (!text) return;
  const auto progress = std::make_shared<Progress>(
      Progress{dispatch->call.step, dispatch->call.attempt, std::move(*text)});
  reports.is_writing = true;
  reports.next = now + std::chrono::milliseconds(Limits::progress_interval_ms);
  if (mutant("progress_told_before_write")) tell_progress(self, *dispatch, *progress);
  self->request(self->state.config.store, caf::infinite,
                WritePtr(std::make_shared<const Write>(NoteProgress{dispatch->run, progress})))
      .then(
          [self, weak, progress](const WriteAnswer& answer) {
            if (Attempt* const still = reporting(self, weak))
              on_progress_written(self, *still, progress, *answer);
          },
          [](const caf::error&) {});  // the store is gone: so is everything else
}

}  // namespace

std::shared_ptr<const ReportsDesk> reports_desk_for(StepRunnerSelf self) {
  const StepRunnerConfig& config = self->state.config;
  auto tell = [gate = config.gate, runner = caf::actor_cast<caf::weak_actor_ptr>(self)](
                  const std::weak_ptr<Dispatch>& attempt) {
    gate->pass([&] {
      if (const auto alive = runner.lock())
        caf::anon_send(caf::actor_cast<StepRunnerActor>(alive),
                       Message<Reported>(std::make_shared<Reported>(Reported{attempt})));
    });
  };
  return std::make_shared<const ReportsDesk>(ReportsDesk{config.seams.clock, std::move(tell)});
}

void hear_reports(StepRunnerSelf self, const DispatchPtr& dispatch) {
  dispatch->reports().connect(self->state.reports_desk, dispatch);
  dispatch->call.progress_sink = {dispatch->signals, &dispatch->reports()};
}

void on_reported(StepRunnerSelf self, const Reported& reported) {
  if (Attempt* const attempt = reporting(self, reported.dispatch)) write_progress(self, *attempt);
}

void tell_progress(StepRunnerSelf self, const Dispatch& dispatch, const Progress& progress) {
  self->state.config.reporter->tell([&] {
    EngineEvent event = event_of(EventKind::progress_written, dispatch);
    event.output_digest = digest_of(progress.body);
    return event;
  });
}

}  // namespace pawl
