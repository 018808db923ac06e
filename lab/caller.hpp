/// Caller: somebody outside who starts, pauses and cancels runs and sends signals, and notes what
/// he is told.
#pragma once

#include <pawl/lab.hpp>

#include "actors/engine_core.hpp"
#include "lab/course.hpp"
#include "lab/process.hpp"

#include <set>
#include <string>

namespace pawl::lab {

/// Lifetime: everything that it is made of outlives it, and it outlives what it asked for.
class Caller {
 public:
  Caller(EngineCore& core, Course& course, const Start& start)
      : core_(core), course_(course), start_(start) {}

  /// Starts the runs, and sends the signals, that were not acknowledged in earlier lives.
  void call();

  void cancel(const std::string& run);

  /// Pauses a run, or lets one go on that was paused.
  void pause_or_unpause(const std::string& run);

  /// Lets every run go on that may be paused. False if there is none.
  bool unpause_all();

  /// Sends a child's run, which has just been started, its signals.
  void greet(const std::string& run);

 private:
  void submit(const RunToStart& to_start, int tries = 1);
  void send_signals(const std::string& run);
  void send(const SignalToSend& to_send);
  void pause(const std::string& run);
  void unpause(const std::string& run);

  EngineCore& core_;
  Course& course_;
  const Start& start_;
  std::set<std::string> paused_ = start_.paused;  // perhaps
  std::set<std::string> asked_;                   // of which the answer has not come
  int unpauses_ = 0;
};

/// A signal's name among all of a scenario's.
std::string name_of(const std::string& run, const std::string& signal_id);

}  // namespace pawl::lab
