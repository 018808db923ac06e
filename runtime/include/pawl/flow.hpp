/// Flow: a valid flow, ready to be run any number of times.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/error.hpp>
#include <pawl/step_type.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pawl {

struct Plan;

/// Cheap to copy; never changes.
///
/// Threads: share it freely.
class Flow {
 public:
  explicit Flow(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}

  const std::string& name() const;

  /// The flow as canonical JSON: what a run stores, and what two equal flows have in common.
  const std::string& canonical() const;
  const Digest& digest() const;

  const std::shared_ptr<const Plan>& plan() const { return plan_; }

 private:
  std::shared_ptr<const Plan> plan_;
};

/// Reads and validates a flow (docs/flows.md).
///
/// Given:  `types`, the step types that the program knows; null leaves types and parameters
/// unchecked until a run
///         starts.
/// Errors: Errc::invalid_flow with all problems in `Error::problems`, each with its JSON pointer.
Result<Flow> parse_flow(std::string_view text, const StepTypes* types = nullptr);

/// Reads a flow from a file.
///
/// Errors: as `parse_flow`, with the file's name in `where`; Errc::io when the file cannot be read.
Result<Flow> load_flow(const std::string& path, const StepTypes* types = nullptr);

/// The flow's graph in Graphviz's language.
std::string graph_dot(const Flow& flow);

/// The flow's graph in Mermaid's language.
std::string graph_mermaid(const Flow& flow);

}  // namespace pawl
