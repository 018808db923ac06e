/// A step's side of the bargain: what it is called with, and what it may answer.
#pragma once

#include <pawl/json.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace pawl {

/// Tells a running step that its answer is no longer wanted. The engine sets it; steps only look.
///
/// Threads: any.
class Cancellation {
 public:
  enum class Reason {
    none,
    timed_out,    ///< the attempt's timeout passed
    cancelled,    ///< somebody cancelled the run
    interrupted,  ///< the engine is closing; the step will get another attempt
  };

  /// The first reason given stands.
  void set(Reason reason) {
    Reason none = Reason::none;
    reason_.compare_exchange_strong(none, reason, std::memory_order_release,
                                    std::memory_order_relaxed);
  }

  Reason reason() const { return reason_.load(std::memory_order_acquire); }

 private:
  std::atomic<Reason> reason_{Reason::none};
};

/// Takes what a running step reports. The engine has one behind every call that it makes.
///
/// Threads: any.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;

  /// Given: `value`, any JSON.
  virtual void report(const json& value) = 0;
};

/// What a step is called with. The same run, step and key for every attempt, before and after any
/// crash.
///
/// Lifetime: valid during the call. A step actor gets it behind a shared pointer and may keep that.
struct StepCall {
  std::string run;   ///< the run's id
  std::string step;  ///< the step's name; of an element of a map `NAME[2]`, of an undo `NAME:undo`
  int attempt = 1;   ///< 1 for the first
  /// The idempotency key: hand it to whatever the step changes outside, which can then tell a
  /// repeated attempt from a new request. Unique to (run, step).
  std::string key;
  json with = json::object();  ///< the step's parameters, every reference resolved
  std::string folder;  ///< absolute: where the run was started; relative paths count from here
  std::shared_ptr<const Cancellation> cancellation = std::make_shared<Cancellation>();
  /// What this step last reported in an earlier attempt, as far as it is durable; null if nothing.
  json last_progress = nullptr;
  std::shared_ptr<ProgressSink> progress_sink = nullptr;  ///< null: nobody wants to know

  /// Reports how far the step has come: shown to people, kept for the next attempt should this one
  /// fail, and a sign of life for a step with `heartbeat_ms`.
  ///
  /// It returns at once: the disk is not waited for, and of what is reported faster than it is
  /// written (`Limits::progress_interval_ms`) the latest is kept. Call it as often as you like,
  /// from any thread, as long as this call is there. It never completes anything: after a crash the
  /// next attempt may get an older one.
  ///
  /// Given:  `value`, any JSON of at most `Limits::progress_bytes_max` bytes as text. Of a larger
  ///         one, or one that is no JSON text, the engine's log tells, once per attempt: it is a
  ///         sign of life and nothing more.
  /// Does nothing when the attempt has ended, or the engine is closed. Never throws.
  void progress(const json& value) const {
    if (progress_sink) progress_sink->report(value);
  }

  /// True when the answer is no longer wanted: stop soon, clean up, answer anything.
  bool cancelled() const { return cancellation->reason() != Cancellation::Reason::none; }
};

/// What a step answers. Made by `done`, `retry`, `unclear` and `fail`.
struct StepResult {
  enum class Kind {
    done,   ///< `output` is the step's output
    retry,  ///< this attempt failed; another may do better
    fail,   ///< no attempt will do better: the run fails
  };

  Kind kind = Kind::done;
  json output;           ///< with `done`
  std::string message;   ///< with `retry` and `fail`: why, for a person
  bool unclear = false;  ///< with `retry`: nobody knows whether the effect has happened
};

/// The step succeeded; `output` is any JSON, at most `Limits::output_bytes_max` bytes as text.
inline StepResult done(json output = nullptr) {
  return StepResult{StepResult::Kind::done, std::move(output), {}, false};
}

/// This attempt failed and another may succeed; the step's retry policy decides.
inline StepResult retry(std::string why) {
  return StepResult{StepResult::Kind::retry, nullptr, std::move(why), false};
}

/// As `retry`, where nobody knows whether the effect has happened: a connection broke after the
/// request was sent. A step that may run at most once is in doubt then; for any other there is no
/// difference. What a step throws counts as this.
inline StepResult unclear(std::string why) {
  return StepResult{StepResult::Kind::retry, nullptr, std::move(why), true};
}

/// The step failed for good: no further attempt, the run fails.
inline StepResult fail(std::string why) {
  return StepResult{StepResult::Kind::fail, nullptr, std::move(why), false};
}

}  // namespace pawl
