// ./dev traces: one line per seed, the trace of its course. Run by two processes, or builds of two
// compilers, the lines must be the same.
#include <pawl/lab.hpp>

#include "lab/own_scenarios.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

int main(int argc, char** argv) {
  using namespace pawl;
  CLI::App app("Prints the traces of seeds");
  std::uint64_t seeds = 10'000;
  app.add_option("--seeds", seeds, "How many (default: 10000)");
  CLI11_PARSE(app, argc, argv);
  const auto scenarios = own_scenarios();
  lab::Options options;
  options.cancels = true;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const OwnScenario& own = scenarios[seed % scenarios.size()];
    const lab::Trace trace =
        lab::trace(own.scenario, lab::random_case(own.scenario, seed, options));
    std::cout << seed << ' ' << own.name << ' ' << trace.digest.hex() << ' ' << trace.events << ' '
              << trace.virtual_ms << '\n';
  }
}
