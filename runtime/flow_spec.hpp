/// FlowSpec: what a flow's text says, member by member, before anybody asked whether it makes
/// sense.
#pragma once

#include <pawl/in_doubt.hpp>
#include <pawl/json.hpp>
#include <pawl/on_divergence.hpp>
#include <pawl/retry_policy.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl {

/// What a step is, as the one member says that only such steps have.
enum class StepKind {
  task,    ///< `run`: user code performs it
  map,     ///< `map` and `run`: user code performs each element of an array
  branch,  ///< `if`: a condition decides
  value,   ///< `value`: computed from other outputs
  sleep,   ///< `sleep_ms` or `until_ms`: time passes
  await,   ///< `await`: a signal from outside
  fail,    ///< `fail`: ends its run, and says why
  child,   ///< `child`: another flow, as a run of its own
};

/// The member "undo": what undoes a step that succeeded in a run that does not.
struct UndoSpec {
  std::string type;  // the member "run"
  json with = json::object();
  std::int64_t timeout_ms = 300'000;
  std::int64_t heartbeat_ms = 0;  // 0: none
  RetryPolicy retry;
  std::optional<std::string> one_at_a_time;
};

struct StepSpec {
  std::string name;
  StepKind kind = StepKind::task;
  std::string type;                 // the member "run"
  json with = json::object();       // with a task or a map; with a child its run's input
  json child;                       // the member "child": a flow; null if it has none
  json over;                        // the member "map"
  std::int64_t max_parallel = 0;    // of a map; 0: no bound
  bool collect = false;             // of a map: "on_error" is "collect"
  bool at_most_once = false;        // of a task or a map
  InDoubt in_doubt = InDoubt::ask;  // with at_most_once
  bool asks = false;                // of a task or a map: "on_failure" is "ask"
  OnDivergence on_divergence = OnDivergence::keep;  // of a task or a map
  std::optional<std::string> one_at_a_time;         // of a task or a map: a template
  std::optional<UndoSpec> undo;                     // of a task, a map or a child
  json body;           // with a branch the condition, with a value the value, with a sleep
                       // the time, a whole number or a template
  bool until = false;  // with a sleep: the time is a moment, not a length
  std::string signal;  // the member "await"
  std::optional<json> fallback;     // the member "default" of a task, a child or an await
  std::vector<std::string> when;    // branches that must have decided true
  std::vector<std::string> unless;  // and false
  std::vector<std::string> after;
  std::int64_t timeout_ms = 300'000;  // 0: none, the default of an await
  std::int64_t heartbeat_ms = 0;      // of a task or a map; 0: none
  RetryPolicy retry;
  std::vector<std::string> secret;  // as written: "with.token", "output.key"
};

struct FlowSpec {
  std::string name;  // the member "flow"
  json input = json::object();
  std::vector<StepSpec> steps;  // by name, in byte order
  std::optional<json> output;
  std::vector<std::string> secret;  // as written: "input.token", "output.key"
  std::optional<std::int64_t> priority;
};

struct FlowReading {
  FlowSpec spec;                  // what could be read; defaults elsewhere
  json document;                  // the whole text as JSON; null when it is not JSON
  std::vector<Problem> problems;  // of the text's shape
};

/// Reads a flow, format version 1 (docs/flows.md), as far as it can be read.
FlowReading read_flow_spec(std::string_view text);

/// Reads a flow that is JSON already, such as one within another.
FlowReading read_flow_document(json document);

}  // namespace pawl
