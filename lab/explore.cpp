// Every position, every loss, and the same again within each recovery.
#include <pawl/lab.hpp>
#include <pawl/point.hpp>

#include "actors/real_seams.hpp"
#include "lab/case_runner.hpp"
#include "lab/coverage.hpp"
#include "lab/exploration_lock.hpp"
#include "lab/failing_disk.hpp"
#include "lab/random_case.hpp"
#include "lab/shrink.hpp"
#include "lab/timeline.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <unordered_map>
#include <utility>

namespace pawl::lab {

namespace {

/// What a process that starts finds: equal ones come to the same end.
struct SituationKey {
  Digest image;
  std::uint64_t world;
  std::uint64_t told;  // what was acknowledged, and the time

  bool operator==(const SituationKey& other) const {
    return image == other.image && world == other.world && told == other.told;
  }
};

struct SituationHash {
  std::size_t operator()(const SituationKey& key) const {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i) word = word << 8 | key.image.bytes[i];
    return static_cast<std::size_t>(Chance(word ^ key.world ^ (key.told << 1)).next());
  }
};

SituationKey key_of(const Outlook& outlook) {
  std::string told = std::to_string(outlook.now_ms);
  for (const std::string& run : outlook.started) told += ":" + run;
  for (const std::string& signal : outlook.signalled) told += "!" + signal;
  for (const std::string& run : outlook.paused) told += "=" + run;
  const Digest digest = digest_of(told);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) word = word << 8 | digest.bytes[i];
  return {digest_of_image(outlook.image), outlook.world, word};
}

/// What a situation came to.
struct Resolved {
  std::vector<HistoryEvent> history;  // without points
  std::shared_ptr<const LeftFile> left;
  std::vector<Breach> own;  // breaches that do not depend on what came before
};

/// A life that crashed, on the way to the one that is being explored.
struct PastLife {
  std::vector<HistoryEvent> history;  // with its crash
  std::shared_ptr<const BodyLog> bodies;
  std::size_t position = 0;  // where it crashed
};

class Exploration {
 public:
  Exploration(const Scenario& scenario, const Options& options)
      : scenario_(scenario),
        options_(options),
        clock_(make_system_clock()),
        began_us_(clock_->steady_us()) {}

  Report run() {
    begin();
    if (options_.positions && goes_on()) explore_from({}, {}, baseline_, baseline_before_, 1);
    if (options_.mishaps) every_mishap();
    if (options_.faults) every_fault();
    random_courses();
    if (options_.demand_coverage && report_.violations.empty() && report_.left_out.empty())
      demand_points();
    report_.images = static_cast<std::int64_t>(resolved_.size());
    return finish();
  }

  Report run_one(const LabCase& lab_case) {
    const CaseEnd end = run_case(scenario_, lab_case);
    ++report_.cases;
    report_.lives += end.lives;
    report_.crashes += end.crashes;
    for (const Breach& breach : end.breaches) add_violation(breach, lab_case);
    return finish();
  }

 private:
  Report finish() {
    report_.seconds = static_cast<double>(clock_->steady_us() - began_us_) / 1e6;
    for (Violation& violation : report_.violations) describe(violation);
    return std::move(report_);
  }

  void describe(Violation& violation) {
    if (&violation == &report_.violations.front())
      violation.lab_case = shrink(scenario_, violation.lab_case, violation.invariant);
    const CaseEnd end = run_case(scenario_, violation.lab_case);
    for (const Breach& breach : end.breaches)
      if (breach.invariant == violation.invariant) violation.message = breach.message;
    violation.timeline = timeline(end.view());
    if (options_.history_file.empty() || &violation != &report_.violations.front()) return;
    std::ofstream file(options_.history_file);
    end.view().each([&](const HistoryEvent& event) { file << to_json_line(event) << '\n'; });
  }

