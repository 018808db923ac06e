/// Members: what parts of a flow have in common when they are written in C++.
#pragma once

#include <pawl/json.hpp>
#include <pawl/retry_policy.hpp>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace pawl::flows {

/// A name, or a list of them: `"a"`, `{"a", "b"}`, a vector.
class Names {
 public:
  Names(const char* name) : all_{name}, one_(true) {}

  Names(std::string name) : all_{std::move(name)}, one_(true) {}

  Names(std::initializer_list<std::string> names) : all_(names) {}

  Names(std::vector<std::string> names) : all_(std::move(names)) {}

  const std::vector<std::string>& all() const { return all_; }

  /// True when it was no list.
  bool one() const { return one_; }

 private:
  std::vector<std::string> all_;
  bool one_ = false;
};

/// A JSON object in the making.
class Members {
 public:
  const json& members() const { return members_; }

 protected:
  Members() = default;

  void put(const char* member, json value) { members_[member] = std::move(value); }

  /// In C++ `{}` is null; here it is the empty object.
  void put_object(const char* member, json value);

  /// What differs from the defaults; nothing if nothing does.
  void put_retry(const RetryPolicy& policy);

  /// Lengthens an array of strings.
  void add(const char* member, const Names& names);

  /// The same, where a name that stands alone needs no array.
  void add_or_put(const char* member, const Names& names);

 private:
  json members_ = json::object();
};

}  // namespace pawl::flows
