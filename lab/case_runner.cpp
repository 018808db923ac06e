#include "lab/case_runner.hpp"

#include "lab/caller.hpp"

#include <algorithm>
#include <utility>

namespace pawl::lab {

namespace {

/// Time that passes while the process is down.
constexpr std::int64_t restart_ms = 1;

}  // namespace

bool is_calm(const Life& life) {
  return !life.crash && life.faults.empty() && life.mishaps.empty() && life.weather.calm();
}

HistoryView CaseEnd::view() const {
  HistoryView view;
  for (const auto& history : histories) view.add(history, history.size());
  return view;
}

void note_told(Outlook& outlook, const HistoryEvent& event) {
  if (event.what == Happened::start_told) outlook.started.insert(event.run);
  if (event.what == Happened::end_told) outlook.ended.insert(event.run);
  if (event.what == Happened::signal_told || event.what == Happened::signal_refused)
    outlook.signalled.insert(name_of(event.run, event.key));
  if (event.what == Happened::pause_asked) outlook.paused.insert(event.run);
  if (event.what == Happened::unpause_told) outlook.paused.erase(event.run);
}

LifeEnd live_in(const Scenario& scenario, const Outside& world, const Outlook& outlook,
                const Life& life, bool disk_lies, bool traced) {
  const Start start{scenario,          world.steps(),  outlook.started, outlook.ended,
                    outlook.signalled, outlook.paused, outlook.now_ms,  outlook.world,
                    disk_lies,         traced};
  return live(start, life, outlook.image);
}

Outlook outlook_after(const Outlook& before, const LifeEnd& end, const Life& life) {
  Outlook after = before;
  const std::size_t position = end.course.entries().size();
  for (const HistoryEvent& event : end.course.history()) note_told(after, event);
  after.world = end.world_at(position);
  after.now_ms = end.times.back() + restart_ms;
  if (end.clean) {
    after.image = end.image;
    return after;
  }
  DiskReplay replay(before.image);
  for (const Entry& entry : end.course.entries()) replay.follow(entry);
  const Crash crash = life.crash.value_or(Crash{position, Loss::kill, 0});
  after.image = replay.after(crash.loss, crash.torn_seed);
  return after;
}

HistoryEvent crash_event(const Crash& crash) {
  HistoryEvent event;
  event.what = Happened::crashed;
  event.text = std::string(to_string(crash.loss));
  event.number = static_cast<std::int64_t>(crash.position);
  return event;
}

std::vector<Breach> check_all(const Scenario& scenario, const Outside& world,
                              const HistoryView& history, const LifeEnd& last) {
  std::vector<Breach> breaches;
  if (!last.stuck.empty()) breaches.push_back({"everything_finishes", last.stuck});
  for (Breach& breach : check_case(scenario, history, last.left->runs))
    breaches.push_back(std::move(breach));
  if (!last.left->unsound.empty()) breaches.push_back({"file_is_sound", last.left->unsound});
  if (world.check)
    if (std::string complaint = world.check(make_ending(history, last.left->runs));
        !complaint.empty())
      breaches.push_back({"your_check", std::move(complaint)});
  return breaches;
}

CaseEnd run_case(const Scenario& whole, const LabCase& lab_case, bool traced) {
  const Scenario scenario = reduced(whole, lab_case);
  const Outside world = scenario.outside();
  std::vector<Life> lives = lab_case.lives;
  if (lives.empty() || !is_calm(lives.back())) lives.push_back(Life{});
  CaseEnd end;
  Outlook outlook;
  LifeEnd last;
  std::string traces;
  for (const Life& life : lives) {
    last = live_in(scenario, world, outlook, life, lab_case.disk_lies, traced);
    if (!last.stuck.empty() && &life != &lives.back())
      end.breaches.push_back({"everything_finishes", last.stuck});
    outlook = outlook_after(outlook, last, life);
    end.histories.push_back(last.course.history());
    if (!last.clean) {
      end.histories.back().push_back(
          crash_event(life.crash.value_or(Crash{last.course.entries().size(), Loss::kill, 0})));
      ++end.crashes;
    }
    ++end.lives;
    end.facts.push_back({last.opened, last.clean, std::move(last.operations)});
    end.events += last.events;
    end.virtual_ms += last.virtual_ms;
    traces += last.trace.hex();
  }
  end.trace = digest_of(traces);
  for (Breach& breach : check_all(scenario, world, end.view(), last))
    end.breaches.push_back(std::move(breach));
  end.runs = last.left->runs;
  return end;
}

Scenario reduced(const Scenario& scenario, const LabCase& lab_case) {
  Scenario some = scenario;
  if (lab_case.runs > 0 && lab_case.runs < some.runs.size()) some.runs.resize(lab_case.runs);
  return some;
}

}  // namespace pawl::lab
