// What a store or a file holds of a run, as bytes: fixtures, what is known of a start, errors,
// ends, digests. What is refused is refused by name; what is taken is written as the same again,
// and may be replayed, compared, shown and redacted whatever it says.
#include <pawl/limits.hpp>
#include <pawl/run_diff.hpp>
#include <pawl/run_document.hpp>
#include <pawl/run_fixture.hpp>
#include <pawl/run_state.hpp>

#include "fuzz/fuzz.hpp"
#include "runtime/replayed.hpp"
#include "runtime/start_facts.hpp"

using namespace pawl;
using fuzz::demand;

namespace {

void check_error(const Error& error) {
  demand(is_utf8(error.text()), "an error is UTF-8 whatever was refused");
}

/// Two fixtures of the same flow, which say the same.
bool same(const RunFixture& a, const RunFixture& b) {
  const auto same_record = [](const Record& left, const Record& right) {
    return left.kind == right.kind && left.end == right.end && left.step == right.step &&
           left.attempt == right.attempt && left.seq == right.seq && left.epoch == right.epoch &&
           left.at_ms == right.at_ms && left.started_ms == right.started_ms &&
           left.duration_ms == right.duration_ms && left.due_ms == right.due_ms &&
           left.input_digest == right.input_digest && left.output_digest == right.output_digest &&
           left.body == right.body;
  };
  const auto same_progress = [](const Progress& left, const Progress& right) {
    return left.step == right.step && left.attempt == right.attempt && left.body == right.body &&
           left.epoch == right.epoch && left.at_ms == right.at_ms;
  };
  return a.run == b.run && a.folder == b.folder && a.flow.digest() == b.flow.digest() &&
         a.input == b.input &&
         std::equal(a.records.begin(), a.records.end(), b.records.begin(), b.records.end(),
                    same_record) &&
         std::equal(a.progress.begin(), a.progress.end(), b.progress.begin(), b.progress.end(),
                    same_progress);
}

void check_fixture(std::string_view text) {
  const Result<RunFixture> read = parse_run_fixture(text);
  if (!read) return check_error(read.error());
  for (const Record& record : read->records)
    demand(record.kind != RecordKind::output || record.output_digest == digest_of(record.body),
           "an output is what its digest says");
  const std::string written = fixture_text(*read);
  const Result<RunFixture> again = parse_run_fixture(written);
  demand(again.has_value(), "what was read can be written and read");
  demand(same(*read, *again), "and is the same then");
  demand(fixture_text(*again) == written, "equal fixtures have equal text");

  const Result<FlowMachine> machine = replayed(*read);
  if (!machine) check_error(machine.error());
  const auto view = view_run(read->flow, read->run, read->input, read->records, read->progress);
  if (!view)
    check_error(view.error());
  else
    demand(machine.has_value(), "what cannot be replayed is not shown");
  const Result<RunDiff> diff = diff_run(*read, read->flow);
  if (!diff) {
    check_error(diff.error());
  } else {
    demand(machine.has_value(), "what cannot be replayed is not compared");
    for (const DiffFinding& finding : diff->findings)
      demand(is_utf8(finding.message) && !finding.message.empty(), "a finding has words");
  }
  const Result<RunFixture> hidden = redacted(*read);
  if (!hidden) return check_error(hidden.error());
  const std::string hidden_text = fixture_text(*hidden);
  const Result<RunFixture> hidden_again = parse_run_fixture(hidden_text);
  demand(hidden_again && same(*hidden, *hidden_again), "a redacted fixture is a fixture");
  const Result<RunFixture> twice = redacted(*hidden_again);
  demand(twice && fixture_text(*twice) == hidden_text, "what is hidden once is hidden");
}

void check_start(std::string_view text) {
  const Result<StartFacts> read = start_facts_from(text);
  if (!read) {
    demand(read.error().code == Errc::corrupt, "what is not readable is corrupt");
    return check_error(read.error());
  }
  const std::string body = start_body(*read);
  const Result<StartFacts> again = start_facts_from(body);
  demand(again && again->labels == read->labels && again->parent == read->parent &&
             again->forked_from == read->forked_from && again->priority == read->priority,
         "what is known of a start is written as it was read");
  demand(start_body(*again) == body, "equal facts have equal bodies");
  demand(explain_origins(body, body).empty(), "a start differs in nothing from itself");
}

void check_body(std::string_view text) {
  const Error error = error_from_body(text);
  check_error(error);
  const Error again = error_from_body(error_body(error.code, error.message));
  demand(again.code == error.code, "an error keeps its code");
  demand(again.message == printable_text(error.message, Limits::error_bytes_max),
         "and its message, as far as errors are long");
  const Result<json> value = parse_json(text, 1 << 20);
  if (!value) return;
  const Result<Outcome> outcome = outcome_from(*value);
  if (!outcome) return check_error(outcome.error());
  const Result<Outcome> same = outcome_from(to_json_value(*outcome));
  demand(same && to_json_value(*same) == to_json_value(*outcome),
         "an end is written as it was read");
}

void check_names(std::string_view text) {
  if (const auto digest = digest_from_hex(text))
    demand(digest->hex() == text, "a digest is written as it was read");
  const Result<RunId> id = RunId::parse(std::string(text));
  if (!id) return check_error(id.error());
  demand(id->str() == text && is_utf8(text), "an id is the text that it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: check_fixture(text); break;
    case 1: check_start(text); break;
    case 2: check_body(text); break;
    default: check_names(text);
  }
  return 0;
}
