// Flows that are JSON, said again member by member, are the same flows.
#include <pawl/flow_builder.hpp>

#include "support/catch.hpp"
#include "support/random_flow.hpp"
#include "support/rebuild.hpp"

using namespace pawl;

namespace {

/// Without the defaults that a RetryPolicy can't tell from what was not said.
json without_usual_retries(json flow) {
  for (json& step : flow["steps"]) {
    if (step.contains("child")) step["child"] = without_usual_retries(step["child"]);
    if (!step.contains("retry")) continue;
    if (step["retry"].value("max_attempts", 0) == 3) step["retry"].erase("max_attempts");
    if (step["retry"].empty()) step.erase("retry");
  }
  return flow;
}

}  // namespace

TEST_CASE("flow builder: any random flow that is said again is the same flow", "[runtime]") {
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const json flow = without_usual_retries(RandomFlow(seed).flow);
    CAPTURE(seed, flow.dump());
    const FlowBuilder builder = Rebuilder(flow).builder();
    REQUIRE(builder.document().dump() == flow.dump());
    const Result<Flow> built = builder.build();
    const Result<Flow> parsed = parse_flow(flow.dump());
    REQUIRE(built.has_value() == parsed.has_value());
    if (built)
      REQUIRE(built->digest() == parsed->digest());
    else
      REQUIRE(built.error().text() == parsed.error().text());
    refused += built ? 0 : 1;
  }
  CHECK(refused < 100);
}

TEST_CASE("flow builder: each example of a flow that is said again is the same flow", "[runtime]") {
  const auto* const name = GENERATE("agent", "approval", "fork_join", "hello", "import", "order",
                                    "poll", "release", "saga");
  const Flow read =
      load_flow(std::string(PAWL_SOURCES "/examples/flows/") + name + ".json").value();
  const FlowBuilder builder = Rebuilder(json::parse(read.canonical())).builder();
  CHECK(builder.build().value().canonical() == read.canonical());
}
