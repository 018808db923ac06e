/// Progress: what runs do, as lines on stderr; on a terminal with a last line that shows what is
/// under way.
#pragma once

#include <pawl/observer.hpp>

#include "tools/console.hpp"

#include <map>
#include <mutex>
#include <string>

namespace pawl::tools {

/// Threads: any.
class Progress {
 public:
  /// Given: `names_runs`, whether lines say which run they are about.
  Progress(Console& console, const Settings& settings, bool names_runs);
  ~Progress();

  void on_event(const EngineEvent& event);

 private:
  void line(const std::string& text);
  void show_under_way();
  void hide_under_way();

  Console& console_;
  bool quiet_;
  bool terminal_;
  bool names_runs_;
  std::mutex mutex_;
  std::map<std::string, int> under_way_;  // idempotency key to attempt
  std::string cannot_write_;              // why, while it cannot
  bool shown_ = false;
};

}  // namespace pawl::tools