  void begin() {
    const Outside world = scenario_.outside();
    baseline_ = live_in(scenario_, world, baseline_before_, options_.course, options_.disk_lies);
    ++report_.lives;
    report_.positions = static_cast<std::int64_t>(baseline_.course.entries().size());
    count_points(baseline_.course.history());
    ++report_.cases;
    if (is_calm(options_.course)) {
      HistoryView view;
      view.add(baseline_.course.history(), baseline_.course.history().size());
      for (const Breach& breach : check_all(scenario_, world, view, baseline_))
        add_violation(breach, case_of({}));
      return;
    }
    // What went wrong in it may have kept it from its end: a calm life follows before it is judged.
    const LabCase alone = case_of({});
    for (const Breach& breach : run_case(scenario_, alone).breaches) add_violation(breach, alone);
  }

  LabCase case_of(const std::vector<Crash>& crashes) const {
    LabCase made;
    made.disk_lies = options_.disk_lies;
    for (const Crash& crash : crashes) made.lives.push_back(life_with(crash, made.lives.empty()));
    made.lives.push_back(crashes.empty() ? options_.course : Life{});
    return made;
  }

  /// A life of an explored case: only the first one is of the course that was asked for.
  Life life_with(const Crash& crash, bool is_first) const {
    Life life = is_first ? options_.course : Life{};
    life.crash = crash;
    return life;
  }

  bool goes_on() {
    if (report_.violations.size() >= options_.violations_max || !report_.left_out.empty())
      return false;
    if (options_.cases_max > 0 && report_.cases >= options_.cases_max)
      report_.left_out =
          "the bound of " + std::to_string(options_.cases_max) + " cases was reached";
    else if (options_.seconds_max > 0 && (report_.cases & 15) == 0 &&
             static_cast<double>(clock_->steady_us() - began_us_) / 1e6 > options_.seconds_max)
      report_.left_out =
          "the bound of " + std::to_string(options_.seconds_max) + " seconds was reached";
    return report_.left_out.empty();
  }

  /// Crashes the life `end`, which began with `before`, at each of its positions with each loss.
  ///
  /// Given: `crashes`, those that led to this life; `past`, the lives before it.
  void explore_from(const std::vector<Crash>& crashes, const std::vector<PastLife>& past,
                    const LifeEnd& end, const Outlook& before, int depth) {
    DiskReplay replay(before.image);
    const auto& entries = end.course.entries();
    const std::vector<HistoryEvent>& history = end.course.history();
    Outlook outlook = before;
    std::size_t told = 0;
    for (std::size_t position = 0; position <= entries.size(); ++position) {
      if (position > 0) {
        replay.follow(entries[position - 1]);
        if (entries[position - 1].kind == Entry::Kind::mark) note_told(outlook, history[told++]);
      }
      outlook.world = end.world_at(position);
      outlook.now_ms = end.times[std::min(position, end.times.size() - 1)] + 1;
      for (const Loss loss : options_.losses) {
        const int images = loss == Loss::torn ? options_.torn_images : 1;
        for (int i = 0; i < images; ++i) {
          if (!goes_on()) return;
          const std::uint64_t torn_seed =
              loss == Loss::torn ? position * 64 + static_cast<std::uint64_t>(i) : 0;
          std::vector<Crash> all = crashes;
          all.push_back({position, loss, torn_seed});
          outlook.image = replay.after(loss, torn_seed);
          try_crash(all, past, end, told, outlook, depth);
        }
      }
    }
  }

  void try_crash(const std::vector<Crash>& crashes, const std::vector<PastLife>& past,
                 const LifeEnd& life, std::size_t told, const Outlook& outlook, int depth) {
    ++report_.cases;
    ++report_.crashes;
    const SituationKey key = key_of(outlook);
    auto found = resolved_.find(key);
    if (found == resolved_.end()) {
      found = resolved_.emplace(key, Resolved{}).first;
      resolve(found->second, crashes, past, life, told, outlook, depth);
    }
    const Resolved& resolved = found->second;
    // Everything that was told before this crash, and how it ended.
    HistoryView view;
    for (const PastLife& before : past) view.add(before.history, before.history.size());
    view.add(life.course.history(), told);
    const std::vector<HistoryEvent> crash{crash_event(crashes.back())};
    view.add(crash, 1);
    view.add(resolved.history, resolved.history.size());
    for (const Breach& breach : check_case(scenario_, view, resolved.left->runs, false))
      add_violation(breach, case_of(crashes));
    for (const Breach& breach : resolved.own) add_violation(breach, case_of(crashes));
  }

