/// Names and ids as types of their own, so that a step's name cannot be passed where a run's id is
/// meant.
#pragma once

#include <pawl/error.hpp>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace pawl {

/// A checked name of one kind. Compares and prints as its text.
template <class Kind>
class Name {
 public:
  Name() = default;

  /// Gives the name, or `Errc::invalid_argument` that says which character or length is wrong.
  static Result<Name> parse(std::string_view text) {
    std::string complaint = Kind::complaint(text);
    if (!complaint.empty()) return make_error(Errc::invalid_argument, std::move(complaint));
    return trusted(std::string(text));
  }

  /// Takes text that was parsed before, such as a name from a plan or a store.
  static Name trusted(std::string text) {
    Name name;
    name.text_ = std::move(text);
    return name;
  }

  const std::string& str() const { return text_; }

  bool empty() const { return text_.empty(); }

  bool operator==(const Name& other) const { return text_ == other.text_; }

  bool operator!=(const Name& other) const { return text_ != other.text_; }

  bool operator<(const Name& other) const { return text_ < other.text_; }

 private:
  std::string text_;
};

template <class Kind>
std::ostream& operator<<(std::ostream& out, const Name<Kind>& name) {
  return out << name.str();
}

/// `[A-Za-z0-9][A-Za-z0-9._-]*`, at most `Limits::name_bytes_max` bytes.
struct RunIdKind {
  static std::string complaint(std::string_view text);
};

/// `[A-Za-z_][A-Za-z0-9_-]*`, at most `Limits::name_bytes_max` bytes.
struct StepNameKind {
  static std::string complaint(std::string_view text);
};

/// A run's id: chosen by the caller or generated; unique among the runs that its store has. Once a
/// run was pruned, its id is free again.
using RunId = Name<RunIdKind>;

/// A step's name: its key in the flow's `steps`.
using StepName = Name<StepNameKind>;

/// The idempotency key of a step of a run, `RUN/STEP`: the same for every attempt, before and after
/// any crash, and never that of another step.
///
/// Given: `step`, a step's name, or that of an element of a map or of an undo: `NAME[2]`,
///        `NAME:undo`.
std::string idempotency_key(const RunId& run, std::string_view step);

/// A run id for callers that gave none, such as `20261123-205102-417-9f3c51d2`: sorts by time.
///
/// Given: `now_ms` since the Unix epoch, and a random number.
RunId generate_run_id(std::int64_t now_ms, std::uint64_t random);

}  // namespace pawl

template <class Kind>
struct std::hash<pawl::Name<Kind>> {
  std::size_t operator()(const pawl::Name<Kind>& name) const noexcept {
    return std::hash<std::string>{}(name.str());
  }
};
