#include "tools/spawner_process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <set>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pawl::tools {

namespace {

constexpr int descriptors_per_request = 5;
constexpr int lock_wait_ms = 10'000;
constexpr int kill_wait_ms = 5'000;  // what SIGKILL does not end by then sits in the kernel

struct Request {
  std::vector<std::string> strings;  // folder, argc, argv..., environment...
  int control_fd = -1;
  int streams[3] = {-1, -1, -1};
};

void report(int fd, SpawnReportKind kind, int value) {
  const SpawnReport message{kind, value};
  // If nobody reads it any more, the closed socket has killed the program already.
  if (::send(fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
}

std::vector<std::string> strings_in(int fd) {
  std::string bytes;
  char buffer[65536];
  for (ssize_t size; (size = ::read(fd, buffer, sizeof buffer)) > 0;)
    bytes.append(buffer, static_cast<std::size_t>(size));
  std::vector<std::string> strings;
  for (std::size_t at = 0; at < bytes.size();) {
    strings.emplace_back(bytes.c_str() + at);
    at += strings.back().size() + 1;
  }
  return strings;
}

/// Takes one request; false when the other end is closed. Without room for its descriptors the
/// request has none, which closes them, and so tells pawl.
bool receive(int socket_fd, Request& request) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * descriptors_per_request)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return false;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return true;
  int fds[descriptors_per_request];
  const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  std::memcpy(fds, CMSG_DATA(header), count * sizeof(int));
  if (count != descriptors_per_request) {
    for (std::size_t i = 0; i < count; ++i) ::close(fds[i]);
    return true;
  }
  ::lseek(fds[0], 0, SEEK_SET);
  request.strings = strings_in(fds[0]);
  ::close(fds[0]);
  request.control_fd = fds[1];
  for (int i = 0; i < 3; ++i) request.streams[i] = fds[2 + i];
  return true;
}

/// In the child: becomes the program, or tells `errno` through `error_fd`.
[[noreturn]] void become(const Request& request, int error_fd) {
  ::setpgid(0, 0);
  // Should even the spawner be killed, its direct children go with it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ})
    std::signal(signal, SIG_DFL);
  for (int i = 0; i < 3; ++i) ::dup2(request.streams[i], i);
  const std::size_t argc = std::strtoul(request.strings[1].c_str(), nullptr, 10);
  std::vector<char*> argv;
  std::vector<char*> environment;
  for (std::size_t i = 2; i < request.strings.size(); ++i)
    (i < 2 + argc ? argv : environment).push_back(const_cast<char*>(request.strings[i].c_str()));
  argv.push_back(nullptr);
  environment.push_back(nullptr);
  if (::chdir(request.strings[0].c_str()) == 0) {
    environ = environment.data();  // its PATH is the one that is searched
    ::execvp(argv[0], argv.data());
  }
  const int why = errno;
  if (::write(error_fd, &why, sizeof why) != sizeof why) ::_exit(126);
  ::_exit(127);
}

/// The processes of this machine by parent.
std::multimap<pid_t, pid_t> children_by_parent() {
  std::multimap<pid_t, pid_t> children;
  DIR* const proc = ::opendir("/proc");
  if (proc == nullptr) return children;
  while (const dirent* entry = ::readdir(proc)) {
    const pid_t process = std::atoi(entry->d_name);
    if (process <= 0) continue;
    const std::string path = "/proc/" + std::string(entry->d_name) + "/stat";
    FILE* const file = std::fopen(path.c_str(), "re");
    if (file == nullptr) continue;
    char line[512];
    const std::size_t size = std::fread(line, 1, sizeof line - 1, file);
    std::fclose(file);
    line[size] = '\0';
    // The name in parentheses may hold anything; what follows the last one does not.
    int parent = 0;
    if (const char* after = std::strrchr(line, ')'))
      if (std::sscanf(after + 1, " %*c %d", &parent) == 1) children.emplace(parent, process);
  }
  ::closedir(proc);
  return children;
}

class SpawnerProcess {
 public:
  SpawnerProcess(int socket_fd, const std::string& lock_path)
      : socket_fd_(socket_fd), lock_path_(lock_path) {}

  [[noreturn]] void run() {
    ::setsid();  // no terminal, no Ctrl-C
    ::prctl(PR_SET_NAME, "pawl-spawner");
    ::prctl(PR_SET_CHILD_SUBREAPER,
            1);  // orphans among the descendants come here, to be waited for
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
      std::signal(signal, SIG_IGN);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    children_fd_ = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    while (serve_once()) {
    }
    kill_everything();
    ::_exit(0);
  }

