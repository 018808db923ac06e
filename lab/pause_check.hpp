/// PauseCheck: whether anything began while its run was paused, as somebody outside saw it.
#pragma once

#include <pawl/lab_history.hpp>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace pawl::lab {

/// Hears of one event after the other. A run that is being cancelled is not paused, nor is a child
/// that its parent cancels because it fails: their undos may begin.
class PauseCheck {
 public:
  explicit PauseCheck(std::function<bool(const std::string& run)> is_cancelled)
      : is_cancelled_(std::move(is_cancelled)) {}

  /// Gives what is wrong with the event, if something is.
  std::optional<std::string> take(const HistoryEvent& event);

 private:
  std::function<bool(const std::string& run)> is_cancelled_;
  std::set<std::string> paused_;  // runs whose pause was acknowledged
  std::set<std::string> whole_;   // of those: whose children are paused too
};

}  // namespace pawl::lab
