/// The user's steps, watched: what they do is told to the history, and they stop when the process
/// is dead.
#pragma once

#include <pawl/step.hpp>
#include <pawl/steps.hpp>

#include <string>

namespace pawl::lab {

/// What a watched step tells and asks.
class StepWorld {
 public:
  virtual ~StepWorld() = default;

  virtual bool dead() const = 0;

  /// User code is about to run; false if the process dies instead.
  ///
  /// Given: `late`, whether it was called a while ago, and time was taken since.
  virtual bool begin_body(const std::string& type, const StepCall& call, bool late) = 0;

  /// The code that begins is an actor's.
  virtual bool begin_actor(const StepCall& call) = 0;

  /// User code has run.
  virtual void end_body(const StepCall& call, const StepResult& result) = 0;

  /// User code is about to report its progress; false if the process dies instead.
  virtual bool begin_report(const StepCall& call, const json& value) = 0;

  /// A user's function has reported: others go on meanwhile, such as the one that writes it.
  virtual void end_report() = 0;

  /// Whether the attempt fails before its body, or after it.
  virtual bool fails_before(const StepCall& call) = 0;
  virtual bool loses_answer(const StepCall& call) = 0;

  /// Lets time pass and others go on, perhaps; whether it did.
  virtual bool take_time() = 0;
};

/// Lifetime: `world` outlives the steps.
Steps wrap_steps(const Steps& steps, StepWorld& world);

}  // namespace pawl::lab
