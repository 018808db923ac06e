#include "runtime/start_facts.hpp"

#include <pawl/json.hpp>

#include <utility>

namespace pawl {

std::string start_body(const StartFacts& facts) {
  if (!facts.parent) return {};
  const ParentStep& parent = *facts.parent;
  return json{{"parent", {{"depth", parent.depth}, {"run", parent.run}, {"step", parent.step}}}}
      .dump();
}

Result<StartFacts> start_facts_from(std::string_view body) {
  StartFacts facts;
  if (body.empty()) return facts;
  const json value = json::parse(body, nullptr, false);
  const auto unreadable = [] { return make_error(Errc::corrupt, "a run's start is not readable"); };
  if (!value.is_object()) return unreadable();
  const auto found = value.find("parent");
  if (found == value.end()) return facts;
  const bool fits = found->is_object() && found->value("run", json()).is_string() &&
                    found->value("step", json()).is_string() &&
                    found->value("depth", json()).is_number_integer();
  if (!fits) return unreadable();
  facts.parent = ParentStep{(*found)["run"].get<std::string>(), (*found)["step"].get<std::string>(),
                            (*found)["depth"].get<int>()};
  return facts;
}

std::string explain_parents(std::string_view stored, std::string_view later) {
  const Result<StartFacts> before = start_facts_from(stored);
  const Result<StartFacts> now = start_facts_from(later);
  if (!before) return before.error().message;
  if (!now) return now.error().message;
  if (before->parent == now->parent) return {};
  const auto told = [](const StartFacts& facts) {
    return facts.parent ? "step " + facts.parent->step + " of run " + facts.parent->run
                        : std::string("no child");
  };
  return "it was " + told(*before) + ", is now " + told(*now);
}

}  // namespace pawl
