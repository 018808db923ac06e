/// Errors as values: what can go wrong, and `Result<T>`, which holds a value or the reason why
/// there is none.
#pragma once

#include <pawl/assert.hpp>

#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pawl {

/// Every kind of failure that pawl reports. The enumerator is also its text in JSON, SQL, logs and
/// docs.
enum class Errc {
  // What the caller gave.
  invalid_argument,  ///< a value that no call accepts, such as a malformed run id
  invalid_json,   ///< text that is not JSON, or JSON that pawl refuses (duplicate keys, too deep,
                  ///< ...)
  invalid_flow,   ///< the flow has problems; `Error::problems` lists all of them
  invalid_input,  ///< the run's input does not fit the flow
  unknown_run,    ///< no run has this id
  run_ended,      ///< the run has ended; nothing about it changes any more
  attempt_ended,  ///< the attempt had ended before; its answer comes late and is not used
  run_differs,    ///< the id belongs to a run with another flow or input
  too_large,      ///< a value is larger than `Limits` allows; it was not written

  // How a run can end or halt.
  step_failed,           ///< a step answered fail()
  attempts_exhausted,    ///< a step's last allowed attempt failed
  child_failed,          ///< a step is a child flow, whose run failed or was cancelled
  unresolved_reference,  ///< a template names something that is not there
  cancelled,             ///< somebody cancelled the run
  crash_loop,            ///< a step was lost in too many crashes in a row: the run is blocked
  in_doubt,              ///< nobody knows whether the effect of an at_most_once step happened
  inputs_differ,      ///< an attempt had other parameters than the one before: the run is blocked
  diverged,           ///< two attempts of a step gave different outputs: see `on_divergence`
  paused,             ///< somebody paused the run
  undo_failed,        ///< what a step did could not be undone: the run is blocked
  unknown_step_type,  ///< this program has no such step type: the run is blocked

  // The store.
  in_use,        ///< another engine owns the store
  fenced,        ///< a newer owner took the store over; this one writes no more
  store_moved,   ///< the store's file was moved, deleted or replaced under its engine, which writes
                 ///< no more; whether the last write lasted is unknown
  rolled_back,   ///< the store has less than it once acknowledged: its log was lost, or an older
                 ///< copy was put in its place
  io,            ///< a file operation failed; whether the last write lasted is unknown
  full,          ///< no space left; nothing acknowledged is lost
  busy,          ///< the file was locked for longer than the store waits
  corrupt,       ///< the store holds something that no pawl wrote
  foreign_file,  ///< the file is not a pawl store
  newer_format,  ///< a newer pawl wrote this store

  // The engine.
  closed,       ///< the engine was closed meanwhile
  engine_lost,  ///< a vital part of the engine died; open it again
  deadline,     ///< the deadline of a wait passed; the run goes on
  internal,     ///< a bug in pawl
};

/// Gives the enumerator's own spelling.
std::string_view to_string(Errc code);
std::ostream& operator<<(std::ostream& out, Errc code);

/// One thing that is wrong with a flow.
struct Problem {
  std::string pointer;  ///< where, as a JSON pointer (RFC 6901) into the flow
  std::string code;     ///< a stable word for programs, such as `unknown_member`
  std::string message;  ///< what and what to do, for a person

  bool operator==(const Problem& other) const;
};

std::ostream& operator<<(std::ostream& out, const Problem& problem);

/// Why something could not be done.
struct Error {
  Errc code = Errc::internal;
  std::string message;            ///< what happened and what to do, for a person
  std::string where;              ///< the file, run or JSON pointer it is about; may be empty
  std::vector<Problem> problems;  ///< only with `invalid_flow` and `invalid_input`

  /// `code: where: message`, then one line per problem.
  std::string text() const;
};

std::ostream& operator<<(std::ostream& out, const Error& error);

/// Makes an error without problems.
inline Error make_error(Errc code, std::string message, std::string where = {}) {
  return Error{code, std::move(message), std::move(where), {}};
}

/// What `Result::value()` throws when there is no value, for callers that prefer exceptions.
class BadResult : public std::runtime_error {
 public:
  explicit BadResult(Error error) : std::runtime_error(error.text()), error_(std::move(error)) {}

  const Error& error() const { return error_; }

 private:
  Error error_;
};

/// A value, or the error that explains why there is none.
///
/// Errors: `value()` throws `BadResult` when there is no value; `*` and `->` abort then.
/// Threads: as a plain value.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}

  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  T& value() & {
    require();
    return std::get<0>(state_);
  }

  const T& value() const& {
    require();
    return std::get<0>(state_);
  }

  T value() && {
    require();
    return std::move(std::get<0>(state_));
  }

  T& operator*() {
    PAWL_ASSERT(has_value());
    return std::get<0>(state_);
  }

  const T& operator*() const {
    PAWL_ASSERT(has_value());
    return std::get<0>(state_);
  }

  T* operator->() { return &**this; }

  const T* operator->() const { return &**this; }

  const Error& error() const {
    PAWL_ASSERT(!has_value());
    return std::get<1>(state_);
  }

 private:
  void require() const {
    if (!has_value()) throw BadResult(std::get<1>(state_));
  }

  std::variant<T, Error> state_;
};

/// Success without a value, or the error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() : state_(std::monostate{}) {}

  Result(Error error) : state_(std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  void value() const {
    if (!has_value()) throw BadResult(std::get<1>(state_));
  }

  const Error& error() const {
    PAWL_ASSERT(!has_value());
    return std::get<1>(state_);
  }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace pawl
