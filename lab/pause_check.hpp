/// PauseCheck: whether anything began while its run was paused, as somebody outside saw it.
#pragma once

#include <pawl/lab_history.hpp>

#include <optional>
#include <set>
#include <string>

namespace pawl::lab {

/// Hears of one event after the other.
class PauseCheck {
 public:
  /// Gives what is wrong with the event, if something is.
  std::optional<std::string> take(const HistoryEvent& event);

 private:
  std::set<std::string> paused_;  // runs whose pause was acknowledged
  std::set<std::string> whole_;   // of those: whose children are paused too
};

}  // namespace pawl::lab
