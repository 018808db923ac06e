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

std::string_view to_string(Loss loss);
std::string_view to_string(FaultKind kind);

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

  bool calm() const {
    return early_timers + slow_steps + failed_steps + lost_answers + stalls + killed_runners +
               readers + cancels ==
           0;
  }
};

/// One life of the process, from its start to its crash or its end.
struct Life {
  std::uint64_t seed = 0;  ///< picks who is next; 0: first come, first served
  std::optional<Crash> crash;
  std::vector<Fault> faults;
  Weather weather;
};

/// Lives, one after the other, on the same disk. After the last one nothing goes wrong any more: a
/// calm life follows if the last one had a crash, faults or weather.
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
