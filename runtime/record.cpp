#include <pawl/limits.hpp>
#include <pawl/record.hpp>

#include <ostream>

namespace pawl {

std::string_view to_string(RecordKind kind) {
  switch (kind) {
    case RecordKind::started: return "started";
    case RecordKind::opened: return "opened";
    case RecordKind::output: return "output";
    case RecordKind::receipt: return "receipt";
    case RecordKind::cancel_requested: return "cancel_requested";
    case RecordKind::unblocked: return "unblocked";
    case RecordKind::ended: return "ended";
    case RecordKind::signal: return "signal";
    case RecordKind::undoing: return "undoing";
    case RecordKind::paused: return "paused";
    case RecordKind::unpaused: return "unpaused";
  }
  return "unknown";
}

std::string_view to_string(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::none: return "none";
    case AttemptEnd::succeeded: return "succeeded";
    case AttemptEnd::failed: return "failed";
    case AttemptEnd::fatal: return "fatal";
    case AttemptEnd::timed_out: return "timed_out";
    case AttemptEnd::lost: return "lost";
    case AttemptEnd::late: return "late";
    case AttemptEnd::interrupted: return "interrupted";
    case AttemptEnd::cancelled: return "cancelled";
    case AttemptEnd::diverged: return "diverged";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, RecordKind kind) {
  return out << to_string(kind);
}

std::ostream& operator<<(std::ostream& out, AttemptEnd end) {
  return out << to_string(end);
}

bool is_record_kind(std::int64_t number) {
  return number >= static_cast<int>(RecordKind::started) &&
         number <= static_cast<int>(RecordKind::unpaused);
}

bool is_attempt_end(std::int64_t number) {
  return number >= static_cast<int>(AttemptEnd::none) &&
         number <= static_cast<int>(AttemptEnd::diverged);
}

bool holds_output(const Record& record) {
  if (record.kind == RecordKind::output) return true;
  if (record.kind != RecordKind::receipt || record.body.empty()) return false;
  return record.end == AttemptEnd::diverged ||
         (record.end == AttemptEnd::late && record.output_digest == digest_of(record.body));
}

Result<Outcome> outcome_of(const Record& record) {
  return outcome_from(record.value ? *record.value : json::parse(record.body, nullptr, false));
}

std::string error_body(Errc code, std::string_view message) {
  const json body{{"code", to_string(code)},
                  {"message", printable_text(message, Limits::error_bytes_max)}};
  return body.dump();
}

Error error_from_body(std::string_view body) {
  const json value = json::parse(body, nullptr, false);
  if (!value.is_object() || !value.contains("code") || !value["code"].is_string() ||
      !value.contains("message") || !value["message"].is_string())
    return make_error(Errc::corrupt, "a stored error is not readable");
  return make_error(errc_from(value["code"].get<std::string>()),
                    value["message"].get<std::string>());
}

Errc errc_from(std::string_view word) {
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i)
    if (to_string(static_cast<Errc>(i)) == word) return static_cast<Errc>(i);
  return Errc::internal;
}

}  // namespace pawl
