#include "runtime/expression.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <re2/re2.h>
#include <utility>

namespace pawl {

namespace {

/// What an array, an object or a member of one takes in memory besides its text.
constexpr std::size_t container_bytes = 48;

Error misfit(const std::string& pointer, const std::string& what, const json& value) {
  return make_error(Errc::invalid_argument, what + ", found " + value.type_name(), pointer);
}

/// Whether an integer lies beyond what a signed one can be: nlohmann compares it as if it did not.
bool beyond_signed(const json& n) {
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return n.is_number_unsigned() && n.get<std::uint64_t>() > max;
}

bool is_less(const json& a, const json& b) {
  if (a.is_number_integer() && b.is_number_integer() && beyond_signed(a) != beyond_signed(b))
    return beyond_signed(b);
  return a < b;
}

bool is_same(const json& a, const json& b) {
  if (a.is_number_integer() && b.is_number_integer() && beyond_signed(a) != beyond_signed(b))
    return false;
  if (a.type() != b.type() || !a.is_structured()) return a == b;
  if (a.size() != b.size()) return false;
  if (a.is_array()) return std::equal(a.begin(), a.end(), b.begin(), is_same);
  return std::all_of(a.items().begin(), a.items().end(), [&](const auto& member) {
    const auto other = b.find(member.key());
    return other != b.end() && is_same(member.value(), *other);
  });
}

/// The element that `{{item}}` and `{{index}}` name.
Scope with_element(const Scope& scope, const json& item, std::size_t index) {
  Scope inner = scope;
  inner.item = &item;
  inner.index = index;
  return inner;
}

}  // namespace

class Expression::Evaluation {
 public:
  explicit Evaluation(std::size_t bytes_max) : bytes_max_(bytes_max), bytes_left_(bytes_max) {}

  Result<json> value(const Expression& from, const Scope& scope) {
    switch (from.op_) {
      case Op::leaf: return leaf(from, scope);
      case Op::object: return object(from, scope);
      case Op::array: return array(from, scope);
      case Op::map:
      case Op::filter: return over_list(from, scope);
      case Op::flatten: return flatten(from, scope);
      case Op::length: return length(from, scope);
      case Op::add:
      case Op::subtract:
      case Op::multiply:
      case Op::divide:
      case Op::remainder: return arithmetic(from, scope);
      default: return condition(from, scope);
    }
  }

 private:
  /// Values are copied into the result, perhaps once per element of a list: their bytes are
  /// counted.
  Result<void> spend(std::size_t bytes, const Expression& at) {
    if (bytes > bytes_left_)
      return make_error(Errc::too_large,
                        "this comes to more than " + std::to_string(bytes_max_) + " bytes",
                        at.pointer_);
    bytes_left_ -= bytes;
    return {};
  }

  Result<json> leaf(const Expression& from, const Scope& scope) {
    Result<json> resolved = from.leaf_.resolve(scope, bytes_left_);
    if (!resolved && resolved.error().code == Errc::too_large)
      return spend(bytes_left_ + 1, from).error();
    if (!resolved) return resolved;
    const std::size_t size = std::max(sizeof(json), rough_size(*resolved, bytes_max_));
    if (Result<void> spent = spend(size, from); !spent) return spent.error();
    return resolved;
  }

  Result<json> object(const Expression& from, const Scope& scope) {
    if (Result<void> spent = spend(container_bytes, from); !spent) return spent.error();
    json made = json::object();
    for (std::size_t i = 0; i < from.keys_.size(); ++i) {
      if (Result<void> spent = spend(container_bytes + from.keys_[i].size(), from); !spent)
        return spent.error();
      Result<json> member = value(from.operands_[i], scope);
      if (!member) return member;
      made[from.keys_[i]] = std::move(*member);
    }
    return made;
  }

  Result<json> array(const Expression& from, const Scope& scope) {
    if (Result<void> spent = spend(container_bytes, from); !spent) return spent.error();
    json made = json::array();
    for (const Expression& operand : from.operands_) {
      Result<json> element = value(operand, scope);
      if (!element) return element;
      made.push_back(std::move(*element));
    }
    return made;
  }

  Result<json> list(const Expression& from, const Scope& scope) {
    Result<json> over = value(from, scope);
    if (over && !over->is_array()) return misfit(from.pointer_, "expected an array", *over);
    return over;
  }

  Result<json> over_list(const Expression& from, const Scope& scope) {
    const Result<json> over = list(from.operands_[0], scope);
    if (!over) return over;
    json made = json::array();
    for (std::size_t i = 0; i < over->size(); ++i) {
      const json& item = (*over)[i];
      if (Result<void> spent = spend(sizeof(json), from); !spent) return spent.error();
      Result<json> result = value(from.operands_[1], with_element(scope, item, i));
      if (!result) return result;
      if (from.op_ == Op::map)
        made.push_back(std::move(*result));
      else if (*result == true)
        made.push_back(item);
    }
    return made;
  }

