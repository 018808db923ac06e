#include "lab/schedule.hpp"

#include "actors/step_runner.hpp"

#include <caf/exit_reason.hpp>
#include <caf/local_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace pawl::lab {

namespace {

constexpr int killed_max = 3;             // step runners, in one life
constexpr std::size_t stall_events = 60;  // of a stall that is aimed

}  // namespace

bool Schedule::step() {
  const std::size_t actors = scheduler_.jobs.size();
  const std::size_t jobs = executor_.jobs.size();
  const bool time_passes = actors + jobs == 0 || chance_.permille(life_.weather.early_timers) ||
                           (jobs == 0 && all_are_stalled());
  if (time_passes && scheduler_.has_pending_timeout()) {
    trigger_timer();
    return true;
  }
  if (actors + jobs == 0) return false;
  ++events_;
  const std::size_t pick = pick_one(actors, jobs);
  if (pick < actors) {
    run_actor(pick);
  } else {
    note(2'000'000 + pick);
    auto* const before = std::exchange(current_, nullptr);
    executor_.run(pick - actors);
    current_ = before;
  }
  return true;
}

std::size_t Schedule::pick_one(std::size_t actors, std::size_t jobs) {
  const std::size_t all = actors + jobs;
  std::size_t pick = life_.seed == 0 ? 0 : chance_.below(all);
  // Who is stalled is passed over while there is somebody else.
  for (std::size_t tries = 0; tries < all && pick < actors && is_stalled(scheduler_.jobs[pick]);
       ++tries)
    pick = (pick + 1) % all;
  return pick;
}

bool Schedule::all_are_stalled() const {
  return !stalled_until_.empty() &&
         std::all_of(scheduler_.jobs.begin(), scheduler_.jobs.end(),
                     [this](const caf::resumable* job) { return is_stalled(job); });
}

bool Schedule::is_stalled(const caf::resumable* job) const {
  if (stalled_until_.empty()) return false;
  // By id, not by address: addresses differ from process to process.
  const auto* const actor = dynamic_cast<const caf::local_actor*>(job);
  const auto found = stalled_until_.find(actor == nullptr ? 0 : actor->id());
  return found != stalled_until_.end() && found->second > events_;
}

void Schedule::run_actor(std::size_t pick) {
  auto& jobs = scheduler_.jobs;
  std::rotate(jobs.begin(), jobs.begin() + static_cast<std::ptrdiff_t>(pick), jobs.end());
  auto* const actor = dynamic_cast<caf::local_actor*>(jobs.front());
  note(actor == nullptr ? 0 : actor->id());
  if (actor != nullptr) {
    if (chance_.permille(life_.weather.stalls))
      stalled_until_[actor->id()] = events_ + 5 + chance_.below(80);
    if (life_.weather.killed_runners > 0) kill_runner(*actor);
  }
  auto* const before = std::exchange(current_, actor);
  scheduler_.run_once();
  current_ = before;
}

void Schedule::kill_runner(const caf::local_actor& runner) {
  if (std::strcmp(runner.name(), StepRunnerState::name) == 0 && killed_ < killed_max &&
      chance_.permille(life_.weather.killed_runners))
    kill(runner);
}

void Schedule::kill(const caf::local_actor& runner) {
  ++killed_;
  HistoryEvent event;
  event.what = Happened::runner_killed;
  if (course_.mark(std::move(event))) caf::anon_send_exit(runner.address(), caf::exit_reason::kill);
}

void Schedule::kill_current() {
  if (current_ != nullptr && std::strcmp(current_->name(), StepRunnerState::name) == 0)
    kill(*current_);
}

void Schedule::stall_current() {
  if (current_ != nullptr) stalled_until_[current_->id()] = events_ + stall_events;
}

void Schedule::repeat_current() {
  if (current_ == nullptr || current_->current_mailbox_element() == nullptr) return;
  caf::mailbox_element& element = *current_->current_mailbox_element();
  current_->eq_impl(caf::make_message_id(), element.sender, nullptr,
                    element.copy_content_to_message());
}

void Schedule::trigger_timer() {
  // The clock shows its timers for reading only; which of equal ones is first is not its to say.
  auto& timers =
      const_cast<caf::detail::simple_actor_clock::schedule_map&>(scheduler_.clock().schedule());
  const auto equal = static_cast<std::uint64_t>(timers.count(timers.begin()->first));
  if (life_.seed != 0 && equal > 1)
    for (std::uint64_t turns = chance_.below(equal); turns > 0; --turns)
      timers.insert(timers.upper_bound(timers.begin()->first), timers.extract(timers.begin()));
  ++events_;
  note(1'000'000 + equal);
  scheduler_.trigger_timeout();
}

}  // namespace pawl::lab
