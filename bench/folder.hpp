/// Folder: a new one within $DIR (or the working folder), removed with everything in it.
#pragma once

#include "bench/die.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>

namespace pawl::bench {

class Folder {
 public:
  Folder() {
    const char* parent = std::getenv("DIR");
    path_ = std::string(parent != nullptr ? parent : ".") + "/pawl-bench-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr)
      die("cannot make a folder such as " + path_ + ": " + std::strerror(errno));
  }

  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace pawl::bench
