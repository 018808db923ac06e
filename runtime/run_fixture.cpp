#include <pawl/ids.hpp>
#include <pawl/limits.hpp>
#include <pawl/run_fixture.hpp>

#include "runtime/mutant.hpp"
#include "runtime/nearest_name.hpp"
#include "runtime/text_file.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace pawl {

namespace {

constexpr int fixture_version = 1;

/// A run may have many outputs, each as large as an output may be.
constexpr std::size_t fixture_bytes_max = 1u << 30;

/// Levels of the fixture around a body.
constexpr std::size_t levels_around = 3;

// --- writing

std::size_t depth_of(const json& value) {
  std::size_t depth = 0;
  if (value.is_structured())
    for (const json& element : value) depth = std::max(depth, depth_of(element));
  return value.is_structured() ? depth + 1 : 0;
}

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

/// `"NAME": VALUE`, or `"NAME_text": "..."` for text that would come back as other bytes.
///
/// Given: `indent`, as in `json::dump`.
std::string json_member(const std::string& name, const std::string& text, int indent = -1) {
  const Result<json> value = parse_json(text, fixture_bytes_max);
  const bool comes_back = value && depth_of(*value) + levels_around <= Limits::json_depth_max &&
                          (value->dump() == text || mutant("input_fixture_text_as_json"));
  if (!comes_back) return quoted(name + "_text") + ": " + quoted(text);
  std::string shown = indent < 0 ? text : value->dump(indent);
  // Lines end between members only: within strings they are escaped.
  for (auto at = shown.find('\n'); at != std::string::npos; at = shown.find('\n', at + 1))
    shown.insert(at + 1, "  ");
  return quoted(name) + ": " + shown;
}

/// A record's members, in the order in which a person reads them.
class RecordLine {
 public:
  void text(const char* name, const std::string& value) {
    if (!value.empty()) add(quoted(name) + ": " + quoted(value));
  }

  void number(const char* name, std::int64_t value) {
    if (value != 0) add(quoted(name) + ": " + std::to_string(value));
  }

  void digest(const char* name, const Digest& value) {
    if (value != Digest{}) text(name, value.hex());
  }

  void add(const std::string& member) { line_ += (line_.empty() ? "{" : ", ") + member; }

  std::string take() { return std::move(line_) + "}"; }

 private:
  std::string line_;
};

std::string line_of(const Record& record) {
  RecordLine line;
  line.number("seq", record.seq);
  line.text("kind", std::string(to_string(record.kind)));
  line.text("step", record.step);
  line.number("attempt", record.attempt);
  if (record.end != AttemptEnd::none) line.text("end", std::string(to_string(record.end)));
  line.number("epoch", record.epoch);
  line.number("at_ms", record.at_ms);
  line.number("started_ms", record.started_ms);
  line.number("duration_ms", record.duration_ms);
  line.number("due_ms", record.due_ms);
  line.digest("input_digest", record.input_digest);
  line.digest("output_digest", record.output_digest);
  if (!record.body.empty()) line.add(json_member("body", record.body));
  return line.take();
}

std::string line_of(const Progress& progress) {
  RecordLine line;
  line.text("step", progress.step);
  line.number("attempt", progress.attempt);
  line.number("epoch", progress.epoch);
  line.number("at_ms", progress.at_ms);
  line.add(json_member("body", progress.body));
  return line.take();
}

// --- reading

/// An object of the fixture while its members are read. The first complaint stands.
class Members {
 public:
  Members(const json& object, std::string pointer) : object_(object), pointer_(std::move(pointer)) {
    if (!object.is_object())
      complain("", std::string("expected an object, found ") + object.type_name());
  }

