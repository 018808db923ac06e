#include "tools/spawner.hpp"

#include "tools/spawner_process.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace pawl::tools {

namespace {

/// Descriptors that close unless they are handed on.
class Descriptors {
 public:
  ~Descriptors() { close(); }

  void close() {
    for (const int fd : std::exchange(fds_, {}))
      if (fd >= 0) ::close(fd);
  }

  void add(int fd) { fds_.push_back(fd); }

  int hand_on(std::size_t i) { return std::exchange(fds_[i], -1); }

  const int* data() const { return fds_.data(); }

 private:
  std::vector<int> fds_;
};

Error system_error(const std::string& what) {
  return make_error(Errc::io, what + ": " + std::strerror(errno));
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

/// The program as NUL-terminated strings in a file of its own, which may be larger than a message.
Result<int> memory_file(const SpawnRequest& request) {
  std::string bytes = request.folder + '\0' + std::to_string(request.argv.size()) + '\0';
  for (const std::string& argument : request.argv) bytes += argument + '\0';
  for (const std::string& variable : request.environment) bytes += variable + '\0';
  const int fd = ::memfd_create("pawl-program", MFD_CLOEXEC);
  if (fd < 0) return system_error("no memory file");
  if (::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) return fd;
  const Error error = system_error("a memory file cannot be written");
  ::close(fd);
  return error;
}

/// Whether no later try can start the program. Everything else passes: a lack of memory, of
/// processes or of descriptors, a program that is just being written.
bool is_final(int why) {
  switch (why) {
    case ENOENT:
    case EACCES:
    case ENOTDIR:
    case ENOEXEC:
    case ELOOP:
    case ENAMETOOLONG:
    case E2BIG:
    case EISDIR: return true;
    default: return false;
  }
}

bool send_descriptors(int socket_fd, const int* fds, std::size_t count) {
  char byte = 'S';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 5)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  return ::sendmsg(socket_fd, &message, MSG_NOSIGNAL) == 1;
}

Result<SpawnReport> read_report(int fd) {
  SpawnReport report{};
  ssize_t size = 0;
  do {
    size = ::recv(fd, &report, sizeof report, 0);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof report))
    return make_error(Errc::io, "the process that starts programs did not answer");
  return report;
}

}  // namespace

SpawnedProgram::SpawnedProgram(int control_fd, int stdin_fd, int stdout_fd, int stderr_fd)
    : control_fd_(control_fd), stdin_fd_(stdin_fd), stdout_fd_(stdout_fd), stderr_fd_(stderr_fd) {}

SpawnedProgram::SpawnedProgram(SpawnedProgram&& other) noexcept
    : control_fd_(std::exchange(other.control_fd_, -1)),
      stdin_fd_(std::exchange(other.stdin_fd_, -1)),
      stdout_fd_(std::exchange(other.stdout_fd_, -1)),
      stderr_fd_(std::exchange(other.stderr_fd_, -1)) {}

SpawnedProgram::~SpawnedProgram() {
  close_stdin();
  close_stdout();
  close_stderr();
  close_fd(control_fd_);  // which kills the program, if it still runs
}

void SpawnedProgram::close_stdin() {
  close_fd(stdin_fd_);
}

void SpawnedProgram::close_stdout() {
  close_fd(stdout_fd_);
}

void SpawnedProgram::close_stderr() {
  close_fd(stderr_fd_);
}

Result<SpawnedProgram::Exit> SpawnedProgram::exit() const {
  const Result<SpawnReport> report = read_report(control_fd_);
  if (!report) return report.error();
  return Exit{report->kind == SpawnReportKind::signalled, report->value};
}

void SpawnedProgram::terminate() const {
  if (::send(control_fd_, &spawn_terminate, 1, MSG_NOSIGNAL) < 0) return;  // it has ended
}

void SpawnedProgram::kill() const {
  if (::send(control_fd_, &spawn_kill, 1, MSG_NOSIGNAL) < 0) return;  // it has ended
}

Spawner::Spawner(int socket_fd, int process) : socket_fd_(socket_fd), process_(process) {}

Result<std::unique_ptr<Spawner>> Spawner::start(const std::string& lock_path) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error("no socket");
  const pid_t process = ::fork();
  if (process == 0) {
    ::close(ends[0]);
    run_spawner_process(ends[1], lock_path);
  }
  ::close(ends[1]);
  if (process < 0) {
    const Error error = system_error("no process");
    ::close(ends[0]);
    return error;
  }
  return std::unique_ptr<Spawner>(new Spawner(ends[0], process));
}

Spawner::~Spawner() {
  ::close(socket_fd_);
  ::waitpid(process_, nullptr, 0);
}

Result<SpawnedProgram> Spawner::spawn(const SpawnRequest& request) {
  Result<int> program = memory_file(request);
  if (!program) return program.error();
  Descriptors theirs;
  Descriptors ours;
  theirs.add(*program);
  int control[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
    return system_error("no socket");
  ours.add(control[0]);
  theirs.add(control[1]);
  for (int stream = 0; stream < 3; ++stream) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("no pipe");
    const int own_end = stream == 0 ? ends[1] : ends[0];
    ::fcntl(own_end, F_SETFL, O_NONBLOCK);
    ours.add(own_end);
    theirs.add(stream == 0 ? ends[0] : ends[1]);
  }
  if (!send_descriptors(socket_fd_, theirs.data(), 5))
    return system_error("the process that starts programs is gone");
  theirs.close();  // or the end of the other side would never be seen
  const Result<SpawnReport> report = read_report(control[0]);
  if (!report) return report.error();
  if (report->kind == SpawnReportKind::locked)
    return make_error(Errc::in_use,
                      "programs that an earlier owner of the store started do not end");
  if (report->kind == SpawnReportKind::not_started)
    return make_error(is_final(report->value) ? Errc::invalid_argument : Errc::io,
                      std::strerror(report->value));
  return SpawnedProgram(ours.hand_on(0), ours.hand_on(1), ours.hand_on(2), ours.hand_on(3));
}

}  // namespace pawl::tools
