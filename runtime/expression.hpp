/// Expression: what a `value` computes and an `if` decides: templates and operators, compiled once.
#pragma once

#include "runtime/template.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace re2 {
class RE2;
}

namespace pawl {

/// A value is any JSON with templates, in which an object with one member that begins with `$` is
/// an operator: `{"$map": {"over": LIST, "to": VALUE}}`, `{"$filter": {"over": LIST, "where":
/// CONDITION}}`, `{"$flatten": LIST}`, `{"$length": VALUE}`, `{"$add": [A, B, ...]}`, `$subtract`,
/// `$multiply`, `$divide`, `$remainder`. Within `to` and `where`, `{{item}}` and `{{index}}` name
/// the element at hand. `$$` begins a member's name that begins with `$`.
///
/// A condition is one of `{"exists": VALUE}`, `{"equals": [A, B]}`, `{"less": [A, B]}`,
/// `{"matches": [VALUE, PATTERN]}`, `{"not": CONDITION}`, `{"all": [CONDITION, ...]}`, `{"any":
/// [CONDITION, ...]}`.
///
/// Invariants:
/// 1. What comes out depends on the expression and the scope alone.
/// 2. No value is ever taken for an operator or a condition: only what the flow says is.
///
/// Source: patterns are RE2's (https://github.com/google/re2/wiki/Syntax): linear in the text,
/// whatever the pattern.
class Expression {
 public:
  /// An expression that gives null.
  Expression() = default;

  /// Compiles what stands at `pointer` in its flow. What cannot be compiled becomes a problem.
  ///
  /// Given: `of_element`, whether `{{item}}` and `{{index}}` have a meaning already.
  static Expression compile_value(const json& value, const std::string& pointer,
                                  std::vector<Problem>& problems, bool of_element = false);
  static Expression compile_condition(const json& condition, const std::string& pointer,
                                      std::vector<Problem>& problems);

  /// The value, or with a condition true or false.
  ///
  /// Errors: Errc::unresolved_reference; Errc::too_large when more than `bytes_max` bytes are
  ///         looked at; Errc::invalid_argument for operands that do not fit, with the place in the
  ///         flow in `where`.
  Result<json> evaluate(const Scope& scope, std::size_t bytes_max) const;

  /// Every reference, in document order.
  void each_use(const std::function<void(Template::Use&)>& visit);
  void each_use(const std::function<void(const Template::Use&)>& visit) const;

 private:
  enum class Op {
    leaf,
    object,
    array,
    map,
    filter,
    flatten,
    length,
    add,
    subtract,
    multiply,
    divide,
    remainder,
    exists,
    equals,
    less,
    matches,
    negate,
    all,
    any,
  };

  class Compiler;
  class Evaluation;

  Op op_ = Op::leaf;
  std::string pointer_;            // in the flow
  Template leaf_;                  // with leaf
  std::vector<std::string> keys_;  // with object: the members' names
  std::vector<Expression> operands_;
  std::shared_ptr<const re2::RE2> pattern_;  // with matches
};

}  // namespace pawl
