/// StartFacts: what a run's `started` record says besides that the run began.
#pragma once

#include <pawl/error.hpp>
#include <pawl/labels.hpp>
#include <pawl/record.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// Every member may be absent.
struct StartFacts {
  Labels labels = {};                     ///< no part of what makes a run the same run
  std::optional<ParentStep> parent = {};  ///< with a child's run
};

/// The facts as the body of a `started` record: canonical JSON, an object without the members that
/// say nothing; empty if none says anything.
std::string start_body(const StartFacts& facts);

/// Reads a body back. An empty one says nothing; members that this version does not know are passed
/// over.
///
/// Errors: Errc::corrupt.
Result<StartFacts> start_facts_from(std::string_view body);

/// The facts of the run that has these records; none if there is no `started` record.
///
/// Errors: Errc::corrupt.
Result<StartFacts> start_facts_of(const std::vector<Record>& records);

/// How two starts under one id differ in what they are children of; empty if they do not.
///
/// Given: the body of the stored start, and of the one that came later.
std::string explain_parents(std::string_view stored, std::string_view later);

}  // namespace pawl