  /// Brings a world of its own to where the crash left it, starts the process again, and lets it
  /// come to its end.
  void resolve(Resolved& resolved, const std::vector<Crash>& crashes,
               const std::vector<PastLife>& past, const LifeEnd& life, std::size_t told,
               const Outlook& outlook, int depth) {
    const Outside world = scenario_.outside();
    std::vector<PastLife> lives = past;
    lives.push_back({{}, life.bodies, crashes.back().position});
    const std::vector<HistoryEvent>& history = life.course.history();
    lives.back().history.assign(history.begin(),
                                history.begin() + static_cast<std::ptrdiff_t>(told));
    lives.back().history.push_back(crash_event(crashes.back()));
    if (outlook.world != baseline_before_.world) bring_about(world, crashes, lives);
    const LifeEnd end = live_in(scenario_, world, outlook, Life{}, options_.disk_lies);
    ++report_.lives;
    count_points(end.course.history());
    resolved.left = end.left;
    for (const HistoryEvent& event : end.course.history())
      if (event.what != Happened::point) resolved.history.push_back(event);
    HistoryView view;
    for (const PastLife& before : lives) view.add(before.history, before.history.size());
    view.add(end.course.history(), end.course.history().size());
    for (Breach& breach : check_all(scenario_, world, view, end))
      if (breach.invariant == "file_is_sound" || breach.invariant == "your_check" ||
          !end.stuck.empty())
        resolved.own.push_back(std::move(breach));
    for (Breach& breach : check_stored_alone(scenario_, end.left->runs))
      resolved.own.push_back(std::move(breach));
    if (depth < options_.depth) explore_from(crashes, lives, end, outlook, depth + 1);
  }

  /// Does to the world what the user code of the crashed lives did to it: by calling it again, or,
  /// where that does not tell all, by living those lives again.
  void bring_about(const Outside& world, const std::vector<Crash>& crashes,
                   const std::vector<PastLife>& lives) {
    const bool repeatable = std::all_of(
        lives.begin(), lives.end(), [](const PastLife& life) { return life.bodies->repeatable; });
    if (!repeatable) return relive(world, crashes);
    for (const PastLife& life : lives) repeat_bodies(*life.bodies, world.steps(), life.position);
  }

  void relive(const Outside& world, const std::vector<Crash>& crashes) {
    Outlook outlook;
    for (const Crash& crash : crashes) {
      const Life life = life_with(crash, &crash == &crashes.front());
      const LifeEnd end = live_in(scenario_, world, outlook, life, options_.disk_lies);
      ++report_.lives;
      outlook = outlook_after(outlook, end, life);
    }
  }

  /// At every visit of a point in the undisturbed course, everything that can go wrong there.
  void every_mishap() {
    std::map<std::string, int> visits;
    for (const HistoryEvent& event : baseline_.course.history()) {
      if (event.what != Happened::point) continue;
      const int visit = ++visits[event.text];
      for (const MishapKind kind : mishaps_at(event.text)) {
        const bool fails_a_step = kind == MishapKind::kill || event.text == "step.before_body";
        if (fails_a_step && !options_.steps_fail) continue;
        if (!goes_on()) return;
        LabCase lab_case = case_of({});
        lab_case.lives.front().mishaps.push_back({event.text, visit, kind});
        try_case(lab_case);
        ++report_.mishaps;
      }
    }
  }

