/// Rare: an optional for what few have.
#pragma once

#include <memory>
#include <utility>

namespace pawl {

/// As std::optional, copies and all, but a value has memory of its own: where there is none, it
/// takes a pointer.
template <class T>
class Rare {
 public:
  Rare() = default;

  Rare(const Rare& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}

  Rare(Rare&& other) noexcept = default;
  ~Rare() = default;

  Rare& operator=(const Rare& other) {
    Rare copy(other);
    value_ = std::move(copy.value_);
    return *this;
  }

  Rare& operator=(Rare&& other) noexcept = default;

  Rare& operator=(T value) {
    value_ = std::make_unique<T>(std::move(value));
    return *this;
  }

  void reset() { value_.reset(); }

  bool has_value() const { return value_ != nullptr; }

  explicit operator bool() const { return has_value(); }

  const T& operator*() const { return *value_; }

  const T* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace pawl
