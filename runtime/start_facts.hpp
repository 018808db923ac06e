/// StartFacts: what a run's `started` record says of where the run comes from.
#pragma once

#include <pawl/error.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace pawl {

/// The step that a child's run stands for.
struct ParentStep {
  std::string run;   ///< the parent's id
  std::string step;  ///< as in records: `NAME`, `NAME[2]`
  int depth = 1;     ///< how many runs stand above the child

  bool operator==(const ParentStep& other) const {
    return run == other.run && step == other.step && depth == other.depth;
  }
};

struct StartFacts {
  std::optional<ParentStep> parent;  ///< with a child's run
};

/// The facts as a record's body: `{"parent":{"run","step","depth"}}`; empty without any.
std::string start_body(const StartFacts& facts);

/// Reads `start_body` back.
///
/// Errors: Errc::corrupt.
Result<StartFacts> start_facts_from(std::string_view body);

/// How two starts under one id differ in what they are children of; empty if they do not.
///
/// Given: the body of the stored start, and of the one that came later.
std::string explain_parents(std::string_view stored, std::string_view later);

}  // namespace pawl
