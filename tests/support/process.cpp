#include "support/process.hpp"

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pawl {

namespace {

/// An unlinked file that holds `text`, at its beginning.
int file_with(const std::string& text) {
  char name[] = "/tmp/pawl-input-XXXXXX";
  const int fd = ::mkstemp(name);
  ::unlink(name);
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("no input");
  ::lseek(fd, 0, SEEK_SET);
  return fd;
}

std::string new_file() {
  char name[] = "/tmp/pawl-output-XXXXXX";
  ::close(::mkstemp(name));
  return name;
}

}  // namespace

void detail::pause_briefly() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Process::Process(const std::vector<std::string>& argv, const std::string& folder,
                 const Environment& environment, const std::string& input)
    : out_file_(new_file()), err_file_(new_file()) {
  const int in = file_with(input);
  id_ = ::fork();
  if (id_ == 0) {
    ::dup2(in, 0);
    ::dup2(::open(out_file_.c_str(), O_WRONLY | O_TRUNC), 1);
    ::dup2(::open(err_file_.c_str(), O_WRONLY | O_TRUNC), 2);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> pointers;
    for (const std::string& argument : argv)
      pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    if (::chdir(folder.c_str()) == 0) ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  ::close(in);
}

Process::~Process() {
  if (!ended_) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  ::unlink(out_file_.c_str());
  ::unlink(err_file_.c_str());
}

void Process::signal(int number) const {
  ::kill(id_, number);
}

ProcessEnd Process::wait(int timeout_ms) {
  int status = 0;
  const bool in_time =
      wait_until([&] { return ::waitpid(id_, &status, WNOHANG) == id_; }, timeout_ms);
  if (!in_time) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, &status, 0);
  }
  ended_ = true;
  if (!in_time)
    throw std::runtime_error("the program did not end in time; stderr:\n" + file_text(err_file_));
  return ProcessEnd{WIFSIGNALED(status),
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                    file_text(out_file_), file_text(err_file_)};
}

ProcessEnd run_process(const std::vector<std::string>& argv, const std::string& folder,
                       const Process::Environment& environment, const std::string& input) {
  return Process(argv, folder, environment, input).wait();
}

}  // namespace pawl
