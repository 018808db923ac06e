/// RunFixture: a run as a file, to be looked at, kept beside a test, and replayed against a new
/// version of its flow.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/json.hpp>
#include <pawl/progress.hpp>
#include <pawl/record.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace pawl {

/// All that a store holds of one run.
struct RunFixture {
  Flow flow;
  std::string run;                      ///< its id
  json input;                           ///< with the flow's defaults merged in
  std::string folder = {};              ///< the one that relative paths of its steps count from
  std::vector<Record> records = {};     ///< in their order
  std::vector<Progress> progress = {};  ///< what its steps last reported, by step
};

/// The fixture as JSON text, with a line for each record. Equal fixtures give equal bytes.
///
///     {"fixture": 1, "run": ID, "folder": PATH, "flow": {...}, "input": {...},
///      "records": [{"kind": "output", "step": ..., "attempt": ..., "end": ..., "body": {...}}],
///      "progress": [{"step": ..., "attempt": ..., "epoch": ..., "at_ms": ..., "body": {...}}]}
///
/// A record's members are those of `Record`, under their own names; what is empty or 0 is left out,
/// digests are 32 hexadecimal digits. A body, flow or input that does not come back byte for byte
/// as JSON stands as text instead; without progress the member is not there. Text stands under
/// `body_text`, `flow_text` or `input_text`.
///
/// It holds the run's data as they are, secrets among them: see `redacted`.
std::string fixture_text(const RunFixture& fixture);

/// Reads it back.
///
/// Errors: Errc::invalid_json (not JSON); Errc::invalid_argument with the JSON pointer in `where`:
///         a member that is missing, unknown or of another kind, an unknown word, a body that is
///         not what its digest says; Errc::newer_format; Errc::invalid_flow.
Result<RunFixture> parse_run_fixture(std::string_view text);

/// Reads a fixture from a file.
///
/// Errors: as `parse_run_fixture`, with the file's name before the pointer; Errc::io.
Result<RunFixture> load_run_fixture(const std::string& path);

/// The fixture with "[secret]" in the place of all that its flow marks secret: in its input, in
/// outputs, in what undos answered, in all that a step with a secret reported, in signals that
/// became such outputs, and where the flow itself has such values as they are. Digests are made
/// anew, so it is a fixture like any other. Error messages stay as they are, and so does what a
/// step copied to a place that is not marked.
///
/// Errors: Errc::invalid_argument when a step decided by a secret, or has a part of one, so that
///         the records would not follow any more; Errc::corrupt when they did not before.
Result<RunFixture> redacted(const RunFixture& fixture);

}  // namespace pawl
