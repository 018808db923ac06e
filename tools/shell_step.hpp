/// The step type `shell`: runs a program and waits for its end.
#pragma once

#include <pawl/step.hpp>
#include <pawl/step_type.hpp>

#include "tools/spawner.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace pawl::tools {

/// Threads: any number of calls at once.
class ShellStep {
 public:
  explicit ShellStep(std::shared_ptr<Spawner> spawner) : spawner_(std::move(spawner)) {}

  StepResult operator()(const StepCall& call);

  static StepTypeInfo info();

 private:
  class Turn;

  StepResult run(const StepCall& call);

  std::shared_ptr<Spawner> spawner_;
  // An attempt that timed out may still be ending when the next one begins.
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<std::string> under_way_;  // by idempotency key
};

}  // namespace pawl::tools
