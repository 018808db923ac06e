/// CaseRunner: makes cases happen: life after life on one disk, and the check at the end.
#pragma once

#include <pawl/lab.hpp>

#include "lab/checker.hpp"
#include "lab/process.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pawl::lab {

/// What became of a life of a case.
struct LifeFacts {
  bool opened = false;  ///< had a store
  bool clean = false;   ///< came to its end
  std::vector<Disk::Operation> operations;
};

/// What a case came to.
struct CaseEnd {
  std::vector<std::vector<HistoryEvent>> histories;  // of all lives, in order
  std::vector<LifeFacts> facts;                      // the same
  std::vector<StoredRun> runs;
  std::vector<Breach> breaches;
  Digest trace;
  std::size_t events = 0;
  std::int64_t virtual_ms = 0;
  std::int64_t lives = 0;
  std::int64_t crashes = 0;

  HistoryView view() const;
};

/// What somebody outside knows between two lives.
struct Outlook {
  DiskImage image;
  std::set<std::string> started;
  std::set<std::string> ended;
  std::set<std::string> signalled;
  std::set<std::string> paused;  ///< perhaps
  std::int64_t now_ms = 1'700'000'000'000;
  std::uint64_t world = 1;
};

/// Takes note of what a life told.
void note_told(Outlook& outlook, const HistoryEvent& event);

/// Lives `life` in `world`. With a crash that the life does not come to, it ends as if it had none.
LifeEnd live_in(const Scenario& scenario, const Outside& world, const Outlook& outlook,
                const Life& life, bool disk_lies, bool traced = false);

/// What is to be known after that life.
///
/// Given: `life`, whose crash says what the disk kept.
Outlook outlook_after(const Outlook& before, const LifeEnd& end, const Life& life);

/// The event that ends a life which crashed.
HistoryEvent crash_event(const Crash& crash);

/// Checks everything: the invariants, and the world by the user's own check.
std::vector<Breach> check_all(const Scenario& scenario, const Outside& world,
                              const HistoryView& history, const LifeEnd& last);

/// Whether nothing goes wrong in this life.
bool is_calm(const Life& life);

/// Makes a case happen, in a world of its own; a calm life follows if its last one was not calm.
CaseEnd run_case(const Scenario& scenario, const LabCase& lab_case, bool traced = false);

/// The scenario with as many runs as the case asks for.
Scenario reduced(const Scenario& scenario, const LabCase& lab_case);

}  // namespace pawl::lab
