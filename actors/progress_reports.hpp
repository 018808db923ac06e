/// ProgressReports: what one attempt reports of itself, between the user's code, on whatever
/// thread, and the step runner, which writes the latest of it now and then.
#pragma once

#include <pawl/clock.hpp>
#include <pawl/error.hpp>
#include <pawl/step.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace pawl {

struct Dispatch;

/// Where attempts' reports go: one for all attempts of a step runner.
struct ReportsDesk {
  std::shared_ptr<const Clock> clock;
  /// Called when there is something of that attempt to take, on the reporting thread; it must not
  /// throw and must not block.
  std::function<void(const std::weak_ptr<Dispatch>&)> tell;
};

/// Threads: any, once it is connected.
///
/// Invariants:
/// 1. Of all reports that nobody has taken yet the latest is kept, and the desk was told once since
///    the last `take`: a step that reports in a tight loop sends no messages.
/// 2. After `end` nothing is taken in any more, and nothing is told as written that goes with the
///    end.
class ProgressReports final : public ProgressSink {
 public:
  /// Before the attempt's code may run. Given: who is told, and of which attempt.
  void connect(std::shared_ptr<const ReportsDesk> desk, std::weak_ptr<Dispatch> attempt) {
    desk_ = std::move(desk);
    attempt_ = std::move(attempt);
  }

  void report(const json& value) override;

  /// The latest report, as canonical JSON, to be written now; nothing if there is none that was not
  /// taken yet, or if what was taken is not `settled`.
  std::optional<std::string> take();

  /// What was taken is durable, or could not be written: then it is there again, unless there is
  /// something newer. False after `end`.
  bool settle(bool is_written);

  /// Whether there may be something to take.
  bool has_more() const;

  /// Ends it. Gives the latest that is not known to be durable.
  std::optional<std::string> end();

  /// Why a report was refused; told once.
  std::optional<Error> take_refusal();

  /// When the attempt last reported, on the clock's steady scale; 0 if never.
  std::int64_t last_us() const { return last_us_.load(std::memory_order_acquire); }

 private:
  std::shared_ptr<const ReportsDesk> desk_;
  std::weak_ptr<Dispatch> attempt_;
  std::atomic<std::int64_t> last_us_{0};
  mutable std::mutex mutex_;
  std::optional<std::string> latest_;
  std::optional<std::string> in_flight_;  // taken, and not settled
  std::optional<Error> refusal_;
  bool refusal_told_ = false;
  bool told_ = false;
  bool ended_ = false;
};

}  // namespace pawl
