#include "lab/pause_check.hpp"

#include "lab/run_plan.hpp"
#include "runtime/part_name.hpp"

#include <algorithm>

namespace pawl::lab {

std::optional<std::string> PauseCheck::take(const HistoryEvent& event) {
  switch (event.what) {
    case Happened::pause_told:
      if (event.text == to_string(RunState::paused)) paused_.insert(event.run);
      break;
    case Happened::blocked:
      // A run that is paused comes to rest when its children's pauses are durable.
      if (paused_.count(event.run) > 0) whole_.insert(event.run);
      break;
    case Happened::unpause_asked:
    case Happened::cancel_asked:
      paused_.erase(event.run);
      whole_.erase(event.run);
      break;
    case Happened::body_began: {
      if (event.number != 0) break;  // it was called before
      if (part_name_from(event.step).undo && is_cancelled_(event.run)) break;
      const bool is_below_one =
          std::any_of(whole_.begin(), whole_.end(),
                      [&](const std::string& run) { return is_below(event.run, run); });
      if (paused_.count(event.run) > 0 || is_below_one)
        return event.run + "/" + event.step + " began although " +
               (is_below_one ? "a run above it" : "its run") + " was paused";
      break;
    }
    default: break;
  }
  return std::nullopt;
}

}  // namespace pawl::lab
