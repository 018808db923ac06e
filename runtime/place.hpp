/// Place: what a FlowMachine knows of one of its places.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/error.hpp>
#include <pawl/json.hpp>

#include "runtime/rare.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pawl {

struct PlannedStep;

/// What a place of the machine stands for.
enum class Role {
  step,     ///< a step of the plan
  element,  ///< an element of a map: the map's task, done with it
  undo,     ///< the undo of a step or an element
};

/// How far a place has come: see FlowMachine for what moves it on.
enum class PlacePhase {
  pending,
  open,
  backoff,
  opening,
  succeeded,
  failed,
  blocked,
  unstartable,
  stopped,
  computing,
  sleeping,
  awaiting,
  excluded,
  mapping,
  child
};

/// A run has one for each of its steps, however far they are: what few have is kept elsewhere.
struct Place {
  const PlannedStep* definition = nullptr;
  Role role = Role::step;
  PlacePhase phase = PlacePhase::pending;
  std::string name;                   // of an element or an undo
  std::size_t owner = 0;              // of an element or an undo
  std::size_t index = 0;              // of an element: its place in the array
  std::shared_ptr<const json> items;  // of a map that has begun: the array
  std::size_t first_element = 0;      // of a map that has begun: its first element's place
  std::size_t elements_begun = 0;     // of a map
  std::size_t elements_ended = 0;     // of a map
  std::int64_t output_seq = 0;        // its output's place in the log; 0 if it took a default
  std::size_t missing = 0;            // needed steps without an output
  int attempt = 0;                    // the open one, or the last one that ended
  int failures = 0;                   // ended attempts that count towards max_attempts
  Digest input_digest;                // of the parameters that its attempts had; zero if none told
  std::size_t lost_at_progress = 0;
  int lost_in_row = 0;    // lost attempts since the run last made progress
  bool in_doubt = false;  // with blocked: see InDoubt
  bool asks = false;      // with blocked: it has failed for good
  bool started = false;   // the open attempt was handed out by this machine
  bool stopped_by_cancel = false;
  bool withdrawn = false;          // the open attempt was taken back before it began
  bool has_due = false;            // of an await: whether it has an end by time
  bool cancel_asked = false;       // of a child: this machine asked for its cancel
  bool asked = false;              // its record was asked to be written by this machine
  std::optional<bool> child_held;  // of a child: what this machine asked for last
  std::int64_t opened_epoch = 0;
  std::int64_t due_ms = 0;
  std::int64_t ready_ms = 0;             // when the last record came that it waited for
  std::int64_t longest_ms = 0;           // of a sleep or an await: how long it may take
  std::shared_ptr<const json> computed;  // what that record says
  std::shared_ptr<const json> output;
  Rare<Error> error;
};

}  // namespace pawl
