// ./dev mutants: shows that the lab sees every seeded bug. Only in builds with PAWL_MUTANTS.
//
// For each: the store's checks, every crash of each flow of our own, random courses; until
// something is found, and no longer than the time allowed. Without a bug all of it must find
// nothing.
#include <pawl/lab.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/store_conformance.hpp>
#include <pawl/verify.hpp>

#include "lab/disk.hpp"
#include "lab/own_scenarios.hpp"
#include "lab/repeated_writes.hpp"
#include "runtime/mutant.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace pawl;
using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point began) {
  return std::chrono::duration<double>(SteadyClock::now() - began).count();
}

struct Caught {
  std::string by;
  std::string where;
  std::string message;
  std::string report;
};

/// The checks of the store kit, on SQLite and a simulated disk.
std::optional<Caught> check_store_kit() {
  struct Place {
    lab::Course course;
    lab::Disk disk{{}, course};
  };

  // The checks write what no machine would; but whatever is there belongs to a run.
  const auto orphans = [] {
    std::vector<std::string> found;
    for (const Finding& finding : verify_sqlite_store("pawl.db", lab::lab_vfs).value().findings)
      if (finding.code == "orphans") found.push_back(finding.message);
    return found;
  };
  std::vector<std::shared_ptr<Place>> places;
  const auto findings = lab::check_store([&] {
    places.push_back(std::make_shared<Place>());
    const auto place = places.back();
    lab::set_current_disk(&place->disk);
    const auto open = [place]() -> std::unique_ptr<Store> {
      return open_sqlite_store(lab::on_simulated_disk()).value();
    };
    return lab::StoreUnderTest{open, orphans};
  });
  lab::set_current_disk(nullptr);
  if (findings.empty()) return std::nullopt;
  return Caught{"store kit", findings.front().check, findings.front().message, {}};
}

/// Does something with a disk, and gives what lies on it afterwards.
template <class Act>
lab::DiskImage on_a_disk(const lab::DiskImage& before, const Act& act) {
  lab::Course course;
  lab::Disk disk(before, course);
  lab::set_current_disk(&disk);
  act(disk);
  lab::DiskImage after = disk.image();
  lab::set_current_disk(nullptr);
  return after;
}

/// What opening a store answers.
Errc opening(const lab::DiskImage& image) {
  Errc answered = Errc::internal;
  on_a_disk(image, [&](const lab::Disk&) {
    if (const auto opened = open_sqlite_store(lab::on_simulated_disk()); !opened)
      answered = opened.error().code;
  });
  return answered;
}

/// A log that somebody removes is told of, and so is a damaged page; what a kill leaves is opened.
std::optional<Caught> check_damaged_files() {
  const lab::DiskImage closed =
      on_a_disk({}, [](const lab::Disk&) { open_sqlite_store(lab::on_simulated_disk()).value(); });
  lab::DiskImage killed;
  on_a_disk(closed, [&](const lab::Disk& disk) {
    const auto store = open_sqlite_store(lab::on_simulated_disk()).value();
    killed = disk.image();  // the second epoch is in the log
  });
  killed.erase("pawl.db-wal");
  if (opening(killed) != Errc::rolled_back)
    return Caught{"rolled_back", "a log that is removed", "the store is opened all the same", {}};
  lab::DiskImage after_many;
  on_a_disk(closed, [&](const lab::Disk& disk) {
    const auto store = open_sqlite_store(lab::on_simulated_disk()).value();
    for (int i = 0; i < 40; ++i) put(*store, start_run("r" + std::to_string(i)));
    after_many = disk.image();
  });
  if (opening(after_many) != Errc::internal)  // which is: it opens
    return Caught{"opened", "a kill after many commits", "the store is refused", {}};
  lab::DiskImage damaged = closed;
  constexpr std::size_t in_second_page = 4096 + 2000;  // where nothing is
  damaged["pawl.db"][in_second_page] ^= 3;
  if (opening(damaged) != Errc::corrupt)
    return Caught{"corrupt", "a damaged page", "the store is opened all the same", {}};
  return std::nullopt;
}

std::optional<Caught> caught_by(const lab::Report& report, const std::string& where) {
  if (report.violations.empty()) return std::nullopt;
  const lab::Violation& first = report.violations.front();
  return Caught{first.invariant, where, first.message, report.text()};
}