  const json* find(const char* name) {
    known_.emplace_back(name);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  const json* require(const char* name) {
    const json* found = find(name);
    if (found == nullptr) complain(name, "this member is missing");
    return found;
  }

  std::string text(const char* name, bool required = false) {
    const json* found = required ? require(name) : find(name);
    if (found == nullptr) return {};
    if (required && found->is_string() && found->get_ref<const std::string&>().empty())
      complain(name, "this member is empty");
    if (found->is_string()) return found->get<std::string>();
    complain(name, std::string("expected a string, found ") + found->type_name());
    return {};
  }

  std::int64_t number(const char* name, std::int64_t max) {
    const json* found = find(name);
    if (found == nullptr) return 0;
    const bool is_whole = found->is_number_integer();
    const bool fits = is_whole && *found >= 0 && *found <= max;
    if (!fits) complain(name, "expected a whole number from 0 to " + std::to_string(max));
    return fits ? found->get<std::int64_t>() : 0;
  }

  Digest digest(const char* name) {
    const std::string hex = text(name);
    if (hex.empty()) return {};
    const std::optional<Digest> digest = digest_from_hex(hex);
    if (!digest) complain(name, "expected a digest: 32 of the digits 0 to 9 and a to f");
    return digest.value_or(Digest{});
  }

  /// What `json_member` wrote: canonical text; nothing if it is not there.
  std::optional<std::string> json_text(const std::string& name, bool required) {
    const std::string as_text = name + "_text";
    if (const json* found = find(as_text.c_str()); found != nullptr) {
      find(name.c_str());
      return text(as_text.c_str(), required);
    }
    const json* found = required ? require(name.c_str()) : find(name.c_str());
    if (found == nullptr) return std::nullopt;
    return found->dump();
  }

  void complain(const std::string& name, std::string message) {
    if (!error_)
      error_ = make_error(Errc::invalid_argument, "the fixture: " + std::move(message),
                          name.empty() ? pointer_ : pointer_to(pointer_, name));
  }

  /// The first complaint; a member that nobody asked for is one too.
  std::optional<Error> finish() {
    if (object_.is_object())
      for (const auto& [name, value] : object_.items())
        if (std::find(known_.begin(), known_.end(), name) == known_.end())
          complain(name,
                   "no such member here" + did_you_mean(name, {known_.begin(), known_.end()}));
    return error_;
  }

 private:
  const json& object_;
  std::string pointer_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

std::optional<RecordKind> kind_from(std::string_view word) {
  for (int i = 0; i <= std::numeric_limits<std::uint8_t>::max(); ++i)
    if (is_record_kind(i) && to_string(static_cast<RecordKind>(i)) == word)
      return static_cast<RecordKind>(i);
  return std::nullopt;
}

std::optional<AttemptEnd> end_from(std::string_view word) {
  for (int i = 0; i <= std::numeric_limits<std::uint8_t>::max(); ++i)
    if (is_attempt_end(i) && to_string(static_cast<AttemptEnd>(i)) == word)
      return static_cast<AttemptEnd>(i);
  return std::nullopt;
}

bool is_about_step(RecordKind kind) {
  return kind == RecordKind::opened || kind == RecordKind::output || kind == RecordKind::receipt ||
         kind == RecordKind::signal;
}

bool has_body(RecordKind kind) {
  return kind == RecordKind::output || kind == RecordKind::signal || kind == RecordKind::undoing ||
         kind == RecordKind::ended;
}

Result<Record> record_from(const json& value, std::size_t index) {
  constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
  Members members(value, pointer_to("/records", std::to_string(index)));
  Record record;
  const std::string kind = members.text("kind", true);
  if (const auto known = kind_from(kind))
    record.kind = *known;
  else
    members.complain("kind", "\"" + printable_text(kind, 80) + "\" is no kind of a record");
  record.step = members.text("step", is_about_step(record.kind));
  const std::string end = members.text("end", record.kind == RecordKind::receipt);
  if (const auto known = end_from(end.empty() ? "none" : end))
    record.end = *known;
  else
    members.complain("end", "no attempt ends as \"" + printable_text(end, 80) + "\"");
  if (record.kind == RecordKind::receipt && record.end == AttemptEnd::none)
    members.complain("end", "a receipt says how its attempt ended");
  record.attempt =
      static_cast<int>(members.number("attempt", std::numeric_limits<std::int32_t>::max()));
  record.seq = members.number("seq", any);
  if (record.seq == 0) record.seq = static_cast<std::int64_t>(index) + 1;
  record.epoch = members.number("epoch", any);
  record.at_ms = members.number("at_ms", any);
  record.started_ms = members.number("started_ms", any);
  record.duration_ms = members.number("duration_ms", any);
  record.due_ms = members.number("due_ms", any);
  record.input_digest = members.digest("input_digest");
  record.output_digest = members.digest("output_digest");
  record.body = members.json_text("body", has_body(record.kind)).value_or(std::string());
  if (record.kind == RecordKind::output) {
    const Digest digest = digest_of(record.body);
    if (record.output_digest != Digest{} && record.output_digest != digest)
      members.complain("output_digest",
                       "the body is another one, with the digest " + digest.hex() +
                           "; leave this member out to have it made from the body");
    record.output_digest = digest;
  }
  if (std::optional<Error> error = members.finish()) return std::move(*error);
  return record;
}

Result<Progress> progress_from(const json& value, std::size_t index) {
  constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
  Members members(value, pointer_to("/progress", std::to_string(index)));
  Progress progress;
  progress.step = members.text("step", true);
  progress.attempt =
      static_cast<int>(members.number("attempt", std::numeric_limits<std::int32_t>::max()));
  progress.epoch = members.number("epoch", any);
  progress.at_ms = members.number("at_ms", any);
  progress.body = members.json_text("body", true).value_or(std::string());
  if (std::optional<Error> error = members.finish()) return std::move(*error);
  return progress;
}

Error below(Error error, const std::string& pointer) {
  error.where = pointer + error.where;
  return error;
}

}  // namespace

std::string fixture_text(const RunFixture& fixture) {
  std::string text = "{\n  \"fixture\": " + std::to_string(fixture_version);
  text += ",\n  \"run\": " + quoted(fixture.run);
  if (!fixture.folder.empty()) text += ",\n  \"folder\": " + quoted(fixture.folder);
  text += ",\n  " + json_member("flow", fixture.flow.canonical(), 2);
  text += ",\n  " + json_member("input", fixture.input.dump(), 2);
  text += ",\n  \"records\": [";
  for (const Record& record : fixture.records)
    text += (&record == &fixture.records.front() ? "\n    " : ",\n    ") + line_of(record);
  text += "\n  ]";
  if (!fixture.progress.empty()) text += ",\n  \"progress\": [";
  for (const Progress& progress : fixture.progress)
    text += (&progress == &fixture.progress.front() ? "\n    " : ",\n    ") + line_of(progress);
  return text + (fixture.progress.empty() ? "" : "\n  ]") + "\n}\n";
}

Result<RunFixture> parse_run_fixture(std::string_view text) {
  const Result<json> document = parse_json(text, fixture_bytes_max);
  if (!document) {
    Error error = document.error();
    error.message = "the fixture: " + error.message;
    return error;
  }
  Members members(*document, "");
  const json* const version = members.require("fixture");
  if (version != nullptr && version->is_number_integer() && *version > fixture_version)
    return make_error(Errc::newer_format,
                      "the fixture has version " + version->dump() + "; this pawl reads " +
                          std::to_string(fixture_version) + ": use a newer pawl",
                      "/fixture");
  if (version != nullptr && *version != fixture_version)
    members.complain("fixture", "expected the version " + std::to_string(fixture_version) +
                                    ", found " + printable_text(version->dump(), 80));
  const std::string run = members.text("run", true);
  if (const Result<RunId> id = RunId::parse(run); !id) members.complain("run", id.error().message);
  const std::string folder = members.text("folder");
  const std::optional<std::string> flow_text = members.json_text("flow", true);
  const std::optional<std::string> input_text = members.json_text("input", true);
  const json* const records = members.require("records");
  if (records != nullptr && !records->is_array())
    members.complain("records", std::string("expected an array, found ") + records->type_name());
  const json* const progress = members.find("progress");
  if (progress != nullptr && !progress->is_array())
    members.complain("progress", std::string("expected an array, found ") + progress->type_name());
  if (std::optional<Error> error = members.finish()) return std::move(*error);

  Result<Flow> flow = parse_flow(*flow_text);
  if (!flow) return below(flow.error(), "/flow");
  Result<json> input = parse_json(*input_text, Limits::input_bytes_max);
  if (!input) return below(input.error(), "/input");
  if (!input->is_object())
    return make_error(Errc::invalid_argument,
                      std::string("the fixture: expected an object, found ") + input->type_name(),
                      "/input");
  RunFixture fixture{std::move(*flow), run, std::move(*input), folder, {}, {}};
  for (std::size_t i = 0; i < records->size(); ++i) {
    Result<Record> record = record_from((*records)[i], i);
    if (!record) return record.error();
    fixture.records.push_back(std::move(*record));
  }
  for (std::size_t i = 0; progress != nullptr && i < progress->size(); ++i) {
    Result<Progress> report = progress_from((*progress)[i], i);
    if (!report) return report.error();
    fixture.progress.push_back(std::move(*report));
  }
  return fixture;
}

Result<RunFixture> load_run_fixture(const std::string& path) {
  const std::optional<std::string> text = read_text_file(path, fixture_bytes_max);
  if (!text) return make_error(Errc::io, "the fixture's file cannot be read", path);
  Result<RunFixture> fixture = parse_run_fixture(*text);
  if (fixture) return fixture;
  return below(fixture.error(), fixture.error().where.empty() ? path : path + ": ");
}

}  // namespace pawl
