/// What a benchmark does when something is not as it should be: its figures would mean nothing.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace pawl::bench {

[[noreturn]] inline void die(const std::string& why) {
  std::fprintf(stderr, "pawl-bench: %s\n", why.c_str());
  std::_Exit(1);
}

}  // namespace pawl::bench
