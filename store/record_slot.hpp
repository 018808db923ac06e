/// RecordSlot: a record's place in its run. At most one record is stored in a place.
#pragma once

#include <pawl/record.hpp>

#include <cstdint>
#include <optional>

namespace pawl {

/// The numbers are stored, together with the step's name: never change them.
struct RecordSlot {
  static constexpr std::int64_t output = 0;   // with a step
  static constexpr std::int64_t started = 1;  // 1 to 7: without a step
  static constexpr std::int64_t cancel_requested = 2;
  static constexpr std::int64_t ended = 3;
  static constexpr std::int64_t undoing = 5;
  static constexpr std::int64_t signal = 4;  // with the signal's id in the step's place

  static constexpr std::int64_t opened(std::int64_t attempt) { return attempt * 8; }

  static constexpr std::int64_t end(std::int64_t attempt) { return attempt * 8 + 1; }

  static constexpr std::int64_t late(std::int64_t attempt) { return attempt * 8 + 2; }

  static constexpr std::int64_t diverged(std::int64_t attempt) { return attempt * 8 + 3; }
};

/// The record's place; nothing if any number of its kind may be stored.
inline std::optional<std::int64_t> slot_of(const Record& record) {
  switch (record.kind) {
    case RecordKind::started: return RecordSlot::started;
    case RecordKind::opened: return RecordSlot::opened(record.attempt);
    case RecordKind::output: return RecordSlot::output;
    case RecordKind::cancel_requested: return RecordSlot::cancel_requested;
    case RecordKind::unblocked:
    case RecordKind::paused:
    case RecordKind::unpaused: return std::nullopt;
    case RecordKind::ended: return RecordSlot::ended;
    case RecordKind::signal: return RecordSlot::signal;
    case RecordKind::undoing: return RecordSlot::undoing;
    case RecordKind::receipt: break;
  }
  if (record.end == AttemptEnd::late) return RecordSlot::late(record.attempt);
  if (record.end == AttemptEnd::diverged) return RecordSlot::diverged(record.attempt);
  return RecordSlot::end(record.attempt);
}

/// Whether the record is a receipt that closes an open attempt without an output.
inline bool ends_attempt(const Record& record) {
  return record.kind == RecordKind::receipt && record.end != AttemptEnd::late &&
         record.end != AttemptEnd::diverged && record.end != AttemptEnd::succeeded;
}

/// Whether the record may still be written after the run's end.
inline bool lawful_after_end(const Record& record) {
  return record.kind == RecordKind::receipt && !ends_attempt(record);
}

/// Whether something of an unfinished run may follow from the record: then whoever looks for what
/// is due must find it.
inline bool makes_due(const Record& record) {
  return !lawful_after_end(record) || (record.end == AttemptEnd::late && holds_output(record));
}

/// Whether two records in the same place say the same, times aside.
inline bool same_fact(const Record& a, const Record& b) {
  return a.kind == b.kind && a.end == b.end && a.attempt == b.attempt &&
         a.output_digest == b.output_digest && a.body == b.body;
}

/// The receipt that an output leaves which is not the stored one: `succeeded` for the same bytes
/// from another attempt, else `diverged`, with the bytes.
inline Record receipt_beside_output(const Record& stored, const Record& output) {
  Record receipt = output;
  receipt.kind = RecordKind::receipt;
  const bool same = stored.output_digest == output.output_digest;
  receipt.end = same ? AttemptEnd::succeeded : AttemptEnd::diverged;
  if (same) receipt.body.clear();
  receipt.value.reset();
  return receipt;
}

}  // namespace pawl
