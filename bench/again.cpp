#include "bench/again.hpp"

#include <array>
#include <cstdio>
#include <unistd.h>

namespace pawl::bench {

namespace {

std::string this_program() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : "";
}

}  // namespace

json run_again(const std::string& arguments) {
  const std::string command = "'" + this_program() + "' " + arguments;
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return nullptr;
  std::string line;
  for (std::array<char, 4096> part{}; std::fgets(part.data(), part.size(), pipe) != nullptr;)
    line += part.data();
  if (::pclose(pipe) != 0) return nullptr;
  json result = json::parse(line.substr(0, line.find('\n')), nullptr, false);
  return result.is_object() ? result : json();
}

}  // namespace pawl::bench
