// Text to a flow: parsing, validation and planning. What is accepted is the same flow when its
// canonical text is read, and can be drawn, asked for its input and started.
#include <pawl/flow.hpp>
#include <pawl/json.hpp>

#include "fuzz/fuzz.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/plan.hpp"

using namespace pawl;
using fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Flow> flow = parse_flow(text);
  if (!flow) {
    demand(is_utf8(flow.error().text()), "a refusal is UTF-8 whatever was refused");
    for (const Problem& problem : flow.error().problems)
      demand(!problem.code.empty() && !problem.message.empty(), "a problem has a name and words");
    return 0;
  }
  const Result<Flow> again = parse_flow(flow->canonical());
  demand(again.has_value(), "a flow's canonical text is a flow");
  demand(again->digest() == flow->digest() && again->canonical() == flow->canonical(),
         "and the same one");
  demand(!graph_dot(*flow).empty() && !graph_mermaid(*flow).empty(), "every flow can be drawn");
  FlowMachine machine(flow->plan(), RunId::trusted("r"), flow->plan()->input_defaults);
  Record started;
  demand(machine.apply(Recorded{started}).has_value(), "every flow can be started");
  demand(machine.apply(Resumed{}).has_value(), "and asked what to do");
  return 0;
}
