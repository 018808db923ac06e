// The coordinator and the runs that are not in memory: how they are looked for and read back.
#include "actors/coordinator.hpp"
#include "actors/durable_write.hpp"
#include "actors/worker_policy.hpp"
#include "runtime/mutant.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <utility>

namespace pawl {

namespace {

/// Runs are looked for in portions of this size,
constexpr std::size_t scan_portion = 256;

/// and read back in smaller ones, so that others get their turn at the store.
constexpr std::size_t loads_max = 128;

}  // namespace

void Coordinator::scan_if_room() {
  if (mutant("runs_forgotten_at_restart")) return;
  if (!config_.recover || scanning_ || closing_ || lost_ || !has_room()) return;
  if (!searched_to_ && !search_all_ && !search_timed_) return;
  // One portion at a time, and not for every place that becomes free.
  if (live_.size() + arriving_.size() + scan_portion > config_.live_runs_max &&
      live_.size() + arriving_.size() > config_.live_runs_max / 2)
    return;
  if (!searched_to_) {
    // Those that wait for a time come after all that are due at once, live ones among them.
    searched_to_ = search_all_ ? DuePlace{} : timed_to_;
    search_all_ = search_timed_ = false;  // what comes up from now on says so anew
  }
  scanning_ = true;
  const std::int64_t now_ms = config_.seams.clock->now_ms();
  self_->send(recovery_, Message<ScanRequest>(std::make_shared<ScanRequest>(
                             ScanRequest{{now_ms + ahead_ms, scan_portion, *searched_to_}})));
  if (gathers_) leave_to_others();
}

void Coordinator::on_found(const Found& found) {
  scanning_ = false;
  if (closing_ || lost_) return;
  if (found.error) {
    if (is_for_good(found.error->code)) return lose(*found.error);
    config_.reporter->log(LogLevel::error,
                          "unfinished runs cannot be read: " + found.error->text());
    scan_at_ = self_->clock().now() + std::chrono::seconds(1);
    return set_alarm(*scan_at_);
  }
  bool fetched = false;
  bool complete = found.complete;
  gather([&] {
    for (const RunRow& row : found.rows) {
      if (live_.count(row.run) == 0 && arriving_.count(row.run) == 0 &&
          halted_.count(row.run) == 0) {
        if (!has_room()) {
          complete = false;
          break;
        }
        fetch(row.run, std::nullopt);
        fetched = true;
      }
      searched_to_ = DuePlace{row.due_ms, row.key};
      if (timed_to_ < *searched_to_) timed_to_ = *searched_to_;
    }
  });
  if (complete) searched_to_.reset();
  if (found.next_due_ms && *found.next_due_ms != std::numeric_limits<std::int64_t>::max())
    search_before(*found.next_due_ms);
  // What was fetched looks for more when it has come; else nobody would.
  if (!fetched) scan_if_room();
}

/// Reads a run back, and serves `request` when it is there.
void Coordinator::fetch(const std::string& id, std::optional<Request> request) {
  const auto [arriving, is_first] = arriving_.try_emplace(id);
  if (request) arriving->second.requests.push_back(std::move(*request));
  if (!is_first) return;
  unfetched_.push_back(id);
  if (!gathers_) fetch_gathered();
}

void Coordinator::fetch_gathered() {
  if (unfetched_.empty()) return;
  write_starts();  // one of them may be what is asked for
  const std::vector<std::string> runs = std::exchange(unfetched_, {});
  for (auto next = runs.begin(); next != runs.end();) {
    const auto first = next;
    next += std::min<std::ptrdiff_t>(loads_max, runs.end() - next);
    self_->send(recovery_, Message<RecoverRequest>(
                               std::make_shared<RecoverRequest>(RecoverRequest{{first, next}})));
  }
}

void Coordinator::on_recovered(const std::vector<Recovered>& runs) {
  gather([&] {
    for (const Recovered& run : runs) on_recovered(run);
  });
  if (arriving_.size() < loads_max) scan_if_room();
}

void Coordinator::on_recovered(const Recovered& recovered) {
  const auto arrived = arriving_.find(recovered.run);
  if (arrived == arriving_.end()) return;
  const auto [requests, was_started, late] = std::move(arrived->second);
  arriving_.erase(arrived);
  if (recovered.error) {
    const Errc code = recovered.error->code;
    if (code == Errc::unknown_run && was_started) {  // the store was asked too early
      fetch(recovered.run, std::nullopt);
      for (const Request& request : requests) fetch(recovered.run, request);
      return;
    }
    for (const Request& request : requests) answer(request, *recovered.error);
    if (is_for_good(code)) return lose(*recovered.error);
    if (code != Errc::unknown_run) return give_up(recovered.run, *recovered.error);
    waiters_.answer(recovered.run, unfinished(*recovered.error));
    scan_if_room();
    return answer_close_if_done();
  }
  if (const std::optional<Outcome>& ended = recovered.machine->outcome()) {
    for (const Request& request : requests) answer(request, *ended);
    waiters_.answer(recovered.run, *ended);
    scan_if_room();
    return answer_close_if_done();
  }
  halted_.erase(recovered.run);
  config_.reporter->tell([&] { return event_about(EventKind::run_recovered, recovered.run); });
  LiveRun& run = live_[recovered.run];
  run.key = recovered.key;
  run.folder = recovered.folder;
  run.machine = recovered.machine;
  for (const Progress& progress : recovered.progress)
    if (const auto step = run.machine->find(progress.step);
        step && !run.machine->step_output(*step))
      keep_progress(run, progress);
  for (const Message<AnsweredLate>& answer : late)
    static_cast<void>(run.machine->apply(Recorded{*answer->record}).has_value());
  note_child_lives(run);
  for (const Request& request : requests) serve(request, run);
  resume_if_quiet(recovered.run);
}

}  // namespace pawl
