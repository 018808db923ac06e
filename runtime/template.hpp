/// Template: a JSON value with `{{references}}` in its strings, compiled once and resolved for each
/// attempt.
#pragma once

#include "runtime/reference.hpp"

#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace pawl {

/// The values that references name while a run is under way.
struct Scope {
  const json& input;
  const std::string& run_id;
  const std::vector<const json*>& outputs;  ///< by step index; null where a step has none
  const json* item = nullptr;               ///< within a list: the element at hand
  std::size_t index = 0;                    ///< within a list: its place
  const json* output = nullptr;             ///< within an undo: the output of what it undoes
};

/// About how many bytes `value` has as JSON, and never more than it has; counted no further than
/// `enough`.
std::size_t rough_size(const json& value, std::size_t enough);

/// Invariants:
/// 1. Resolving depends on the template and the scope alone.
/// 2. A string that is one reference and nothing else keeps the JSON type of what it names; within
/// other text, strings
///    appear as they are and other values as compact JSON.
class Template {
 public:
  /// A template that resolves to null.
  Template() = default;

  /// Compiles `value`, which stands at `pointer` in its flow. What cannot be compiled becomes a
  /// problem and stays text.
  static Template compile(json value, const std::string& pointer, std::vector<Problem>& problems);

  struct Use {
    Reference reference;
    std::string pointer;  ///< of the string that holds it, in the flow
  };

  /// Every reference, in document order.
  std::vector<Use>& uses() { return uses_; }

  const std::vector<Use>& uses() const { return uses_; }

  /// The value with every reference replaced.
  ///
  /// Errors: Errc::unresolved_reference, Errc::too_large over `bytes_max`; `where` is the pointer
  /// in the flow.
  Result<json> resolve(const Scope& scope, std::size_t bytes_max) const;

 private:
  // Literal text, or the index of a reference in uses_.
  using Piece = std::variant<std::string, std::size_t>;

  struct Spot {
    json::json_pointer at;  // within value_
    std::vector<Piece> pieces;
  };

  void compile_string(const std::string& text, const json::json_pointer& at,
                      const std::string& pointer, std::vector<Problem>& problems);
  void compile_value(const json& value, const json::json_pointer& at, const std::string& pointer,
                     std::vector<Problem>& problems);

  json value_;
  std::vector<Spot> spots_;
  std::vector<Use> uses_;
};

}  // namespace pawl
