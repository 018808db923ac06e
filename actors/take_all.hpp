/// take_all: empties a vector that fills again.
#pragma once

#include <new>
#include <utility>
#include <vector>

namespace pawl {

/// Gives what is there. As much may come again, so there is room for it at once: a vector that
/// grows by doubling asks for, copies and frees large pieces of memory, and has malloc tidy up each
/// time. Never throws.
template <class T>
std::vector<T> take_all(std::vector<T>& from) noexcept {
  std::vector<T> rest;
  try {
    rest.reserve(from.size());
  } catch (const std::bad_alloc&) {  // what is there is given all the same
  }
  return std::exchange(from, std::move(rest));
}

}  // namespace pawl
