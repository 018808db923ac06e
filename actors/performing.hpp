/// Performing: what a step thread needs in order to perform attempts and to leave their ends. It
/// may outlive the step runner, and the engine.
#pragma once

#include <pawl/engine.hpp>

#include "actors/ends_box.hpp"
#include "actors/messages.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace pawl {

/// Threads: any.
struct Performing {
  std::shared_ptr<const Steps> steps;
  EngineSeams seams;  ///< without the executor: a job must not own the threads that it runs on
  std::shared_ptr<EndsBox> box;
  std::function<void(ThreadNews)> tell;  ///< tells the step runner
  std::atomic<bool> is_watched{
      false};  ///< the step runner looks soon whether the store has stalled
};

/// The attempt has ended, which the caller has claimed: `record` goes to the store, with what the
/// attempt reported last.
///
/// Errors: throws what points and memory throw.
void leave_end(Performing& performing, const DispatchPtr& dispatch, std::shared_ptr<Record> record);

/// Performs an attempt by a function, and leaves its end, or tells the step runner why it did not.
void perform_and_leave(Performing& performing, const StepBody::Function& body,
                       const DispatchPtr& dispatch) noexcept;

}  // namespace pawl
