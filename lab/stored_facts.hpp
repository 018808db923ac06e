/// StoredFacts: what is stored of one run, sorted for the checker.
#pragma once

#include <pawl/run_state.hpp>
#include <pawl/store.hpp>

#include "runtime/part_name.hpp"
#include "runtime/plan.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pawl::lab {

/// What is stored of one run, looked up often.
struct StoredFacts {
  const StoredRun* run = nullptr;
  std::map<std::string, const Record*> outputs;
  std::map<std::string, int> outputs_seen;
  std::map<std::string, int> receipts;  // that ended an attempt
  std::map<std::string, int> failures;  // those of them that count
  std::map<std::string, int> lost;
  std::set<std::pair<std::string, int>> given_up;  // attempts that ended without an output
  std::optional<Outcome> end;
  std::set<std::string> excluded;  // steps
};

/// Without `excluded`.
StoredFacts facts_of(const StoredRun& run);

/// What references to a stored run are resolved with.
struct StoredValues {
  json input;
  std::vector<std::shared_ptr<const json>> outputs;  // by step of the plan; null without one
  std::vector<const json*> pointers;                 // to them
};

StoredValues stored_values(const Plan& plan, const StoredFacts& facts);

/// The array that a map of the plan goes over.
Result<json> stored_items(const PlannedStep& map, const StoredFacts& facts,
                          const StoredValues& values);

/// The parameters that what is stored gives to a part of the plan.
///
/// Errors: as `Template::resolve`; Errc::internal for what is no part.
Result<json> stored_parameters(const Plan& plan, const PartName& name, const StoredFacts& facts,
                               const StoredValues& values);

/// The key that what is stored gives to a part's turns; none if it has none, or none that resolves.
std::optional<std::string> stored_turn_key(const Plan& plan, const PartName& name,
                                           const StoredFacts& facts, const StoredValues& values);

/// Whether the run may rightly stay blocked: a person is needed for one of its parts.
bool needs_a_person(const Plan& plan, const StoredFacts& facts);

/// Whether a person is needed to undo what the run did, so that not even a cancel can end it.
bool undo_needs_a_person(const Plan& plan, const StoredFacts& facts);

}  // namespace pawl::lab
