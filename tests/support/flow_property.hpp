// Properties of all flows, tried by rapidcheck: a flow that breaks one is made smaller before it is
// shown.
#pragma once

#include <pawl/flow.hpp>

#include "support/random_flow.hpp"

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <rapidcheck.h>
#include <string>
#include <vector>

namespace pawl {

inline void showValue(const RandomFlow& random, std::ostream& out) {
  out << "seed " << random.seed() << ", " << random.flow.dump();
}

/// The same flow without one of its steps, for each that can be left out.
inline rc::Seq<RandomFlow> smaller_flows(const RandomFlow& random) {
  std::vector<RandomFlow> smaller;
  for (const auto& [name, step] : random.flow["steps"].items()) {
    RandomFlow without = random;
    without.flow["steps"].erase(name);
    for (json& other : without.flow["steps"])
      for (const char* list : {"after", "when", "unless"})
        if (const auto found = other.find(list); found != other.end()) {
          json rest = json::array();
          for (const json& named : found->is_array() ? *found : json::array({*found}))
            if (named != name) rest.push_back(named);
          *found = std::move(rest);
        }
    if (parse_flow(without.flow.dump())) smaller.push_back(std::move(without));
  }
  return rc::seq::fromContainer(std::move(smaller));
}

/// Whether `trouble` has nothing to say about so many flows, the same in every run of a program
/// unless the environment variable RC_PARAMS says otherwise.
///
/// Given: `trouble`, which says what is wrong with a flow; empty if nothing is. The same whenever
/// it
///        is asked about one.
inline bool holds_for_flows(std::uint64_t count,
                            const std::function<std::string(const RandomFlow&)>& trouble) {
  ::setenv("RC_PARAMS", ("seed=20261124 max_success=" + std::to_string(count)).c_str(), 0);
  const auto seeds = rc::gen::noShrink(
      rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint64_t>(1, 1ULL << 40)));
  const auto flows =
      rc::gen::shrink(rc::gen::map(seeds, [](std::uint64_t seed) { return RandomFlow(seed); }),
                      [](const RandomFlow& random) { return smaller_flows(random); });
  return rc::check("all flows", [&] {
    const RandomFlow random = *flows;
    const std::string found = trouble(random);
    if (!found.empty()) RC_FAIL(found);
  });
}

}  // namespace pawl
