// Short ways to make writes.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/store.hpp>

#include "runtime/attempt.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

inline Write start_run(const std::string& run, const json& input = json::object(),
                       const std::string& type = "x") {
  const std::string text = R"({"flow": "f", "steps": {"a": {"run": ")" + type +
                           R"("}, "b": {"run": "x", "after": ["a"]}}})";
  const Flow flow = parse_flow(text).value();
  return StartRun{
      run,           flow.name(),  std::make_shared<const std::string>(flow.canonical()),
      flow.digest(), input.dump(), "/folder"};
}

inline Write append(RunKey run, Record record) {
  return AppendRecord{run, std::make_shared<Record>(std::move(record))};
}

inline Record output_record(const std::string& step, int attempt, const json& output) {
  Record record;
  record.kind = RecordKind::output;
  record.end = AttemptEnd::succeeded;
  record.step = step;
  record.attempt = attempt;
  record.body = output.dump();
  record.output_digest = digest_of(record.body);
  return record;
}

inline Record receipt_record(const std::string& step, int attempt, AttemptEnd end,
                             const std::string& message = "why") {
  Record record = conclude_unanswered(step, attempt, end);
  record.body = error_body(Errc::step_failed, message);
  return record;
}

inline Record run_record(RecordKind kind) {
  Record record;
  record.kind = kind;
  return record;
}

inline Record ended_record(RunState state = RunState::succeeded) {
  Record record = run_record(RecordKind::ended);
  record.body = to_json_value(Outcome{state, nullptr, std::nullopt}).dump();
  return record;
}

/// Writes one thing and gives its reply.
inline WriteReply put(Store& store, const Write& write, std::int64_t now_ms = 1000) {
  return store.write({&write}, now_ms).value().at(0);
}

}  // namespace pawl
