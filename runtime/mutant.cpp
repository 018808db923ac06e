#include "runtime/mutant.hpp"

#ifdef PAWL_MUTANTS
#include <cstdlib>
#include <string>

namespace pawl {

namespace {

std::string& active() {
  static std::string name = [] {
    const char* value = std::getenv("PAWL_MUTANT");
    return std::string(value == nullptr ? "" : value);
  }();
  return name;
}

}  // namespace

bool mutant(std::string_view name) {
  return active() == name;
}

void set_mutant(std::string_view name) {
  active() = std::string(name);
}

}  // namespace pawl
#endif
