/// Spawner: starts programs from a small process of its own, and sees to it that they do not
/// outlive pawl.
#pragma once

#include <pawl/error.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pawl::tools {

/// A program to start.
struct SpawnRequest {
  std::vector<std::string> argv;         ///< the program is searched in PATH
  std::vector<std::string> environment;  ///< `NAME=VALUE`, all of it
  std::string folder;                    ///< the working folder
};

/// A program that was started. Owns its process group: destroying it kills what is left of the
/// group.
///
/// Threads: one at a time.
class SpawnedProgram {
 public:
  struct Exit {
    bool by_signal = false;
    int code = 0;  ///< the exit code, or the signal
  };

  SpawnedProgram(int control_fd, int stdin_fd, int stdout_fd, int stderr_fd);
  ~SpawnedProgram();

  SpawnedProgram(SpawnedProgram&& other) noexcept;
  SpawnedProgram& operator=(SpawnedProgram&&) = delete;

  /// The pawl ends of the program's standard streams; -1 once closed. Non-blocking.
  int stdin_fd() const { return stdin_fd_; }

  int stdout_fd() const { return stdout_fd_; }

  int stderr_fd() const { return stderr_fd_; }

  void close_stdin();
  void close_stdout();
  void close_stderr();

  /// Becomes readable when the program has ended.
  int exit_fd() const { return control_fd_; }

  /// How the program ended, and that nothing of its process group is left. To be called once
  /// `exit_fd` is readable.
  ///
  /// Errors: Errc::io when the spawner is gone.
  Result<Exit> exit() const;

  /// Sends a signal to the program's process group: SIGTERM, or SIGKILL.
  void terminate() const;
  void kill() const;

 private:
  int control_fd_;
  int stdin_fd_;
  int stdout_fd_;
  int stderr_fd_;
};

/// The spawning process. It is forked before pawl has threads, holds nothing of pawl's but one
/// socket, and is the parent of every program. When pawl dies, however it dies, the socket closes:
/// the spawner kills every program that runs, with its process group and its descendants, and ends
/// only when they are gone. Until then it holds a lock beside the store, for which the next owner's
/// spawner waits before it starts anything: a resumed run never meets a program of its former self.
///
/// Threads: `spawn` from any.
class Spawner {
 public:
  /// Forks the process. Call it before any thread exists.
  ///
  /// Given:  `lock_path`, the lock file; it is opened at the first program.
  /// Errors: Errc::io.
  static Result<std::unique_ptr<Spawner>> start(const std::string& lock_path);

  /// Kills what still runs, and waits for the process.
  ~Spawner();

  /// Starts a program.
  ///
  /// Errors: Errc::invalid_argument when the program can never be run (not found, not executable,
  ///         no such folder, arguments too long); Errc::in_use when programs of an earlier owner do
  ///         not end; Errc::io when a later try may do better (no memory, no descriptors, ...).
  Result<SpawnedProgram> spawn(const SpawnRequest& request);

 private:
  Spawner(int socket_fd, int process);

  int socket_fd_;
  int process_;
};

}  // namespace pawl::tools
