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

/// Whether the attempt that reports this way is still under way.
bool is_current(StepRunnerSelf self, const std::weak_ptr<ProgressReports>& reports) {
  const StepRunnerState& state = self->state;
  return state.phase == StepRunnerState::Phase::performing &&
         state.current->reports == reports.lock();
}

std::shared_ptr<Progress> progress_of(const Dispatch& dispatch, std::string text) {
  return std::make_shared<Progress>(
      Progress{dispatch.call.step, dispatch.call.attempt, std::move(text)});
}

void write_progress(StepRunnerSelf self);

void on_progress_written(StepRunnerSelf self, const Result<WriteReply>& result) {
  StepRunnerState& state = self->state;
  const Dispatch& dispatch = *state.current;
  const std::shared_ptr<Progress> progress = std::exchange(state.reporting.in_flight, nullptr);
  if (result && result->status == WriteStatus::written) tell_progress(self, dispatch, *progress);
  if (!result && is_passing(result.error().code)) {
    // Not the very same again, as with a record: there may be something newer by then.
    EngineEvent event = event_of(EventKind::write_failed, dispatch);
    event.message = "progress: " + result.error().text();
    state.config.reporter->event(event);
    dispatch.reports->give_back(progress->body);
  }
  if (dispatch.reports->has_more()) write_progress(self);
}

/// Writes what the attempt has reported last, as soon as it may be written.
void write_progress(StepRunnerSelf self) {
  StepRunnerState::Reporting& reporting = self->state.reporting;
  if (reporting.in_flight || reporting.waits) return;
  const DispatchPtr dispatch = self->state.current;
  const std::weak_ptr<ProgressReports> reports = dispatch->reports;
  const Alarm::TimePoint now = self->clock().now();
  if (now < reporting.next) {
    reporting.waits = true;
    return later(self, reporting.next - now, [self, reports] {
      if (!is_current(self, reports)) return;
      self->state.reporting.waits = false;
      write_progress(self);
    });
  }
  if (const std::optional<Error> refusal = dispatch->reports->take_refusal())
    self->state.config.reporter->log(
        LogLevel::warning,
        "run=" + dispatch->call.run + " step=" + dispatch->call.step +
            ": what it reported as its progress is not kept: " + refusal->message);
  std::optional<std::string> text = dispatch->reports->take();
  if (!text) return;
  reporting.in_flight = progress_of(*dispatch, std::move(*text));
  reporting.next = now + std::chrono::milliseconds(Limits::progress_interval_ms);
  if (mutant("progress_told_before_write")) tell_progress(self, *dispatch, *reporting.in_flight);
  self->request(
          self->state.config.store, caf::infinite,
          WritePtr(std::make_shared<const Write>(NoteProgress{dispatch->run, reporting.in_flight})))
      .then(
          [self, reports](const WriteAnswer& answer) {
            if (is_current(self, reports)) on_progress_written(self, *answer);
          },
          [](const caf::error&) {});  // the store is gone: so is everything else
}

}  // namespace

void hear_reports(StepRunnerSelf self) {
  StepRunnerState& state = self->state;
  Dispatch& dispatch = *state.current;
  auto tell = [gate = state.config.gate, runner = caf::actor_cast<caf::weak_actor_ptr>(self),
               reporting = std::weak_ptr<Dispatch>(state.current)] {
    const DispatchPtr attempt = reporting.lock();
    if (!attempt) return;
    gate->pass([&] {
      if (const auto alive = runner.lock())
        caf::anon_send(caf::actor_cast<StepRunnerActor>(alive),
                       Message<Reported>(std::make_shared<Reported>(Reported{attempt->reports})));
    });
  };
  dispatch.reports = std::make_shared<ProgressReports>(state.config.seams.clock, std::move(tell));
  dispatch.call.progress_sink = dispatch.reports;
}

void on_reported(StepRunnerSelf self, const Reported& reported) {
  if (is_current(self, reported.reports)) write_progress(self);
}

std::shared_ptr<Progress> last_progress(StepRunnerSelf self) {
  StepRunnerState& state = self->state;
  const std::shared_ptr<Progress> in_flight =
      std::exchange(state.reporting, StepRunnerState::Reporting{}).in_flight;
  if (!state.current->reports) return nullptr;
  std::optional<std::string> latest = state.current->reports->end();
  // Not the one in flight: the store may be filling it in just now.
  if (!latest && in_flight) latest = in_flight->body;
  return latest ? progress_of(*state.current, std::move(*latest)) : nullptr;
}

void tell_progress(StepRunnerSelf self, const Dispatch& dispatch, const Progress& progress) {
  EngineEvent event = event_of(EventKind::progress_written, dispatch);
  event.output_digest = digest_of(progress.body);
  self->state.config.reporter->event(event);
}

}  // namespace pawl
