#include <pawl/sqlite_store.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

class FileLock final : public OwnerLock {
 public:
  explicit FileLock(int fd) : fd_(fd) {}

  ~FileLock() override { ::close(fd_); }

  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

Error file_error(const std::string& what, const std::string& path) {
  return make_error(Errc::io, what + ": " + std::strerror(errno), path);
}

bool try_lock(int fd) {
  struct flock whole_file {};

  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &whole_file) == 0;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// When a process began: numbers of processes are used again, a number and its beginning are not.
/// Empty where the system does not say.
///
/// Source: proc(5), /proc/PID/stat, field 22, in ticks since the boot that the other file names.
std::string beginning_of(pid_t pid) {
  const std::string stat = text_of("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(stat.substr(name_end + 1));
  std::string ticks;
  for (int field = 3; field <= 22; ++field) fields >> ticks;
  std::string boot = text_of("/proc/sys/kernel/random/boot_id");
  boot = boot.substr(0, boot.find('\n'));
  return ticks.empty() || boot.empty() ? std::string() : ticks + "@" + boot;
}

/// What an owner writes about itself into the lock file.
struct OwnerRecord {
  pid_t pid = 0;
  std::string beginning;
};

/// It may be about to write: then it has no pid.
OwnerRecord read_owner(int fd) {
  char text[128] = {};
  OwnerRecord owner;
  if (::pread(fd, text, sizeof text - 1, 0) <= 0) return owner;
  std::istringstream words(text);
  words >> owner.pid >> owner.beginning;
  return owner;
}

std::string name_of(const OwnerRecord& owner) {
  return owner.pid > 0 ? "process " + std::to_string(owner.pid) : "another process";
}

Result<void> write_owner(int fd, const std::string& path) {
  const std::string owner = std::to_string(::getpid()) + " " + beginning_of(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size()))
    return file_error("the owner's pid cannot be written", path);
  return {};
}

/// Tries until `wait_ms` are over; false if somebody else has the lock then.
Result<bool> lock_within(int fd, int wait_ms, const std::string& path) {
  constexpr int pause_ms = 10;
  for (int waited_ms = 0; !try_lock(fd); waited_ms += pause_ms) {
    if (errno != EAGAIN && errno != EACCES)
      return file_error("the lock file cannot be locked", path);
    if (waited_ms >= wait_ms) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
  }
  return true;
}

/// Kills the process that has the lock, if it is the one that says so in the lock file.
Result<void> kill_owner(int fd, const std::string& store_path) {
  const OwnerRecord owner = read_owner(fd);
  const auto refuse = [&](const std::string& why) {
    return make_error(
        Errc::in_use,
        "the store is in use by " + name_of(owner) + ", which cannot be taken over: " + why,
        store_path);
  };
  if (owner.pid <= 0 || owner.beginning.empty())
    return refuse("its lock file does not say who it is and when it began");
  if (owner.pid == ::getpid()) return refuse("it is this process itself");
  // From here on the number stands for one process, whatever comes to pass.
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, owner.pid, 0));
  if (process < 0) return refuse("there is no such process here; look on the other machines");
  const FileLock until_the_end(process);
  if (beginning_of(owner.pid) != owner.beginning)
    return refuse("that is another process by now; look on the other machines");
  if (::syscall(SYS_pidfd_send_signal, process, SIGKILL, nullptr, 0) != 0)
    return refuse("it cannot be killed by this user: " + std::string(std::strerror(errno)));
  return {};
}

}  // namespace

Result<std::unique_ptr<OwnerLock>> take_file_lock(const std::string& store_path, int wait_ms,
                                                  bool take_over) {
  const std::string path = store_path + ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return file_error("the lock file cannot be opened", path);
  auto lock = std::make_unique<FileLock>(fd);
  Result<bool> locked = lock_within(fd, wait_ms, path);
  if (locked && !*locked && take_over) {
    if (Result<void> killed = kill_owner(fd, store_path); !killed) return killed.error();
    constexpr int until_it_is_gone_ms = 10'000;
    locked = lock_within(fd, until_it_is_gone_ms, path);
  }
  if (!locked) return locked.error();
  if (!*locked)
    return make_error(
        Errc::in_use,
        "the store is in use by " + name_of(read_owner(fd)) + "; one engine at a time", store_path);
  if (Result<void> written = write_owner(fd, path); !written) return written.error();
  return std::unique_ptr<OwnerLock>(std::move(lock));
}

}  // namespace pawl