/// Every operation of a recovery fails once, in each way; and a disk fails for a moment, and then
/// the power.
std::optional<Caught> hunt_faults(std::int64_t& cases) {
  using lab::FaultKind;
  const OwnScenario chain = own_scenarios().front();
  for (const FaultKind kind :
       {FaultKind::io, FaultKind::full, FaultKind::nomem, FaultKind::busy, FaultKind::short_read})
    for (std::int64_t operation = 0; operation < 200; ++operation) {
      lab::LabCase lab_case;
      lab_case.lives.resize(2);
      lab_case.lives[0].crash = lab::Crash{110, lab::Loss::kill, 0};
      lab_case.lives[1].faults.push_back({operation, kind, false});
      ++cases;
      if (auto caught = caught_by(lab::replay(chain.scenario, lab_case),
                                  "each operation of a recovery fails"))
        return caught;
    }
  lab::Scenario single = chain.scenario;
  single.flow = parse_flow(R"({"flow": "single", "steps": {"a": {"run": "s"}}})").value();
  for (std::int64_t operation = 90; operation < 200; ++operation) {
    lab::Options options;
    options.losses = {lab::Loss::power};
    options.demand_coverage = false;
    for (std::int64_t i = 0; i < 12; ++i)
      options.course.faults.push_back({operation + i, FaultKind::io, false});
    const lab::Report report = lab::explore(single, options);
    cases += report.cases;
    if (auto caught = caught_by(report, "a disk that fails for a moment")) return caught;
  }
  return std::nullopt;
}

/// A crash at every position, and then somebody cancels; or somebody cancels at some moment, and
/// what was done is being undone when the crash comes.
std::optional<Caught> hunt_cancels(std::int64_t& cases) {
  const std::vector<OwnScenario> all = own_scenarios();
  const auto undoing = std::find_if(all.begin(), all.end(),
                                    [](const OwnScenario& own) { return own.name == "undoing"; });
  for (std::size_t position = 0; position < 150; ++position) {
    lab::LabCase lab_case;
    lab_case.lives.resize(2);
    lab_case.lives[0].crash = lab::Crash{position, lab::Loss::kill, 0};
    lab_case.lives[1].weather.cancels = 1000;
    ++cases;
    if (auto caught =
            caught_by(lab::replay(all.front().scenario, lab_case), "a crash, then a cancel"))
      return caught;
  }
  for (std::size_t position = 100; position < 500; ++position) {
    lab::LabCase lab_case;
    lab_case.lives.resize(2);
    lab_case.lives[0].seed = position + 1;
    lab_case.lives[0].weather.cancels = 30;
    lab_case.lives[0].crash = lab::Crash{position, lab::Loss::kill, 0};
    lab_case.lives[1].seed = position + 1;
    lab_case.lives[1].weather.failed_steps = 400;
    ++cases;
    if (auto caught = caught_by(lab::replay(undoing->scenario, lab_case),
                                "a cancel, then a crash while undoing"))
      return caught;
  }
  return std::nullopt;
}

/// Runs are paused and let go on at random moments, with crashes in between.
std::optional<Caught> hunt_pauses(std::int64_t& cases) {
  for (const OwnScenario& own : own_scenarios()) {
    if (own.name != "sleeping" && own.name != "awaiting" && own.name != "retrying" &&
        own.name != "children" && own.name != "fork_join")
      continue;
    for (std::uint64_t seed = 1; seed <= 90; ++seed) {
      lab::LabCase lab_case;
      lab_case.lives.resize(2);
      lab::Weather& weather = lab_case.lives[0].weather;
      lab_case.lives[0].seed = seed;
      weather.pauses = seed % 2 == 0 ? 40 : 100;
      weather.early_timers = seed % 3 == 0 ? 20 : 150;
      weather.slow_steps = seed % 4 < 2 ? 300 : 0;
      if (seed % 3 > 0) lab_case.lives[0].crash = lab::Crash{60 + 3 * seed, lab::Loss::kill, 0};
      lab_case.lives[1].seed = seed;
      lab_case.lives[1].weather.pauses = 20;
      lab_case.lives[1].weather.early_timers = 50;
      ++cases;
      if (auto caught =
              caught_by(lab::replay(own.scenario, lab_case),
                        "pauses and a crash of " + own.name + ", seed " + std::to_string(seed)))
        return caught;
    }
  }
  return std::nullopt;
}

