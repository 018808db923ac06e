/// Record: a durable fact about a run. A run is its records, in order, and nothing else.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/error.hpp>
#include <pawl/json.hpp>
#include <pawl/run_state.hpp>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

namespace pawl {

/// What a record says. The numbers are stored: never reuse one.
enum class RecordKind : std::uint8_t {
  started = 1,  ///< the run exists; opens attempt 1 of every step that waits for none
  opened = 2,   ///< opens an attempt after a wait
  output = 3,   ///< a step's output, once per step, with its attempt's receipt; opens attempt 1 of
                ///< the steps that waited for this one last
  receipt = 4,  ///< how an attempt ended that gave no output; one that was `lost` opens the next
                ///< attempt. `late`, `diverged` and `succeeded` ones end none, and move no step
  cancel_requested = 5,  ///< somebody cancelled the run
  unblocked = 6,         ///< a person lets a step go on that its run was blocked for
  ended = 7,             ///< the run's end; only receipts that end no attempt come after it
  signal = 8,            ///< somebody outside sent a signal, which waits until a step takes it
  undoing = 9,    ///< the run will end as the record says, and first undoes what it did; opens the
                  ///< first undo
  paused = 10,    ///< nothing more begins until `unpaused` says otherwise, or a cancel. With a body
                  ///< `{"by":"parent"}` because the run's parent was paused, else a person said so
  unpaused = 11,  ///< takes back the `paused` with the same body
};

/// How an attempt ended. The numbers are stored: never reuse one.
enum class AttemptEnd : std::uint8_t {
  none = 0,       ///< the record is about no attempt's end
  succeeded = 1,  ///< gave the step's output (or, as a receipt, the same bytes once more)
  failed = 2,     ///< answered retry() or threw; counts towards max_attempts
  fatal = 3,      ///< answered fail(), or its parameters or output were refused: no further attempt
  timed_out = 4,  ///< counts towards max_attempts
  lost = 5,  ///< was open when the process, or its step runner, died; does not count, and opens
             ///< the next attempt, unless the run is to stop or was lost too often in a row
  late = 6,  ///< an answer that came after the attempt had ended; it is not used
  interrupted = 7,  ///< the engine closed, or could not perform it; does not count
  cancelled = 8,    ///< the run was cancelled
  diverged = 9,     ///< gave another output than the stored one, which stands
};

/// Gives the enumerator's own spelling.
std::string_view to_string(RecordKind kind);
std::string_view to_string(AttemptEnd end);
std::ostream& operator<<(std::ostream& out, RecordKind kind);
std::ostream& operator<<(std::ostream& out, AttemptEnd end);

/// Whether a stored number is a kind or an end that this version knows.
bool is_record_kind(std::int64_t number);
bool is_attempt_end(std::int64_t number);

/// Times are milliseconds since the Unix epoch (UTC).
struct Record {
  RecordKind kind = RecordKind::started;
  AttemptEnd end = AttemptEnd::none;
  std::string step;  ///< a step's name, or that of a part of one (docs/flows.md): `NAME[2]`,
                     ///< `NAME:undo`; empty for records about the whole run; a signal's id
  int attempt = 0;  ///< 1 for a step's first; 0 for records about the whole run, and for steps that
                    ///< no attempt performs
  std::int64_t started_ms = 0;   ///< when the attempt's body began; 0 if it never did
  std::int64_t duration_ms = 0;  ///< how long the body took
  std::int64_t due_ms = 0;       ///< with `failed` and `timed_out`: the next attempt's time
  Digest input_digest;           ///< of the resolved parameters' canonical JSON; with the output of
                                 ///< an await, of the id of the signal that it took
  Digest output_digest;          ///< of the output's canonical JSON
  /// Canonical JSON: what is known of a start (see start_facts.hpp; empty if nothing is), the
  /// output, an error `{"code","message"}`, the end (with `undoing` the one to come)
  /// `{"state","output","error"}`, or a signal `{"name","payload"}`.
  std::string body;

  // Filled by the store.
  std::int64_t seq = 0;    ///< position in the store's log
  std::int64_t epoch = 0;  ///< the owner that wrote it
  std::int64_t at_ms = 0;  ///< when it was written

  /// The body, parsed, where somebody has it already; never stored.
  std::shared_ptr<const json> value;
};

/// The end that a record tells: an `ended` one, or with `undoing` the one to come.
///
/// Errors: as `outcome_from`.
Result<Outcome> outcome_of(const Record& record);

/// Whether the record's body is an output: the stored one, or one that is kept beside it in a
/// receipt that is `diverged` or `late`.
bool holds_output(const Record& record);

/// An error as a record's body, and back; a body that is none gives `Errc::corrupt`.
std::string error_body(Errc code, std::string_view message);
Error error_from_body(std::string_view body);

/// Reads `to_string(Errc)` back; `Errc::internal` for an unknown word.
Errc errc_from(std::string_view word);

}  // namespace pawl
