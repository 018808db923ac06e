#include <pawl/point.hpp>

namespace pawl {

std::atomic<PointHook> detail::point_hook{nullptr};

void arm_points(PointHook hook) {
  detail::point_hook.store(hook, std::memory_order_relaxed);
}

const std::vector<std::string_view>& protocol_points() {
  static const std::vector<std::string_view> points{
      "start.before_write",     // the coordinator has a new run and has not asked the store yet
      "store.before_begin",     // the store has a batch and no transaction yet
      "store.before_commit",    // every row of the batch is written, none is durable
      "store.after_commit",     // the batch is durable, nobody was told
      "store.after_reply",      // every sender was answered, by an error if it failed
      "start.after_write",      // the run is durable, its caller was not told
      "run.before_dispatch",    // an attempt is about to be handed to the step runner
      "step.before_body",       // the user's code is about to run
      "step.after_body",        // the user's code has answered, or its actor failed to
      "step.before_write",      // the step runner is about to ask the store
      "step.after_write",       // the result is durable, the coordinator was not told
      "step.after_failure",     // the coordinator was told of a receipt: there is no output
      "step.after_completion",  // the coordinator was told
      "run.on_failure",         // the coordinator is about to take a failed attempt
      "run.on_completion",      // the coordinator is about to take the completion
      "run.before_end",         // the run's end is known and not written
      "run.after_end",          // the run's end is durable, nobody was told
      "child.before_start",     // a child's run is known and the store was not asked yet
      "child.after_start",      // it is durable, and so is its parent's record; nobody was told
      "child.before_end",       // its end is known, its parent is there, and nothing is written
      "recovery.after_load",    // a run's records were read back
      "recovery.before_lost",   // its lost attempts are known and not written
      "recovery.after_lost",    // its lost attempts are written, nothing started yet
  };
  return points;
}

}  // namespace pawl