/// A run that awaits crashes at every position of some schedules, and its signals are sent again.
std::optional<Caught> hunt_signals(std::int64_t& cases) {
  const std::vector<OwnScenario> all = own_scenarios();
  const auto awaiting = std::find_if(all.begin(), all.end(),
                                     [](const OwnScenario& own) { return own.name == "awaiting"; });
  for (std::uint64_t seed = 1; seed <= 12; ++seed)
    for (std::size_t position = 60; position < 140; ++position) {
      lab::LabCase lab_case;
      lab_case.lives.resize(2);
      lab_case.lives[0].seed = seed;
      lab_case.lives[0].weather.readers = 6;
      lab_case.lives[0].crash = lab::Crash{position, lab::Loss::kill, 0};
      ++cases;
      if (auto caught = caught_by(lab::replay(awaiting->scenario, lab_case),
                                  "a crash of awaiting, and its signals again"))
        return caught;
    }
  return std::nullopt;
}

/// Random courses, until so many seconds have passed since `began`.
std::optional<Caught> hunt_courses(std::uint64_t first_seed, double seconds_max,
                                   SteadyClock::time_point began, std::int64_t& cases) {
  lab::Options options;
  options.cancels = true;
  options.demand_coverage = false;
  for (std::uint64_t seed = first_seed; seconds_since(began) < seconds_max; ++seed)
    for (const OwnScenario& own : own_scenarios()) {
      const lab::Report report =
          lab::replay(own.scenario, lab::random_case(own.scenario, seed, options), options);
      ++cases;
      if (auto caught = caught_by(report, "seed " + std::to_string(seed) + " of " + own.name))
        return caught;
    }
  return std::nullopt;
}

/// A short read while the store is opened whose making was cut off.
std::optional<Caught> hunt_making(const lab::Scenario& scenario, std::int64_t& cases) {
  for (const lab::LabCase& lab_case : short_reads_after_making()) {
    ++cases;
    if (auto caught = caught_by(lab::replay(scenario, lab_case),
                                "a short read after a kill while the store is made"))
      return caught;
  }
  return std::nullopt;
}

std::optional<Caught> hunt(double seconds_max, std::int64_t& cases) {
  const auto began = SteadyClock::now();
  if (auto caught = check_store_kit()) return caught;
  if (auto caught = check_damaged_files()) return caught;
  if (const auto lost = lab::lost_by_repeated_writes(cases))
    return Caught{"repeated writes", "a disk that fails for a moment", *lost, {}};
  for (const OwnScenario& own : own_scenarios()) {
    lab::Options options;
    options.seconds_max = std::max(0.1, seconds_max - seconds_since(began));
    options.losses = {lab::Loss::kill, lab::Loss::power};  // torn disks come in random courses
    options.mishaps = own.name == "chain" || own.name == "retrying";  // they go the same ways
    const lab::Report report = lab::explore(own.scenario, options);
    cases += report.cases;
    if (auto caught = caught_by(report, "every crash of " + own.name)) return caught;
    if (own.name == "chain")
      if (auto caught = hunt_making(own.scenario, cases)) return caught;
    if (seconds_since(began) > seconds_max) return std::nullopt;
  }
  if (auto caught = hunt_cancels(cases)) return caught;
  if (auto caught = hunt_signals(cases)) return caught;
  if (auto caught = hunt_pauses(cases)) return caught;
  if (auto caught =
          hunt_courses(1, std::min(seconds_max, seconds_since(began) + 3.5), began, cases))
    return caught;
  if (auto caught = hunt_faults(cases)) return caught;
  return hunt_courses(100'000, seconds_max, began, cases);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows that the lab sees every seeded bug");
  std::vector<std::string> names;
  double seconds_max = 90;  // only a bug that nobody sees takes so long
  app.add_option("MUTANT", names, "The seeded bugs; none: show that nothing is found without one");
  app.add_option("--seconds", seconds_max, "How long each may go unseen (default: 90)");
  CLI11_PARSE(app, argc, argv);

  set_mutant("");
  if (names.empty()) {
    std::int64_t cases = 0;
    if (const auto alarm = hunt(std::min(seconds_max, 15.0), cases)) {
      std::cout << "FALSE ALARM without a mutant: " << alarm->by << ", " << alarm->where << ": "
                << alarm->message << '\n'
                << alarm->report << '\n';
      return 1;
    }
    std::cout << "without a mutant: nothing is found in " << cases << " cases\n";
    return 0;
  }
  bool survived = false;
  for (const std::string& name : names) {
    set_mutant(name);
    const auto began = SteadyClock::now();
    std::int64_t tried = 0;
    const auto caught = hunt(seconds_max, tried);
    survived = survived || !caught;
    std::printf("%-36s %8.2f  %-34s %s\n", name.c_str(), seconds_since(began),
                caught ? caught->by.c_str() : "SURVIVED",
                caught ? caught->where.c_str() : (std::to_string(tried) + " cases").c_str());
    std::fflush(stdout);
  }
  set_mutant("");
  return survived ? 1 : 0;
}
