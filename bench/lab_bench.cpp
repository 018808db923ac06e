// How fast the lab is: simulated flows, crashes and virtual time per second, on one core.
#include <pawl/lab.hpp>

#include "bench/stopwatch.hpp"

#include <cstdio>
#include <string>

namespace {

using namespace pawl;
using bench::seconds_since;

lab::Scenario scenario(int runs) {
  const Flow flow = parse_flow(R"({"flow": "five", "steps": {
    "a": {"run": "flaky", "retry": {"initial_ms": 60000, "max_ms": 60000}},
    "b": {"run": "s", "after": ["a"]}, "c": {"run": "s", "after": ["a"]},
    "d": {"run": "s", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}},
    "e": {"run": "s", "with": {"d": "{{steps.d.output}}"}}}})")
                        .value();
  lab::Scenario made{flow, {}, [] {
                       return lab::Outside{[] {
                         return Steps{{"s", [](const StepCall& call) { return done(call.step); }},
                                      {"flaky", [](const StepCall& call) {
                                         return call.attempt < 3 ? retry("not yet") : done();
                                       }}};
                       }};
                     }};
  for (int i = 0; i < runs; ++i) made.runs.push_back({"r" + std::to_string(i)});
  return made;
}

void measure_flows(int runs) {
  const lab::Scenario made = scenario(runs);
  const auto began = bench::Clock::now();
  double virtual_s = 0;
  int worlds = 0;
  std::size_t events = 0;
  while (seconds_since(began) < 3) {
    lab::LabCase lab_case;
    lab_case.lives.resize(1);
    lab_case.lives[0].seed = static_cast<std::uint64_t>(++worlds);
    const lab::Trace trace = lab::trace(made, lab_case);
    virtual_s += static_cast<double>(trace.virtual_ms) / 1000;
    events += trace.events;
  }
  const double seconds = seconds_since(began);
  std::printf(
      "%d flow(s) of 5 steps, 2 retries, per world   %8.0f flows/s  %8.0f events/s  %8.0f virtual "
      "s per s\n",
      runs, worlds * runs / seconds, static_cast<double>(events) / seconds, virtual_s / seconds);
}

void measure_crashes(int depth) {
  lab::Options options;
  options.depth = depth;
  options.seconds_max = 10;
  const lab::Report report = lab::explore(scenario(1), options);
  std::printf("crashes in a row: %d   %8lld cases  %8.0f cases/s  %8.0f lives/s  %s\n", depth,
              static_cast<long long>(report.cases),
              static_cast<double>(report.cases) / report.seconds,
              static_cast<double>(report.lives) / report.seconds,
              report.holds() ? "no violation" : "VIOLATION");
}

}  // namespace

int main() {
  measure_flows(1);
  measure_flows(10);
  measure_crashes(1);
  measure_crashes(2);
}
