#include "actors/real_seams.hpp"

#include <chrono>
#include <mutex>
#include <random>

namespace pawl {

namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t now_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  std::int64_t steady_us() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

class SystemRandom final : public RandomSource {
 public:
  SystemRandom() {
    std::random_device device;
    generator_.seed((static_cast<std::uint64_t>(device()) << 32) ^ device());
  }

  std::uint64_t next() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return generator_();
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 generator_;
};

}  // namespace

std::shared_ptr<const Clock> make_system_clock() {
  return std::make_shared<SystemClock>();
}

std::shared_ptr<RandomSource> make_system_random() {
  return std::make_shared<SystemRandom>();
}

}  // namespace pawl
