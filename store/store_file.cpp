#include "store/store_file.hpp"

#include <pawl/sqlite_store.hpp>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

Error moved(const std::string& path) {
  return make_error(Errc::store_moved,
                    "the store's file was moved, deleted or replaced while this engine worked on "
                    "it, which writes no more; put it back and open it again",
                    path);
}

}  // namespace

StoreFile::StoreFile(std::string path, dev_t device, ino_t inode)
    : path_(std::move(path)), device_(device), inode_(inode) {}

Result<StoreFile> StoreFile::at(const std::string& path) {
  struct stat status {};

  if (::stat(path.c_str(), &status) == 0) return StoreFile(path, status.st_dev, status.st_ino);
  if (errno == ENOENT || errno == ENOTDIR) return moved(path);
  return make_error(
      Errc::io,
      std::string("nobody can say whether the store's file is there: ") + std::strerror(errno),
      path);
}

Result<void> StoreFile::check() const {
  const Result<StoreFile> now = at(path_);
  if (!now) return now.error();
  if (now->device_ != device_ || now->inode_ != inode_) return moved(path_);
  return {};
}

Result<void> check_no_device(const std::string& path) {
  struct stat status {};

  if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
    return {};  // the latter is SQLite's to refuse
  return make_error(Errc::foreign_file,
                    "the store's path leads to a pipe, a socket or a device, not to a file", path);
}

Result<std::string> canonical_store_path(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..")
    return make_error(Errc::invalid_argument, "a store needs a file name", path);
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) != nullptr) {
    if (Result<void> checked = check_no_device(resolved); !checked) return checked.error();
    return std::string(resolved);
  }
  // SQLite would make the file that a dangling link names, and the next owner would lock that name.
  if (struct stat status{}; ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
    return make_error(Errc::io, "the store's path is a symbolic link that leads to no file", path);
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  if (::realpath(folder.c_str(), resolved) == nullptr)
    return make_error(Errc::io, "the store's folder does not exist or cannot be entered", folder);
  std::string canonical(resolved);
  if (canonical != "/") canonical += '/';
  return canonical + name;
}

void create_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

}  // namespace pawl
