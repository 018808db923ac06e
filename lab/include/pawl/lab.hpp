/// The lab: makes every crash happen to a flow, on pawl's own actors and its own SQLite store, and
/// says whether the flow survived. docs/lab.md begins with a complete test.
#pragma once

#include <pawl/engine.hpp>
#include <pawl/flow.hpp>
#include <pawl/lab_case.hpp>
#include <pawl/lab_history.hpp>
#include <pawl/run_state.hpp>
#include <pawl/signal.hpp>
#include <pawl/steps.hpp>
#include <pawl/store.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace pawl::lab {

/// What a case came to, for the user's own check.
struct Ending {
  std::map<std::string, Outcome>
      outcomes;                       ///< by run id, as stored; a run that did not end is absent
  std::vector<StoredRun> runs;        ///< everything that is stored
  std::vector<HistoryEvent> history;  ///< of all lives, in order
};

/// The world outside the process, as the steps see it: what they change in it stays when the
/// process dies.
struct Outside {
  /// Makes the process's steps: called at every start of the process, for its memory dies with it.
  std::function<Steps()> steps;

  /// Says what is wrong with the world in the end; empty if nothing is. May be null.
  std::function<std::string(const Ending&)> check = {};
};

/// Makes a world in which nothing has happened yet; called for every case.
using MakeOutside = std::function<Outside()>;

struct RunToStart {
  std::string id;
  json input = json::object();
  StartOptions options = {};
};

/// A signal that somebody sends once the run's start was acknowledged, and sends again, after
/// crashes too, until it is acknowledged itself or the run has ended.
struct SignalToSend {
  std::string run;
  Signal signal;  ///< with an id
};

/// What is to be tried.
struct Scenario {
  Flow flow;
  std::vector<RunToStart> runs;
  MakeOutside outside;
  std::vector<SignalToSend> signals = {};

  /// As in EngineOptions.
  std::map<std::string, std::size_t> at_once_max = {};
  std::map<std::string, Rate> rates = {};
};

struct Options {
  /// What a crash may leave. Each at every position.
  std::vector<Loss> losses{Loss::kill, Loss::power, Loss::torn};

  /// Whether every position of the course is tried. Without it, only the random courses are.
  bool positions = true;

  /// Everything that can go wrong at a named point besides a crash, one case for each visit of each
  /// point in the undisturbed course.
  bool mishaps = true;

  /// Every operation of the disk in the undisturbed course fails, in every way that it can, once,
  /// for a while and for ever; a case each. With `fault_recoveries`, the same in so many
  /// recoveries, after kills that are spread over the course.
  bool faults = false;
  std::size_t fault_recoveries = 0;

  /// The course whose positions are tried: its seed, its weather and its faults. By default
  /// messages come in the order of their arrival and nothing goes wrong but the crash.
  Life course = {};

  /// How many different torn disks are tried per position.
  int torn_images = 1;

  /// Crashes in a row: 1, or 2 for every crash within every recovery as well.
  int depth = 1;

  /// Random courses of events besides, with seeds from `first_seed` on: other orders of messages,
  /// slow and failing steps, timeouts that nothing justifies, stalls, failing disk operations,
  /// crashes in a row.
  std::uint64_t schedules = 0;
  std::uint64_t first_seed = 1;

  /// Random courses without failing steps, lost answers and killed step runners: for flows that may
  /// fail.
  bool steps_fail = true;

  /// Random courses in which somebody cancels runs; their steps may then never run.
  bool cancels = false;

  /// A disk that says that it synced and did not. pawl promises nothing on such; this shows what
  /// that means.
  bool disk_lies = false;

  /// No more cases than this, and no more time; 0: no bound. What is left out is said in the
  /// report.
  std::int64_t cases_max = 0;
  double seconds_max = 0;

  /// How many violations are collected before the search ends. The first one is shrunk.
  std::size_t violations_max = 1;

  /// Whether points that nothing reached are a violation.
  bool demand_coverage = true;

  /// Where the history of the first violation is written, as JSON lines; empty: nowhere.
  std::string history_file = {};
};

