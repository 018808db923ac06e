#include "lab/caller.hpp"

#include "lab/run_plan.hpp"
#include "lab/witness.hpp"

#include <algorithm>
#include <utility>

namespace pawl::lab {

namespace {

/// More than a life has faults, unless they last.
constexpr int tries_max = 50;

}  // namespace

void Caller::call() {
  for (const RunToStart& run : start_.scenario.runs) {
    if (start_.started.count(run.id) == 0)
      submit(run);
    else
      send_signals(run.id);
  }
}

void Caller::submit(const RunToStart& to_start, int tries) {
  HistoryEvent event;
  event.what = Happened::submitted;
  event.run = to_start.id;
  if (!course_.mark(std::move(event))) return;
  const Run run = core_.submit(start_.scenario.flow, to_start.id, to_start.input);
  run.on_started([this, to_start, tries, id = to_start.id](const Result<void>& started) {
    HistoryEvent told;
    told.what = started ? Happened::start_told : Happened::start_refused;
    told.run = id;
    if (!started) told.text = started.error().text();
    if (!course_.mark(std::move(told))) return;
    // As a caller does whose start failed: nobody knows whether the run is there, and the same
    // start again is harmless.
    if (started)
      send_signals(id);
    else if (tries < tries_max)
      submit(to_start, tries + 1);
  });
  run.on_end([this, id = to_start.id](const Outcome& outcome) {
    if (is_ended(outcome.state)) course_.mark(told_end(id, outcome));
  });
}

void Caller::greet(const std::string& run) {
  const auto& runs = start_.scenario.runs;
  const bool is_own =
      std::any_of(runs.begin(), runs.end(), [&](const RunToStart& own) { return own.id == run; });
  if (!is_own) send_signals(run);
}

void Caller::send_signals(const std::string& run) {
  for (const SignalToSend& to_send : start_.scenario.signals)
    if ((to_send.run == run || is_below(to_send.run, run)) &&
        start_.signalled.count(name_of(to_send.run, to_send.signal.id)) == 0)
      send(to_send);
}

void Caller::send(const SignalToSend& to_send) {
  HistoryEvent sent;
  sent.what = Happened::signal_sent;
  sent.run = to_send.run;
  sent.key = to_send.signal.id;
  if (!course_.mark(sent)) return;
  core_.signal(to_send.run, to_send.signal)->on_set([this, sent](const Result<RunState>& state) {
    // Without an answer that says what became of it, the next life sends it again.
    if (!state && state.error().code != Errc::run_ended) return;
    HistoryEvent told = sent;
    told.what = state ? Happened::signal_told : Happened::signal_refused;
    if (!state) told.text = state.error().text();
    course_.mark(std::move(told));
  });
}

void Caller::cancel(const std::string& run) {
  HistoryEvent asked;
  asked.what = Happened::cancel_asked;
  asked.run = run;
  if (!course_.mark(std::move(asked))) return;
  core_.cancel(run)->on_set([this, run](const Result<RunState>& state) {
    HistoryEvent told;
    told.what = Happened::cancel_told;
    told.run = run;
    if (!state) return;
    told.text = std::string(to_string(*state));
    course_.mark(std::move(told));
  });
}

void Caller::pause_or_unpause(const std::string& run) {
  if (asked_.count(run) > 0) return;
  if (paused_.count(run) > 0)
    unpause(run);
  else
    pause(run);
}

bool Caller::unpause_all() {
  const std::set<std::string> paused = paused_;
  // A disk that fails for good fails them all.
  if (paused.empty() || unpauses_ > 20 * tries_max) return false;
  for (const std::string& run : paused) unpause(run);
  return true;
}

void Caller::pause(const std::string& run) {
  HistoryEvent asked;
  asked.what = Happened::pause_asked;
  asked.run = run;
  if (!course_.mark(asked)) return;
  asked_.insert(run);
  paused_.insert(run);
  core_.pause(run)->on_set([this, asked](const Result<RunState>& state) {
    asked_.erase(asked.run);
    if (!state) return;
    HistoryEvent told = asked;
    told.what = Happened::pause_told;
    told.text = std::string(to_string(*state));
    course_.mark(std::move(told));
  });
}

void Caller::unpause(const std::string& run) {
  HistoryEvent asked;
  asked.what = Happened::unpause_asked;
  asked.run = run;
  if (!course_.mark(asked)) return;
  asked_.insert(run);
  paused_.erase(run);
  ++unpauses_;
  core_.unpause(run)->on_set([this, asked](const Result<RunState>& state) {
    asked_.erase(asked.run);
    if (!state && state.error().code != Errc::unknown_run) {
      paused_.insert(asked.run);
      return;
    }
    HistoryEvent told = asked;
    told.what = Happened::unpause_told;
    course_.mark(std::move(told));
  });
}

std::string name_of(const std::string& run, const std::string& signal_id) {
  return run + "/" + signal_id;
}

}  // namespace pawl::lab