 private:
  /// Waits for what comes next; false when pawl is gone.
  bool serve_once() {
    std::vector<pollfd> waits{{socket_fd_, POLLIN, 0}, {children_fd_, POLLIN, 0}};
    std::vector<pid_t> owners;
    for (const auto& [process, control_fd] : running_) {
      waits.push_back({control_fd, POLLIN, 0});
      owners.push_back(process);
    }
    if (::poll(waits.data(), waits.size(), -1) < 0) return errno == EINTR;
    for (std::size_t i = 2; i < waits.size(); ++i)
      if (waits[i].revents != 0) obey(owners[i - 2], waits[i].fd);
    if (waits[1].revents != 0) {
      signalfd_siginfo info;
      while (::read(children_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      }
      reap();
    }
    if (waits[0].revents == 0) return true;
    Request request;
    if (!receive(socket_fd_, request)) return false;
    if (request.control_fd >= 0) start(request);
    return true;
  }

  void start(const Request& request) {
    if (!hold_lock()) {
      report(request.control_fd, SpawnReportKind::locked, 0);
      ::close(request.control_fd);
    } else {
      fork_program(request);
    }
    for (const int fd : request.streams) ::close(fd);
  }

  void fork_program(const Request& request) {
    int error_pipe[2];
    if (::pipe2(error_pipe, O_CLOEXEC) != 0) return refuse(request, errno);
    const pid_t process = ::fork();
    if (process == 0) become(request, error_pipe[1]);
    const int fork_error = errno;
    ::close(error_pipe[1]);
    int why = 0;
    const bool failed = process > 0 && ::read(error_pipe[0], &why, sizeof why) == sizeof why;
    ::close(error_pipe[0]);
    if (process < 0) return refuse(request, fork_error);
    if (failed) {
      ::waitpid(process, nullptr, 0);
      return refuse(request, why);
    }
    ::setpgid(process, process);  // whoever is first
    running_[process] = request.control_fd;
    report(request.control_fd, SpawnReportKind::started, process);
  }

  static void refuse(const Request& request, int why) {
    report(request.control_fd, SpawnReportKind::not_started, why);
    ::close(request.control_fd);
  }

  /// A byte from pawl, or its end: the program is not wanted any more.
  void obey(pid_t process, int control_fd) {
    char order = 0;
    const ssize_t size = ::recv(control_fd, &order, 1, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size == 1 && order == spawn_terminate) {
      ::kill(-process, SIGTERM);
      return;
    }
    kill_families({process});
    if (size > 0) return;
    // Nobody listens.
    const auto found = running_.find(process);
    if (found == running_.end()) return;  // it has ended, and was told so
    ::close(found->second);
    running_.erase(found);
  }

  void reap() {
    int status = 0;
    for (pid_t process; (process = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto found = running_.find(process);
      if (found == running_.end()) continue;
      kill_group(process);
      if (WIFEXITED(status))
        report(found->second, SpawnReportKind::exited, WEXITSTATUS(status));
      else
        report(found->second, SpawnReportKind::signalled, WTERMSIG(status));
      ::close(found->second);
      running_.erase(found);
    }
  }

  /// Kills what a program left in its group, and waits until it is gone: it must not meet the
  /// step's next attempt.
  static void kill_group(pid_t process) {
    for (int waited_ms = 0; ::kill(-process, SIGKILL) == 0 && waited_ms < kill_wait_ms;
         ++waited_ms) {
      while (::waitpid(-process, nullptr, WNOHANG) > 0) {
      }
      ::usleep(1000);
    }
  }

  /// Waits for the programs of an earlier owner; its spawner holds the lock until they are gone.
  bool hold_lock() {
    if (lock_fd_ >= 0) return true;
    const int fd = ::open(lock_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return false;

    struct flock whole_file {};

    whole_file.l_type = F_WRLCK;
    whole_file.l_whence = SEEK_SET;
    for (int waited_ms = 0; ::fcntl(fd, F_OFD_SETLK, &whole_file) != 0; ++waited_ms) {
      if (waited_ms >= lock_wait_ms) {
        ::close(fd);
        return false;
      }
      ::usleep(1000);
    }
    lock_fd_ = fd;
    return true;
  }

  /// Kills programs with their groups and all of their descendants, and waits until they are gone.
  void kill_families(const std::set<pid_t>& programs) {
    std::set<pid_t> doomed = programs;
    std::set<pid_t> own_before;  // daemons of earlier programs, which chose to live on
    for (int waited_ms = 0; waited_ms < kill_wait_ms; ++waited_ms) {
      const auto children = children_by_parent();
      const auto [first, last] = children.equal_range(::getpid());
      for (auto child = first; child != last; ++child) {
        if (waited_ms == 0)
          own_before.insert(child->second);
        else if (own_before.count(child->second) == 0)
          doomed.insert(child->second);  // was born into a family while it was being killed
      }
      add_descendants(doomed, children);
      for (const pid_t process : programs) ::kill(-process, SIGKILL);
      for (const pid_t process : doomed) ::kill(process, SIGKILL);
      ::usleep(500);
      reap();
      const bool alive = std::any_of(doomed.begin(), doomed.end(),
                                     [](pid_t process) { return ::kill(process, 0) == 0; }) ||
                         std::any_of(programs.begin(), programs.end(),
                                     [](pid_t process) { return ::kill(-process, 0) == 0; });
      if (!alive) return;
    }
  }

  static void add_descendants(std::set<pid_t>& processes,
                              const std::multimap<pid_t, pid_t>& children) {
    for (std::vector<pid_t> next(processes.begin(), processes.end()); !next.empty();) {
      const auto [first, last] = children.equal_range(next.back());
      next.pop_back();
      for (auto child = first; child != last; ++child)
        if (processes.insert(child->second).second) next.push_back(child->second);
    }
  }

  /// Pawl is gone. Its programs go before this process does.
  void kill_everything() {
    std::set<pid_t> programs;
    for (const auto& [process, control_fd] : running_) programs.insert(process);
    if (!programs.empty()) kill_families(programs);
  }

  int socket_fd_;
  std::string lock_path_;
  int lock_fd_ = -1;
  int children_fd_ = -1;
  std::map<pid_t, int> running_;  // program to its control socket
};

}  // namespace

void run_spawner_process(int socket_fd, const std::string& lock_path) {
  SpawnerProcess(socket_fd, lock_path).run();
}

}  // namespace pawl::tools
