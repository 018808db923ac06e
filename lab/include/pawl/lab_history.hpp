/// History: what happened to a scenario, as somebody outside the simulated process saw it.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::lab {

enum class Happened {
  life_began,        ///< the process started; `number`: its time, ms
  open_failed,       ///< its store could not be opened: `text`
  crashed,           ///< the process died: `text` says how much the disk kept
  ended_cleanly,     ///< the process closed its engine
  submitted,         ///< a run was handed to the engine
  start_told,        ///< the start of a run was acknowledged
  start_refused,     ///< `text`
  body_began,        ///< user code: `key`, `digest` of the parameters; `number`: 1 if it was called
                     ///< a while ago, which the lab held up; `text`, the digest of what it was told
                     ///< of earlier attempts' progress
  progress_made,     ///< user code reported its progress: `digest` of it; `number`: the time, ms
  progress_written,  ///< that it is durable was told: `digest`
  body_ended,        ///< `text`: done, retry or fail; `digest` of the output
  completed,         ///< a step's completion was told: `digest` of its output
  attempt_ended,     ///< an attempt's receipt was told: `text`
  end_told,          ///< a run's end was told: `text`, its state; `digest` of its output
  recovered,         ///< a run of an earlier life goes on
  cancel_asked,      ///< somebody asked to cancel the run
  cancel_told,       ///< that was acknowledged
  pause_asked,       ///< somebody asked to pause the run
  pause_told,        ///< that was acknowledged: `text`, the run's state
  unpause_asked,     ///< somebody asked to let it go on
  unpause_told,      ///< that was acknowledged
  signal_sent,       ///< somebody sent a signal: `key`, its id
  signal_told,       ///< that was acknowledged
  signal_refused,    ///< it was not, and never will be: `text`
  blocked,           ///< a run needs a person, or is paused with its children: `text`
  write_failed,      ///< the store could not write and will try again: `text`
  point,             ///< `text`: the point; at `step.before_body` also `number`: steady time, us
  fault,             ///< the lab made something fail: `text`
  runner_killed,     ///< the lab killed a step runner
  read,              ///< an output was read by somebody else: `digest`
};

std::string_view to_string(Happened what);

struct HistoryEvent {
  Happened what = Happened::point;
  std::string run;
  std::string step;
  int attempt = 0;
  std::string key;
  std::string text;
  Digest digest;
  std::int64_t number = 0;
};

/// One JSON object on one line, without members that are empty.
std::string to_json_line(const HistoryEvent& event);

}  // namespace pawl::lab
