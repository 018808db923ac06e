/// How the step runner ends attempts: their records are written, and only then do they complete.
#pragma once

#include "actors/step_runner.hpp"

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace pawl {

/// The attempt has ended, which the caller has claimed: its record is written, and again until the
/// outcome is known; then it completes.
void end_attempt(StepRunnerSelf self, StepRunnerState::Attempt& attempt,
                 std::shared_ptr<Record> record);

/// A step's actor has come to this, in time or not.
void on_result(StepRunnerSelf self, const DispatchPtr& dispatch, std::shared_ptr<Record> record);

/// The store tells what became of ends.
void on_ends_written(StepRunnerSelf self, const Message<EndsWritten>& written);

void on_thread_news(StepRunnerSelf self, const ThreadNews& news);

/// Forgets what the attempt waits for, but its end.
void stop_waiting(StepRunnerSelf self, StepRunnerState::Attempt& attempt);

/// Posts the jobs that are to be performed, and tells the coordinator what is to be told: each
/// together.
void flush(StepRunnerSelf self);

/// Nothing more can be said of the attempt: a bug, or memory that ran out.
void lose(StepRunnerSelf self, const DispatchPtr& dispatch, const std::string& why);

/// Does something about one attempt. An exception costs that one, not the others.
template <class Act>
void guarded(StepRunnerSelf self, const DispatchPtr& dispatch, Act&& act) {
  try {
    std::forward<Act>(act)();
  } catch (const std::exception& thrown) {
    lose(self, dispatch, thrown.what());
  } catch (...) {
    lose(self, dispatch, "something that is no std::exception");
  }
}

}  // namespace pawl
