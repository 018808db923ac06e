/// ShellProgress: what a program reports while it runs, through a file that only pawl and the
/// program see.
#pragma once

#include <pawl/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace pawl::tools {

/// A file in memory, found under /proc as long as this is there: nothing is left of it, however
/// pawl ends. The program appends lines to it; a line that is no JSON is text.
///
/// Threads: one at a time.
class ShellProgress {
 public:
  ShellProgress();
  ~ShellProgress();

  ShellProgress(const ShellProgress&) = delete;
  ShellProgress& operator=(const ShellProgress&) = delete;

  /// Where the program writes; empty if there is no such file, which is no reason not to run it.
  std::string path() const;

  /// The last whole line that has come since the last look; nothing if none has.
  std::optional<json> look();

 private:
  int fd_;
  std::int64_t read_to_ = 0;
  std::string rest_;  // of a line that has not ended
};

}  // namespace pawl::tools
