#include "bench/flows.hpp"

#include "bench/die.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace pawl::bench {

namespace {

constexpr int join_width = 1000;  // no step waits for more than Limits::dependencies_max

Flow flow_of(const json& steps) {
  Result<Flow> flow = parse_flow(json{{"flow", "bench"}, {"steps", steps}}.dump());
  if (!flow) die(flow.error().text());
  return *flow;
}

}  // namespace

const json& step_output() {
  static const json output{{"text", std::string(80, 'x')}, {"n", 1}};
  return output;
}

std::string number(const char* prefix, int n) {
  char name[24];
  std::snprintf(name, sizeof name, "%s%06d", prefix, n);
  return name;
}

Flow chain(int steps) {
  json members = json::object();
  for (int i = 0; i < steps; ++i) {
    json& step = members[number("s", i)] = {{"run", "step"}};
    if (i > 0) step["after"] = {number("s", i - 1)};
  }
  return flow_of(members);
}

Flow chain_of_values(int steps) {
  json members = json::object();
  for (int i = 0; i < steps; ++i)
    members[number("s", i)] = {
        {"value",
         i == 0 ? json(step_output()) : json("{{steps." + number("s", i - 1) + ".output}}")}};
  return flow_of(members);
}

std::pair<Flow, int> fan(int steps) {
  json members = json::object();
  std::vector<std::string> names;
  for (int i = 0; i < steps; ++i) {
    names.push_back(number("s", i));
    members[names.back()] = {{"run", "step"}};
  }
  for (int joins = 0; joins == 0 || names.size() > 1;) {
    std::vector<std::string> joined;
    for (std::size_t at = 0; at < names.size(); at += join_width) {
      const auto first = names.begin() + static_cast<std::ptrdiff_t>(at);
      const auto last =
          names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), at + join_width));
      joined.push_back(number("join", joins++));
      members[joined.back()] = {{"run", "step"}, {"after", std::vector<std::string>(first, last)}};
    }
    names = std::move(joined);
  }
  return {flow_of(members), static_cast<int>(members.size())};
}

Engine open_engine(const std::string& path, StepBody::Function step) {
  Result<Engine> engine = Engine::open(path, Steps{{"step", std::move(step)}});
  if (!engine) die(engine.error().text());
  return std::move(*engine);
}

void run_all(Engine& engine, const Flow& flow, const char* prefix, int flows) {
  std::vector<Run> runs;
  for (int i = 0; i < flows; ++i) runs.push_back(engine.submit(flow, number(prefix, i)));
  for (const Run& run : runs)
    if (!run.wait().succeeded()) die("the run " + run.id() + " did not succeed");
}

}  // namespace pawl::bench