  /// One level.
  Result<json> flatten(const Expression& from, const Scope& scope) {
    const Result<json> over = list(from.operands_[0], scope);
    if (!over) return over;
    json made = json::array();
    for (const json& element : *over) {
      if (element.is_array())
        made.insert(made.end(), element.begin(), element.end());
      else
        made.push_back(element);
    }
    return made;
  }

  Result<json> length(const Expression& from, const Scope& scope) {
    const Result<json> of = value(from.operands_[0], scope);
    if (!of) return of;
    if (of->is_structured()) return json(of->size());
    if (!of->is_string())
      return misfit(from.pointer_, "expected an array, an object or a string", *of);
    // Characters, not bytes: UTF-8's continuation bytes are none.
    std::size_t characters = 0;
    for (const char c : of->get_ref<const std::string&>())
      characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    return json(characters);
  }

  Result<json> arithmetic(const Expression& from, const Scope& scope) {
    json result;
    for (const Expression& operand : from.operands_) {
      Result<json> number = value(operand, scope);
      if (!number) return number;
      if (!number->is_number()) return misfit(operand.pointer_, "expected a number", *number);
      if (&operand == &from.operands_.front()) {
        result = std::move(*number);
        continue;
      }
      Result<json> next = calculate(from, result, *number);
      if (!next) return next;
      result = std::move(*next);
    }
    return result;
  }

  /// Whole numbers stay whole: a division gives the quotient, without its remainder.
  static Result<json> calculate(const Expression& at, const json& a, const json& b) {
    if (a.is_number_float() || b.is_number_float())
      return calculate_decimal(at, a.get<double>(), b.get<double>());
    const Error overflow =
        make_error(Errc::invalid_argument, "the result is no whole number of 64 bits", at.pointer_);
    if (beyond_signed(a) || beyond_signed(b)) return overflow;
    const auto x = a.get<std::int64_t>();
    const auto y = b.get<std::int64_t>();
    std::int64_t result = 0;
    switch (at.op_) {
      case Op::add:
        if (__builtin_add_overflow(x, y, &result)) return overflow;
        break;
      case Op::subtract:
        if (__builtin_sub_overflow(x, y, &result)) return overflow;
        break;
      case Op::multiply:
        if (__builtin_mul_overflow(x, y, &result)) return overflow;
        break;
      default:
        if (y == 0) return make_error(Errc::invalid_argument, "a division by zero", at.pointer_);
        if (y == -1) {  // the smallest number has no opposite
          if (at.op_ == Op::divide && __builtin_sub_overflow(std::int64_t{0}, x, &result))
            return overflow;
          break;
        }
        result = at.op_ == Op::divide ? x / y : x % y;
    }
    return json(result);
  }

  static Result<json> calculate_decimal(const Expression& at, double x, double y) {
    double result = 0;
    switch (at.op_) {
      case Op::add: result = x + y; break;
      case Op::subtract: result = x - y; break;
      case Op::multiply: result = x * y; break;
      case Op::divide: result = x / y; break;
      default: result = std::fmod(x, y);
    }
    if (!std::isfinite(result))
      return make_error(Errc::invalid_argument, "the result is no number", at.pointer_);
    return json(result);
  }

  // --- conditions

  Result<json> condition(const Expression& from, const Scope& scope) {
    if (from.op_ == Op::all || from.op_ == Op::any) {
      const bool decisive = from.op_ == Op::any;
      for (const Expression& operand : from.operands_) {
        Result<json> one = condition(operand, scope);
        if (!one || *one == decisive) return one;
      }
      return json(!decisive);
    }
    Result<json> first = value(from.operands_[0], scope);
    if (!first) return first;
    switch (from.op_) {
      case Op::negate: return json(*first != true);
      case Op::exists: return json(!first->is_null());
      case Op::matches:
        if (!first->is_string()) return misfit(from.pointer_, "expected a string", *first);
        return json(RE2::PartialMatch(first->get_ref<const std::string&>(), *from.pattern_));
      default: break;
    }
    const Result<json> second = value(from.operands_[1], scope);
    if (!second) return second;
    if (from.op_ == Op::equals) return json(is_same(*first, *second));
    const bool comparable =
        (first->is_number() && second->is_number()) || (first->is_string() && second->is_string());
    if (!comparable)
      return make_error(Errc::invalid_argument,
                        std::string("expected two numbers or two strings, found ") +
                            first->type_name() + " and " + second->type_name(),
                        from.pointer_);
    return json(is_less(*first, *second));
  }

  std::size_t bytes_max_;
  std::size_t bytes_left_;
};

Result<json> Expression::evaluate(const Scope& scope, std::size_t bytes_max) const {
  return Evaluation(bytes_max).value(*this, scope);
}

}  // namespace pawl