  void every_fault() {
    for (const LabCase& before : cases_to_fail_in(case_of({}), baseline_, options_)) {
      if (!goes_on()) return;
      const std::vector<Disk::Operation> operations =
          run_case(scenario_, before).facts.back().operations;
      ++report_.faults.lives;
      report_.faults.operations += static_cast<std::int64_t>(operations.size());
      for (const Life& life : failing_lives(before.lives.back(), operations)) {
        if (!goes_on()) return;
        LabCase lab_case = before;
        lab_case.lives.back() = life;
        const CaseEnd end = try_case(lab_case);
        count_fault(report_.faults, end, lab_case);
        if (const Breach breach = where_it_failed(end, lab_case); !breach.message.empty())
          add_violation(breach, lab_case);
      }
    }
  }

  void random_courses() {
    for (std::uint64_t i = 0; i < options_.schedules && goes_on(); ++i)
      try_case(random_case_for(scenario_, options_.first_seed + i, options_, report_.positions));
  }

  CaseEnd try_case(const LabCase& lab_case) {
    CaseEnd end = run_case(scenario_, lab_case);
    ++report_.cases;
    report_.lives += end.lives;
    report_.crashes += end.crashes;
    for (const auto& history : end.histories) count_points(history);
    for (const Breach& breach : end.breaches) add_violation(breach, lab_case);
    return end;
  }

  void count_points(const std::vector<HistoryEvent>& history) {
    for (const HistoryEvent& event : history) {
      if (event.what != Happened::point) continue;
      ++report_.points[event.text];
      if (!event.step.empty()) ++report_.points[event.text + " " + event.step];
    }
  }

  void demand_points() {
    report_.points_missed =
        points_missed(scenario_, options_, report_.points, baseline_.left->runs);
    if (report_.points_missed.empty()) return;
    add_violation({"every_point_is_reached", report_.points_missed.front() + " was never reached"},
                  case_of({}));
  }

  void add_violation(const Breach& breach, const LabCase& lab_case) {
    if (report_.violations.size() >= options_.violations_max) return;
    for (const Violation& known : report_.violations)
      if (known.invariant == breach.invariant) return;
    report_.violations.push_back({breach.invariant, breach.message, lab_case, {}});
  }

  const Scenario& scenario_;
  const Options& options_;
  std::shared_ptr<const Clock> clock_;
  std::int64_t began_us_;
  Report report_;
  LifeEnd baseline_;
  Outlook baseline_before_;
  std::unordered_map<SituationKey, Resolved, SituationHash> resolved_;
};

}  // namespace

Report explore(const Scenario& scenario, const Options& options) {
  const ExplorationLock lock;
  if (const char* line = std::getenv("PAWL_REPLAY"); line != nullptr && *line != '\0') {
    const Result<LabCase> lab_case = LabCase::parse(line);
    Report report;
    if (lab_case)
      report = Exploration(scenario, options).run_one(*lab_case);
    else
      report.violations.push_back({"replay", lab_case.error().text(), {}, {}});
    return report;
  }
  return Exploration(scenario, options).run();
}

Report explore(const Flow& flow, const json& input, MakeOutside outside, const Options& options) {
  return explore(Scenario{flow, {{"run-1", input}}, std::move(outside)}, options);
}

Report replay(const Scenario& scenario, const LabCase& lab_case, const Options& options) {
  const ExplorationLock lock;
  return Exploration(scenario, options).run_one(lab_case);
}

std::string timeline_of(const Scenario& scenario, const LabCase& lab_case) {
  const ExplorationLock lock;
  return timeline(run_case(scenario, lab_case).view());
}

Trace trace(const Scenario& scenario, const LabCase& lab_case) {
  const ExplorationLock lock;
  const CaseEnd end = run_case(scenario, lab_case, true);
  return {end.trace, end.events, end.virtual_ms};
}

LabCase random_case(const Scenario& scenario, std::uint64_t seed, const Options& options) {
  return random_case_for(scenario, seed, options,
                         60 * static_cast<std::int64_t>(scenario.flow.plan()->steps.size()));
}

}  // namespace pawl::lab
