#include "runtime/mutant.hpp"

#ifdef PAWL_MUTANTS
#include <cstdlib>
#include <string>

namespace pawl {

bool mutant(std::string_view name) {
  static const std::string active = [] {
    const char* value = std::getenv("PAWL_MUTANT");
    return std::string(value == nullptr ? "" : value);
  }();
  return active == name;
}

}  // namespace pawl
#endif
