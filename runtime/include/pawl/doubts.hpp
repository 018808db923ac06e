/// Doubts: the effects of steps of which nobody can say, from what is stored, how often they
/// happened.
#pragma once

#include <pawl/json.hpp>
#include <pawl/record.hpp>

#include <string>
#include <vector>

namespace pawl {

/// A part of a run that may have had its effect more than once, or may have had it and gave no
/// output that says so.
struct Doubt {
  enum class Kind {
    repeated,   ///< an attempt ended without an answer, and another one began after it
    undecided,  ///< the last attempt ended without an answer: it may have happened, once
  };

  Kind kind = Kind::repeated;
  std::string run;
  std::string step;           ///< as in records: `NAME`, `NAME[2]`, `NAME:undo`
  std::string key;            ///< the idempotency key that every attempt handed out
  std::vector<int> attempts;  ///< those that gave no answer
  std::string message;        ///< for a person
};

/// The doubts that a run's records leave, by step.
///
/// A step whose effects go by its idempotency key has none for all of this: whoever gets the key a
/// second time knows it. An attempt that answered, with whatever, leaves no doubt.
std::vector<Doubt> doubts_of(const std::string& run, const std::vector<Record>& records);

/// `{"kind","run","step","key","attempts","message"}`.
json to_json_value(const Doubt& doubt);

}  // namespace pawl
