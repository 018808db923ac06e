/// Caller: somebody outside who starts runs, sends signals and cancels, and notes what he is told.
#pragma once

#include <pawl/lab.hpp>

#include "actors/engine_core.hpp"
#include "lab/course.hpp"
#include "lab/process.hpp"

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

  /// Sends a child's run, which has just been started, its signals.
  void greet(const std::string& run);

 private:
  void submit(const RunToStart& to_start, int tries = 1);
  void send_signals(const std::string& run);
  void send(const SignalToSend& to_send);

  EngineCore& core_;
  Course& course_;
  const Start& start_;
};

/// A signal's name among all of a scenario's.
std::string name_of(const std::string& run, const std::string& signal_id);

}  // namespace pawl::lab
