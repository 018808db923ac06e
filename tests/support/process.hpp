// Programs as tests run them: started, watched, killed.
#pragma once

#include <csignal>
#include <map>
#include <string>
#include <vector>

namespace pawl {

/// How a program ended, and what it said.
struct ProcessEnd {
  bool by_signal = false;
  int code = 0;  ///< the exit code, or the signal
  std::string out;
  std::string err;

  bool killed() const { return by_signal && code == SIGKILL; }
};

/// A running program. Killed when the object goes.
class Process {
 public:
  using Environment = std::map<std::string, std::string>;

  /// Starts `argv` in `folder`, with `environment` over the test's own.
  Process(const std::vector<std::string>& argv, const std::string& folder,
          const Environment& environment = {}, const std::string& input = {});
  ~Process();

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int id() const { return id_; }

  void signal(int number) const;

  /// Waits for the end. Throws after `timeout_ms`, when the program is killed: no test waits for
  /// ever.
  ProcessEnd wait(int timeout_ms = 60'000);

 private:
  int id_;
  bool ended_ = false;
  std::string out_file_;
  std::string err_file_;
};

/// Starts a program and waits for its end.
ProcessEnd run_process(const std::vector<std::string>& argv, const std::string& folder,
                       const Process::Environment& environment = {}, const std::string& input = {});

/// Waits until `holds`, looking every few milliseconds; false after `timeout_ms`.
template <class Holds>
bool wait_until(Holds&& holds, int timeout_ms = 60'000);

std::string file_text(const std::string& path);

namespace detail {
void pause_briefly();
}

template <class Holds>
bool wait_until(Holds&& holds, int timeout_ms) {
  for (int waited_ms = 0; waited_ms < timeout_ms; waited_ms += 2) {
    if (holds()) return true;
    detail::pause_briefly();
  }
  return holds();
}

}  // namespace pawl
