/// LabCase: one course of events that the lab can make happen, again and again the same.
#pragma once

#include <pawl/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::lab {

/// What a crash leaves of what was written and not synced.
enum class Loss {
  kill,   ///< everything: the process died, the machine did not
  power,  ///< nothing
  torn,   ///< any subset of the 512-byte sectors, some of them as garbage
};

enum class FaultKind { io, full, nomem, busy, short_read };

/// What goes wrong at a named point, besides a crash.
enum class MishapKind {
  kill,    ///< the step runner that is there dies; of `step.after_write` and those after it
  stall,   ///< the actor that is there gets nothing done for a while, until timers have gone off
  fail,    ///< of `step.before_body`: the attempt fails; of `store.before_begin` and
           ///< `store.before_commit`: the disk's next operation
  repeat,  ///< of `run.on_completion` and `run.on_failure`: the message comes once more; of
           ///< `store.before_begin`: the batch is asked to be written once more
};

std::string_view to_string(Loss loss);
std::string_view to_string(FaultKind kind);
std::string_view to_string(MishapKind kind);

/// Makes the disk's n-th operation of a life fail.
struct Fault {
  std::int64_t operation = 0;  ///< counted from 0
  FaultKind kind = FaultKind::io;
  bool for_ever = false;  ///< and every one after it
};

struct Crash {
  std::size_t position = 0;  ///< in the life's course
  Loss loss = Loss::kill;
  std::uint64_t torn_seed = 0;  ///< with torn: picks the sectors
};

/// Something that goes wrong at a named point. Where the point is never reached, or what is there
/// cannot suffer this, nothing happens.
struct Mishap {
  std::string point;
  int visit = 1;  ///< which time that the point is reached in the life, from 1
  MishapKind kind = MishapKind::stall;
};

/// The kinds that a point of the protocol can suffer; none for other points.
std::vector<MishapKind> mishaps_at(std::string_view point);

/// How often things go wrong in a life, in thousandths, as its seed picks.
struct Weather {
  int early_timers =
      0;  ///< a timer goes off although there is other work: timeouts that nothing justifies
  int slow_steps = 0;    ///< a step's answer is held back until timers have gone off
  int failed_steps = 0;  ///< a step fails before its body, within what its retry policy allows
  int lost_answers =
      0;           ///< a step's body runs and its answer is lost: the attempt fails all the same
  int stalls = 0;  ///< an actor, the store's among them, gets nothing done for a while
  int killed_runners = 0;  ///< a step runner dies
  int readers = 0;         ///< somebody else opens the store, reads all of it, and closes it
  int cancels = 0;         ///< somebody cancels a run; two in a life at most
  int pauses = 0;          ///< somebody pauses a run, or lets it go on; at the latest at rest

  bool calm() const {
    return early_timers + slow_steps + failed_steps + lost_answers + stalls + killed_runners +
               readers + cancels + pauses ==
           0;
  }
};

/// One life of the process, from its start to its crash or its end.
struct Life {
  std::uint64_t seed = 0;  ///< picks who is next; 0: first come, first served
  std::optional<Crash> crash;
  std::vector<Fault> faults;
  std::vector<Mishap> mishaps;
  Weather weather;
};

/// Lives, one after the other, on the same disk. After the last one nothing goes wrong any more: a
/// calm life follows if the last one had a crash, faults, mishaps or weather.
struct LabCase {
  std::vector<Life> lives;
  std::size_t runs = 0;    ///< only the first so many runs of the scenario; 0: all of them
  bool disk_lies = false;  ///< the disk says that it synced, and did not

  /// One line, such as `seed=7 crash=43:torn:5 | seed=0`.
  std::string text() const;

  /// Errors: Errc::invalid_argument.
  static Result<LabCase> parse(std::string_view text);
};

}  // namespace pawl::lab
