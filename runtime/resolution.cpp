#include <pawl/flow.hpp>
#include <pawl/limits.hpp>
#include <pawl/resolution.hpp>

#include "runtime/replayed.hpp"

#include <memory>
#include <utility>

namespace pawl {

Result<Record> resolution_record(const Resolution& resolution) {
  Result<std::string> body = canonical_json(resolution.output, Limits::output_bytes_max);
  if (!body)
    return make_error(body.error().code, "the step's output: " + body.error().message,
                      resolution.step);
  Record record;
  record.kind = RecordKind::output;
  record.end = AttemptEnd::succeeded;
  record.step = resolution.step;
  record.body = std::move(*body);
  record.output_digest = digest_of(record.body);
  record.value = std::make_shared<const json>(resolution.output);
  return record;
}

Result<void> check_resolvable(const Flow& flow, const std::string& run, const json& input,
                              const std::vector<Record>& records, const std::string& step) {
  const Result<FlowMachine> machine = replayed(flow, run, input, records);
  if (!machine) return machine.error();
  return machine->check_resolvable(step);
}

Result<std::vector<Record>> unblocking_records(const Flow& flow, const std::string& run,
                                               const json& input,
                                               const std::vector<Record>& records) {
  const Result<FlowMachine> machine = replayed(flow, run, input, records);
  if (!machine) return machine.error();
  return machine->unblocking();
}

Result<std::vector<Record>> unpausing_records(const Flow& flow, const std::string& run,
                                              const json& input,
                                              const std::vector<Record>& records) {
  const Result<FlowMachine> machine = replayed(flow, run, input, records);
  if (!machine) return machine.error();
  return machine->unpausing();
}

}  // namespace pawl
