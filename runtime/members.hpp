/// Members: reads the members of a JSON object, and says what is wrong with each.
#pragma once

#include <pawl/json.hpp>
#include <pawl/limits.hpp>

#include "runtime/nearest_name.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl {

/// Reads the members of one JSON object; whatever does not fit becomes a problem and leaves the
/// default.
class Members {
 public:
  using Names = std::vector<std::string_view>;

  Members(const json& object, std::string pointer, std::vector<Problem>& problems)
      : object_(object), pointer_(std::move(pointer)), problems_(problems) {}

  void refuse_unknown(const Names& known) {
    for (const auto& [key, value] : object_.items()) {
      bool found = false;
      for (const std::string_view name : known) found = found || name == key;
      if (!found)
        complain(key, "unknown_member",
                 "no member \"" + printable_text(key, 80) + "\" is known here" +
                     did_you_mean(key, known));
    }
  }

  const json* find(const char* key) const {
    const auto member = object_.find(key);
    return member == object_.end() ? nullptr : &*member;
  }

  void read(const char* key, std::string& into) {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return wrong_kind(key, "a string", *value);
    into = value->get<std::string>();
  }

  void read(const char* key, bool& into) {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return wrong_kind(key, "true or false", *value);
    into = value->get<bool>();
  }

  /// One of some words; gives its place among them.
  void read_word(const char* key, const Names& words, std::size_t& into) {
    std::string word;
    read(key, word);
    if (const json* value = find(key); value == nullptr || !value->is_string()) return;
    std::string known;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (word == words[i]) {
        into = i;
        return;
      }
      known += (i == 0 ? "" : ", ") + std::string(words[i]);
    }
    complain(
        key, "unknown_word",
        "\"" + printable_text(word, 80) + "\" is none of " + known + did_you_mean(word, words));
  }

  template <class Read>
  void read_object(const char* key, Read&& read) {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_object()) return wrong_kind(key, "an object", *value);
    read(*value);
  }

  void read(const char* key, std::vector<std::string>& into) {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return wrong_kind(key, "an array of strings", *value);
    for (std::size_t i = 0; i < value->size(); ++i) {
      const json& element = (*value)[i];
      if (element.is_string())
        into.push_back(element.get<std::string>());
      else
        Members(*value, pointer_to(pointer_, key), problems_)
            .wrong_kind(std::to_string(i).c_str(), "a string", element);
    }
  }

  void read(const char* key, std::int64_t& into, std::int64_t min, std::int64_t max) {
    const json* value = find(key);
    if (value == nullptr) return;
    // A whole number may be written 1000.0 or 1e3; JSON makes no difference.
    const bool whole =
        value->is_number_integer() ||
        (value->is_number_float() && std::floor(value->get<double>()) == value->get<double>());
    if (!whole) return wrong_kind(key, "a whole number", *value);
    const bool fits =
        value->is_number_float()
            ? value->get<double>() >= static_cast<double>(min) &&
                  value->get<double>() <= static_cast<double>(max)
            : (value->is_number_unsigned()
                   ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(max) &&
                         static_cast<std::int64_t>(value->get<std::uint64_t>()) >= min
                   : value->get<std::int64_t>() >= min && value->get<std::int64_t>() <= max);
    if (!fits)
      return complain(key, "out_of_range",
                      std::string(key) + " must lie between " + std::to_string(min) + " and " +
                          std::to_string(max));
    into = value->get<std::int64_t>();
  }

  /// A decimal number, kept in thousandths: decisions are made on integers.
  void read_permille(const char* key, std::int64_t& into, int min, int max) {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_number()) return wrong_kind(key, "a number", *value);
    const double number = value->get<double>();
    if (!(number >= min && number <= max))
      return complain(key, "out_of_range",
                      std::string(key) + " must lie between " + std::to_string(min) + " and " +
                          std::to_string(max));
    const double thousandths = number * 1000;
    if (std::abs(thousandths - std::round(thousandths)) > 1e-6)
      return complain(key, "too_precise", std::string(key) + " may have at most three decimals");
    into = std::llround(thousandths);
  }

  void complain(std::string_view key, const char* code, std::string message) {
    if (problems_.size() < Limits::problems_max)
      problems_.push_back(
          {key.empty() ? pointer_ : pointer_to(pointer_, key), code, std::move(message)});
  }

  void wrong_kind(const char* key, const char* expected, const json& value) {
    complain(key, "wrong_kind",
             std::string("expected ") + expected + ", found " + value.type_name());
  }

 private:
  const json& object_;
  std::string pointer_;
  std::vector<Problem>& problems_;
};

}  // namespace pawl
