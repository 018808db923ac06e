/// StartFacts: what a run's `started` record says besides that the run began.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/error.hpp>
#include <pawl/labels.hpp>
#include <pawl/record.hpp>

#include <map>
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

/// The run that a fork shares records with, and what was asked for.
struct ForkedFrom {
  std::string run;                         ///< the other run's id
  std::string step;                        ///< from which on the fork runs by itself
  std::map<std::string, Digest> set = {};  ///< outputs that it was given, by step: their digests

  bool operator==(const ForkedFrom& other) const {
    return run == other.run && step == other.step && set == other.set;
  }
};

/// Every member may be absent.
struct StartFacts {
  Labels labels = {};                          ///< no part of what makes a run the same run
  std::optional<ParentStep> parent = {};       ///< with a child's run
  std::optional<ForkedFrom> forked_from = {};  ///< with a fork
  int priority = 0;  ///< of the run's attempts; no part of what makes a run the same run either
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

/// How two starts under one id differ in where their runs come from: in what they are children or
/// forks of. Empty if they do not. No output is told.
///
/// Given: the body of the stored start, and of the one that came later.
std::string explain_origins(std::string_view stored, std::string_view later);

}  // namespace pawl
