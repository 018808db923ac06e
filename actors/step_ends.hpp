/// How the step runner ends attempts: their records are written, and only then are they completed.
#pragma once

#include "actors/step_runner.hpp"

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace pawl {

/// The attempt has ended: its record is written with the next `flush`, and again until the outcome
/// is known; then it completes.
void write_record(StepRunnerSelf self, StepRunnerState::Attempt& attempt,
                  std::shared_ptr<Record> record);

/// Forgets what the attempt waits for, but its end.
void stop_waiting(StepRunnerSelf self, StepRunnerState::Attempt& attempt);

/// Takes the answers that step threads have left.
void take_answers(StepRunnerSelf self);

/// An attempt has answered, in time or not.
void on_answer(StepRunnerSelf self, const AnswerBox::Answer& answer);

/// Posts the jobs that are to be performed, writes what has ended, and tells the coordinator what
/// is to be told: each together.
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