/// A promise that was not kept.
struct Violation {
  std::string
      invariant;  ///< its name in docs/lab.md, such as `acknowledged_is_kept`, or `your_check`
  std::string message;   ///< what was seen
  LabCase lab_case;      ///< makes it happen again
  std::string timeline;  ///< what happened, for a person
};

/// What became of the cases of `Options::faults`.
struct FaultCounts {
  std::int64_t lives = 0;       ///< that suffered: of the undisturbed course, and of recoveries
  std::int64_t operations = 0;  ///< of the disk, that were made to fail
  std::int64_t cases = 0;
  std::int64_t refused = 0;   ///< the store could not be opened; the next process could
  std::int64_t finished = 0;  ///< the process got over it, and came to its end
  std::int64_t given_up = 0;  ///< the fault was for ever: the next process came to the end
};

struct Report {
  std::int64_t cases = 0;      ///< positions times losses, mishaps, and random courses
  std::int64_t images = 0;     ///< different situations, each run to its end once
  std::int64_t lives = 0;      ///< of the process: starts up to a crash or an end
  std::int64_t crashes = 0;    ///< that were recovered from
  std::int64_t positions = 0;  ///< of the undisturbed course
  std::int64_t mishaps = 0;    ///< cases with one
  FaultCounts faults;
  double seconds = 0;
  std::map<std::string, std::int64_t>
      points;                              ///< `point` or `point step`: how often it was reached
  std::vector<std::string> points_missed;  ///< could have been reached, and never were
  std::string left_out;                    ///< what a bound left out; empty if nothing
  std::vector<Violation> violations;

  /// No violation, and something was tried.
  bool holds() const { return violations.empty() && cases > 0; }

  /// For a person: one line if it holds, else the findings.
  std::string text() const;
};

/// Tries every crash of one run of `flow`: at every position of its course (every operation of the
/// disk, every named point, everything that anybody is told), with every loss; after each the
/// process starts again and goes on, and the invariants of docs/lab.md must hold, and
/// `Outside::check`.
///
/// Given:   the environment variable PAWL_REPLAY, if set, is a case to be tried instead, whose
/// timeline is printed to
///          stderr.
/// Threads: one exploration at a time in a process; others wait. User code runs on the calling
/// thread. Errors:  a flow that cannot even begin, or whose undisturbed run breaks an invariant, is
/// a violation.
Report explore(const Scenario& scenario, const Options& options = {});
Report explore(const Flow& flow, const json& input, MakeOutside outside,
               const Options& options = {});

/// The same for a factory of fresh steps, called for every case: the steps it gives are kept over
/// the crashes of a case, as if a process's memory did not die. `MakeOutside` shows more.
template <class MakeSteps,
          class = std::enable_if_t<std::is_same_v<std::invoke_result_t<MakeSteps&>, Steps>>,
          class = void>
Report explore(const Flow& flow, const json& input, MakeSteps make, const Options& options = {}) {
  return explore(flow, input, MakeOutside([make = std::move(make)]() mutable {
                   Steps steps = make();
                   return Outside{[steps] { return steps; }, {}};
                 }),
                 options);
}

/// Makes one case happen.
Report replay(const Scenario& scenario, const LabCase& lab_case, const Options& options = {});

/// What happens in a case, for a person: a line per event, a lane for everybody who acts.
std::string timeline_of(const Scenario& scenario, const LabCase& lab_case);

/// A trace of one course of events: a digest of everything that happened in it, in order. Equal
/// seeds give equal traces, in every process and with every compiler.
struct Trace {
  Digest digest;
  std::size_t events = 0;       ///< messages, jobs, timers, disk operations and what was told
  std::int64_t virtual_ms = 0;  ///< how long the world thinks it took
};

Trace trace(const Scenario& scenario, const LabCase& lab_case);

/// The random case that `explore` tries for a seed.
LabCase random_case(const Scenario& scenario, std::uint64_t seed, const Options& options = {});

}  // namespace pawl::lab
