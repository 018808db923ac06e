// What the fuzz targets have in common. A target is one function, LLVMFuzzerTestOneInput: libFuzzer
// calls it (./dev fuzz), and replay_main.cpp does with the inputs that are kept, in every build.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace pawl::fuzz {

/// Ends the process where a promise does not hold: whoever calls the target takes it for a find.
inline void demand(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: this does not hold: %s\n", promise);
  std::abort();
}

/// Takes decisions from an input's bytes; zeros once they are used up.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }

  std::uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : byte() % bound; }

  std::uint32_t word() {
    std::uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word = word << 8 | byte();
    return word;
  }

  std::string text(std::size_t size) {
    std::string text;
    while (text.size() < size && left_ > 0) text += static_cast<char>(byte());
    return text;
  }

  std::string_view rest() const { return {reinterpret_cast<const char*>(data_), left_}; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace pawl::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
