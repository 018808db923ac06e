/// The spawning process itself: the other side of Spawner's socket.
#pragma once

#include <cstdint>
#include <string>

namespace pawl::tools {

// The wire: one SOCK_SEQPACKET message per program, with five descriptors: a memory file with the
// program as NUL-terminated strings (folder, number of arguments, arguments, environment), a socket
// for the program's control, and its stdin, stdout and stderr. On the control socket the spawner
// tells a SpawnReport at the start and one at the end; pawl sends one byte per signal.

enum class SpawnReportKind : std::int32_t {
  started,      ///< `value` is the process
  not_started,  ///< `value` is the errno
  locked,       ///< programs of an earlier owner do not end
  exited,       ///< `value` is the exit code
  signalled,    ///< `value` is the signal
};

struct SpawnReport {
  SpawnReportKind kind;
  std::int32_t value;
};

constexpr char spawn_terminate = 'T';
constexpr char spawn_kill = 'K';

/// Serves `socket_fd` until its other end closes, and then ends this process.
[[noreturn]] void run_spawner_process(int socket_fd, const std::string& lock_path);

}  // namespace pawl::tools
