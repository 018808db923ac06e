#include "tools/file_steps.hpp"

#include <pawl/digest.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace pawl::tools {

namespace {

constexpr std::size_t text_bytes_max = 1u << 20;

/// A descriptor that closes itself.
struct OpenFile {
  explicit OpenFile(int opened) : fd(opened) {}

  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }

  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd;
};

std::string reason() {
  return std::strerror(errno);
}

std::optional<std::string> string_param(const StepCall& call, const char* name) {
  const auto value = call.with.find(name);
  if (value == call.with.end() || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

/// The `path` parameter, counted from the run's folder; nothing if it is none.
std::optional<std::string> path_param(const StepCall& call) {
  const auto path = string_param(call, "path");
  if (!path || path->empty() || path->find('\0') != std::string::npos) return std::nullopt;
  return path->front() == '/' ? *path : call.folder + "/" + *path;
}

bool write_all(int fd, const std::string& text) {
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t size = ::write(fd, text.data() + written, text.size() - written);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    written += static_cast<std::size_t>(size);
  }
  return true;
}

}  // namespace

StepTypeInfo read_file_info() {
  return StepTypeInfo{
      "Reads a text file.",
      {{"path", ParamInfo::Kind::string, true, "the file; relative to where the run was started"}},
      true,
      R"({"text"})"};
}

StepResult read_file_step(const StepCall& call) {
  const auto path = path_param(call);
  if (!path) return fail("path must be a file's name");
  const OpenFile file(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return retry("cannot read " + *path + ": " + reason());
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t size = ::read(file.fd, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return retry("cannot read " + *path + ": " + reason());
    if (size == 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > text_bytes_max)
      return fail(*path + " has more than " + std::to_string(text_bytes_max) +
                  " bytes; hand its name on instead");
  }
  if (!is_utf8(text)) return fail(*path + " is not UTF-8");
  return done({{"text", std::move(text)}});
}

StepTypeInfo write_file_info() {
  return StepTypeInfo{
      "Writes a text file: all of it or nothing, on disk before the step is done.",
      {{"path", ParamInfo::Kind::string, true, "the file; relative to where the run was started"},
       {"text", ParamInfo::Kind::string, true, "its new content"}},
      true,
      R"({"path", "bytes"})"};
}

StepResult write_file_step(const StepCall& call) {
  const auto path = path_param(call);
  if (!path) return fail("path must be a file's name");
  const auto text = string_param(call, "text");
  if (!text) return fail("text must be a string");
  const auto slash = path->rfind('/');
  const std::string folder = path->substr(0, slash + 1);
  // The same name for every attempt: what a crash left of one is overwritten by the next.
  const std::string temporary = folder + ".pawl-" + digest_of(call.key + *path).hex();

  struct stat old {};

  const bool replaces = ::stat(path->c_str(), &old) == 0;
  {
    const OpenFile file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.fd < 0) return retry("cannot write " + temporary + ": " + reason());
    const bool mode_kept = !replaces || ::fchmod(file.fd, old.st_mode & 07777) == 0;
    if (!mode_kept || !write_all(file.fd, *text) || ::fsync(file.fd) != 0) {
      const std::string why = reason();
      ::unlink(temporary.c_str());
      return retry("cannot write " + temporary + ": " + why);
    }
  }
  if (::rename(temporary.c_str(), path->c_str()) != 0) {
    const std::string why = reason();
    ::unlink(temporary.c_str());
    return retry("cannot rename " + temporary + " to " + *path + ": " + why);
  }
  const OpenFile opened_folder(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened_folder.fd < 0 || ::fsync(opened_folder.fd) != 0)
    return retry("cannot sync the folder " + folder + ": " + reason());
  return done({{"path", call.with["path"]}, {"bytes", text->size()}});
}

}  // namespace pawl::tools
