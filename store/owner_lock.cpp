#include <pawl/sqlite_store.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

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

/// What the owner wrote about itself; it may be about to.
std::string owner_name(int fd) {
  char text[32] = {};
  const ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
  std::string pid;
  for (ssize_t i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i) pid += text[i];
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

Result<std::unique_ptr<OwnerLock>> take_file_lock(const std::string& store_path, int wait_ms) {
  const std::string path = store_path + ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return file_error("the lock file cannot be opened", path);
  auto lock = std::make_unique<FileLock>(fd);
  constexpr int pause_ms = 10;
  for (int waited_ms = 0; !try_lock(fd); waited_ms += pause_ms) {
    if (errno != EAGAIN && errno != EACCES)
      return file_error("the lock file cannot be locked", path);
    if (waited_ms >= wait_ms)
      return make_error(Errc::in_use,
                        "the store is in use by " + owner_name(fd) + "; one engine at a time",
                        store_path);
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return file_error("the owner's pid cannot be written", path);
  return std::unique_ptr<OwnerLock>(std::move(lock));
}

}  // namespace pawl
