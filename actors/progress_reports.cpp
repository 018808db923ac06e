#include "actors/progress_reports.hpp"

#include <pawl/limits.hpp>

#include <utility>

namespace pawl {

void ProgressReports::report(const json& value) {
  try {
    Result<std::string> text = canonical_json(value, Limits::progress_bytes_max);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (ended_) return;
      last_us_.store(desk_->clock->steady_us(), std::memory_order_release);
      if (text)
        latest_ = std::move(*text);
      else if (!refusal_told_)
        refusal_ = text.error();
      if (!text && refusal_told_) return;
      if (std::exchange(told_, true)) return;
    }
    desk_->tell(attempt_);
  } catch (...) {  // memory ran out: a report is no reason to fail the step that makes it
  }
}

std::optional<std::string> ProgressReports::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (in_flight_ || ended_) return std::nullopt;
  told_ = false;
  in_flight_ = std::exchange(latest_, std::nullopt);
  return in_flight_;
}

bool ProgressReports::settle(bool is_written) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ended_) return false;
  std::optional<std::string> text = std::exchange(in_flight_, std::nullopt);
  if (!is_written && !latest_) latest_ = std::move(text);
  return true;
}

bool ProgressReports::has_more() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return told_ || latest_;
}

std::optional<std::string> ProgressReports::end() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ended_ = true;
  std::optional<std::string> in_flight = std::exchange(in_flight_, std::nullopt);
  return latest_ ? std::exchange(latest_, std::nullopt) : std::move(in_flight);
}

std::optional<Error> ProgressReports::take_refusal() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!refusal_) return std::nullopt;
  refusal_told_ = true;
  return std::exchange(refusal_, std::nullopt);
}

}  // namespace pawl
