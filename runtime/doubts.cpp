#include <pawl/doubts.hpp>
#include <pawl/ids.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace pawl {

namespace {

struct Attempts {
  std::vector<int> unanswered;
  int last_begun = 0;  // the last of which something is known that shows it may have begun
};

std::string listed(const std::vector<int>& attempts) {
  std::string text = attempts.size() == 1 ? "attempt " : "attempts ";
  for (std::size_t i = 0; i < attempts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == attempts.size() ? " and " : ", ") + std::to_string(attempts[i]);
  return text;
}

/// Whether the record tells that its attempt ended, and nothing of what it did: the process died,
/// or no answer came in time. One that timed out before its code began has done nothing.
bool is_unanswered(const Record& record) {
  if (record.kind != RecordKind::receipt) return false;
  return record.end == AttemptEnd::lost ||
         (!record.body.empty() && error_from_body(record.body).code == Errc::in_doubt) ||
         (record.end == AttemptEnd::timed_out && record.started_ms > 0);
}

}  // namespace

std::vector<Doubt> doubts_of(const std::string& run, const std::vector<Record>& records) {
  std::map<std::string, Attempts> parts;
  for (const Record& record : records) {
    if (record.attempt == 0 || record.kind == RecordKind::opened) continue;
    Attempts& attempts = parts[record.step];
    if (is_unanswered(record)) attempts.unanswered.push_back(record.attempt);
    if (record.started_ms > 0 || record.end == AttemptEnd::lost)
      attempts.last_begun = std::max(attempts.last_begun, record.attempt);
  }
  std::vector<Doubt> doubts;
  for (auto& [step, attempts] : parts) {
    if (attempts.unanswered.empty()) continue;
    Doubt doubt;
    doubt.run = run;
    doubt.step = step;
    doubt.key = idempotency_key(RunId::trusted(run), step);
    const bool repeated = attempts.unanswered.front() < attempts.last_begun;
    doubt.kind = repeated ? Doubt::Kind::repeated : Doubt::Kind::undecided;
    doubt.message =
        listed(attempts.unanswered) + " gave no answer: " +
        (repeated ? "the effect may have happened more than once" : "the effect may have happened");
    doubt.attempts = std::move(attempts.unanswered);
    doubts.push_back(std::move(doubt));
  }
  return doubts;
}

json to_json_value(const Doubt& doubt) {
  return json{{"kind", doubt.kind == Doubt::Kind::repeated ? "repeated" : "undecided"},
              {"run", doubt.run},
              {"step", doubt.step},
              {"key", doubt.key},
              {"attempts", doubt.attempts},
              {"message", doubt.message}};
}

}  // namespace pawl
