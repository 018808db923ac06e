#include <pawl/sqlite_store.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <new>
#include <sstream>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}

  ~Descriptor() { ::close(fd_); }

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

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
  std::string cannot_write;  // the code of what keeps it from writing
  std::int64_t since_ms = 0;
};

/// Every record is so long: where one stands, another takes no further space.
constexpr std::size_t record_bytes = 192;

std::string text_of(const OwnerRecord& owner) {
  std::string text = std::to_string(owner.pid) + " " + owner.beginning;
  if (!owner.cannot_write.empty())
    text += " cannot_write " + owner.cannot_write + " " + std::to_string(owner.since_ms);
  text.resize(record_bytes - 1, ' ');
  return text + '\n';
}

/// It may be about to write: then it has no pid.
OwnerRecord read_owner(int fd) {
  char text[record_bytes + 1] = {};
  OwnerRecord owner;
  if (::pread(fd, text, record_bytes, 0) <= 0) return owner;
  std::istringstream words(text);
  std::string word;
  words >> owner.pid >> owner.beginning;
  if (words >> word && word == "cannot_write") words >> owner.cannot_write >> owner.since_ms;
  return owner;
}

bool write_owner(int fd, const OwnerRecord& owner) {
  const std::string text = text_of(owner);
  return ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

class FileLock final : public OwnerLock {
 public:
  explicit FileLock(int fd) : fd_(fd), descriptor_(fd) {}

  /// Writes who has the lock now.
  Result<void> write_record(const std::string& path) {
    record_ = {::getpid(), beginning_of(::getpid()), {}, 0};
    // What an earlier owner wrote may be longer.
    if (!write_owner(fd_, record_) || ::ftruncate(fd_, record_bytes) != 0)
      return file_error("the owner's pid cannot be written", path);
    return {};
  }

  void note_cannot_write(std::optional<Errc> why, std::int64_t since_ms) noexcept override {
    try {
      record_.cannot_write = why ? std::string(to_string(*why)) : std::string();
      record_.since_ms = since_ms;
      write_owner(fd_, record_);
    } catch (const std::bad_alloc&) {
    }
  }

 private:
  int fd_;
  Descriptor descriptor_;
  OwnerRecord record_;
};

std::string name_of(const OwnerRecord& owner) {
  return owner.pid > 0 ? "process " + std::to_string(owner.pid) : "another process";
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
  const Descriptor until_the_end(process);
  if (beginning_of(owner.pid) != owner.beginning)
    return refuse("that is another process by now; look on the other machines");
  if (::syscall(SYS_pidfd_send_signal, process, SIGKILL, nullptr, 0) != 0)
    return refuse("it cannot be killed by this user: " + std::string(std::strerror(errno)));
  return {};
}

/// Nothing for a word that no owner writes.
std::optional<Errc> passing_error(const std::string& word) {
  for (const Errc code : {Errc::full, Errc::io, Errc::busy})
    if (word == to_string(code)) return code;
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<OwnerLock>> take_file_lock(const std::string& store_path, int wait_ms,
                                                  bool take_over) {
  const std::string path = store_path + ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const bool is_refused = errno == EACCES || errno == EROFS || errno == EPERM;
    Error error = file_error("the lock file cannot be opened", path);
    if (is_refused)
      error.message += "; whoever works on a store must be able to write to the folder around it";
    return error;
  }
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
  if (Result<void> written = lock->write_record(path); !written) return written.error();
  return std::unique_ptr<OwnerLock>(std::move(lock));
}

Result<std::optional<StoreOwner>> find_store_owner(const std::string& path) {
  const Result<std::string> store_path = canonical_store_path(path);
  if (!store_path) return store_path.error();
  const std::string lock_path = *store_path + ".lock";
  const int fd = ::open(lock_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<StoreOwner>();
  if (fd < 0) return file_error("the lock file cannot be opened", lock_path);
  const Descriptor until_the_end(fd);

  // Asked before the record is read: what a dead owner has left in the file counts for nothing.
  struct flock whole_file {};

  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_GETLK, &whole_file) != 0)
    return file_error("the lock file's lock cannot be looked at", lock_path);
  if (whole_file.l_type == F_UNLCK) return std::optional<StoreOwner>();
  const OwnerRecord record = read_owner(fd);
  StoreOwner owner{record.pid, passing_error(record.cannot_write), record.since_ms};
  return std::optional<StoreOwner>(owner);
}

}  // namespace pawl
