#include "runtime/replayed.hpp"

namespace pawl {

Result<FlowMachine> replayed(const Flow& flow, const std::string& run, const json& input,
                             const std::vector<Record>& records) {
  FlowMachine machine(flow.plan(), RunId::trusted(run), input);
  for (const Record& record : records)
    if (Result<Commands> applied = machine.apply(Recorded{record}); !applied) {
      Error error = applied.error();
      error.where = run;
      return error;
    }
  return machine;
}

Result<FlowMachine> replayed(const RunFixture& run) {
  return replayed(run.flow, run.run, run.input, run.records);
}

}  // namespace pawl
