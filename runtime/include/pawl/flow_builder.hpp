/// FlowBuilder: a flow that is written in C++ and is exactly what its JSON would be.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/flow_steps.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// Collects the members of a flow.
///
///     FlowBuilder("order")
///         .step(flows::task("charge", "charge").with({{"cents", "{{input.cents}}"}}))
///         .step(flows::task("ship", "ship").after("charge"))
///         .build();
///
/// Threads: as a plain value.
class FlowBuilder : private flows::Members {
 public:
  explicit FlowBuilder(std::string name) { put("flow", std::move(name)); }

  FlowBuilder& step(const flows::Step& step) { return this->step(step.name(), step.members()); }

  /// A step as its JSON, for what has no word here: a default within `retry` that is written out,
  /// a part of a flow that is data already.
  FlowBuilder& step(std::string name, json members);

  FlowBuilder& input(json defaults) { return put_object("input", std::move(defaults)), *this; }

  FlowBuilder& output(json output) { return put("output", std::move(output)), *this; }

  FlowBuilder& secret(const flows::Names& paths) { return add("secret", paths), *this; }

  FlowBuilder& description(std::string text) { return put("description", std::move(text)), *this; }

  /// Given: `priority`, -100 to 100.
  FlowBuilder& priority(std::int64_t priority) { return put("priority", priority), *this; }

  FlowBuilder& version(std::int64_t format) { return put("version", format), *this; }

  /// The member `$schema`, for editors of what `document` gives.
  FlowBuilder& schema(std::string address) { return put("$schema", std::move(address)), *this; }

  /// The flow as JSON, checked or not: `document().dump(2)` is for a file. Of two steps of one
  /// name the first stands.
  json document() const;

  /// Checks the flow as `parse_flow` checks its text, and with the same problems: two steps of one
  /// name are a `duplicate_key`. The builder may go on afterwards.
  ///
  /// Given:  `types`, as for `parse_flow`.
  /// Errors: Errc::invalid_flow. A value that JSON has not (NaN, binary, strings that are not
  ///         UTF-8) is a problem called `syntax`, and the rest is not checked then.
  Result<Flow> build(const StepTypes* types = nullptr) const;

 private:
  std::vector<std::pair<std::string, json>> steps_;  // a name may stand twice
};

}  // namespace pawl
