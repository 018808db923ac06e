/// Chance: numbers that follow from a seed, the same with every compiler and library.
#pragma once

#include <cstdint>

namespace pawl::lab {

/// Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators (splitmix64).
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// A number below `bound`, which is not 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  /// True in so many of a thousand cases. Takes a number only if there is a choice.
  bool permille(int rate) { return rate > 0 && below(1000) < static_cast<std::uint64_t>(rate); }

 private:
  std::uint64_t state_;
};

}  // namespace pawl::lab
