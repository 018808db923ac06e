#include "tools/shell_progress.hpp"

#include <pawl/limits.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace pawl::tools {

namespace {

/// A line that is longer is not kept, and neither is what is read of it.
constexpr std::size_t line_bytes_max = 2 * Limits::progress_bytes_max;

}  // namespace

ShellProgress::ShellProgress() : fd_(::memfd_create("pawl-progress", MFD_CLOEXEC)) {}

ShellProgress::~ShellProgress() {
  if (fd_ >= 0) ::close(fd_);
}

std::string ShellProgress::path() const {
  if (fd_ < 0) return {};
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_);
}

std::optional<json> ShellProgress::look() {
  struct stat status {};

  if (fd_ < 0 || ::fstat(fd_, &status) != 0 || status.st_size == read_to_) return std::nullopt;
  if (status.st_size < read_to_) {  // it was written anew, from its beginning
    read_to_ = 0;
    rest_.clear();
  }
  std::optional<std::string> line;
  char buffer[65536];
  for (ssize_t size = 0; (size = ::pread(fd_, buffer, sizeof buffer, read_to_)) > 0;) {
    read_to_ += size;
    rest_.append(buffer, static_cast<std::size_t>(size));
    if (const auto end = rest_.rfind('\n'); end != std::string::npos) {
      const auto before = end == 0 ? std::string::npos : rest_.rfind('\n', end - 1);
      const std::size_t begin = before == std::string::npos ? 0 : before + 1;
      line = rest_.substr(begin, end - begin);
      rest_.erase(0, end + 1);
    }
    if (rest_.size() > line_bytes_max) rest_.clear();
  }
  // What was read is not needed again; a program that reports for days fills no memory.
  ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, read_to_);
  if (!line || line->empty()) return std::nullopt;
  Result<json> value = parse_json(*line, line_bytes_max);
  return value ? std::move(*value) : json(printable_text(*line, Limits::progress_bytes_max / 2));
}

}  // namespace pawl::tools
