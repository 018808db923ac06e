#include <pawl/mock_steps.hpp>

#include "runtime/nearest_name.hpp"
#include "runtime/plan.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace pawl::lab {

namespace {

/// Puts text at `path` of `value`, and makes what is missing on the way.
void put_wanted(json& value, const std::vector<PathSegment>& path, const std::string& step) {
  json* at = &value;
  std::string place = step;
  for (const PathSegment& segment : path) {
    if (const auto* name = std::get_if<std::string>(&segment)) {
      if (!at->is_object()) *at = json::object();
      at = &(*at)[*name];
      place += "." + *name;
    } else {
      const std::size_t index = std::get<std::size_t>(segment);
      if (!at->is_array()) *at = json::array();
      while (at->size() <= index) at->push_back(nullptr);
      at = &(*at)[index];
      place += "[" + std::to_string(index) + "]";
    }
  }
  if (at->is_null()) *at = place;
}

/// By step: everything that templates want of its output.
std::map<std::string, std::vector<std::vector<PathSegment>>> wanted_paths(const Plan& plan) {
  std::map<std::string, std::vector<std::vector<PathSegment>>> wanted;
  const auto note = [&](const Template::Use& use) {
    if (use.reference.root == Reference::Root::step_output && !use.reference.path.empty())
      wanted[use.reference.step].push_back(use.reference.path);
  };
  for (const PlannedStep& step : plan.steps) {
    for (const Template::Use& use : step.with.uses()) note(use);
    step.body.each_use(note);
  }
  if (plan.output)
    for (const Template::Use& use : plan.output->uses()) note(use);
  return wanted;
}

struct Mock {
  std::string fails;
  std::string retries;
  int times = 0;
  std::unique_ptr<json> output;
};

Mock read_mock(const json& value) {
  Mock mock;
  if (value.is_object() && value.size() == 1 && value.contains("fail") && value["fail"].is_string())
    mock.fails = value["fail"].get<std::string>();
  else if (value.is_object() && value.contains("retry") && value["retry"].is_string()) {
    mock.retries = value["retry"].get<std::string>();
    mock.times = value.value("times", 1);
  } else {
    mock.output = std::make_unique<json>(value);
  }
  return mock;
}

}  // namespace

Result<Steps> mock_steps(const Flow& flow, const json& mocks) {
  if (!mocks.is_object())
    return make_error(Errc::invalid_argument,
                      "mocks are an object of outputs by step or step type");
  const Plan& plan = *flow.plan();
  std::set<std::string> types;
  std::vector<std::string_view> known;
  for (const PlannedStep& step : plan.steps) {
    if (step.kind == StepKind::task) types.insert(step.type);
    known.push_back(step.name.str());
  }
  for (const std::string& type : types) known.push_back(type);
  for (const auto& [name, value] : mocks.items())
    if (plan.index.count(name) == 0 && types.count(name) == 0)
      return make_error(
          Errc::invalid_argument,
          "the flow has no step and no step type \"" + name + "\"" + did_you_mean(name, known),
          name);
  const auto shared = std::make_shared<std::map<std::string, Mock>>();
  for (const auto& [name, value] : mocks.items()) shared->emplace(name, read_mock(value));
  const auto wanted =
      std::make_shared<const std::map<std::string, std::vector<std::vector<PathSegment>>>>(
          wanted_paths(plan));
  Steps steps;
  for (const std::string& type : types)
    steps.add(type, [type, shared, wanted](const StepCall& call) -> StepResult {
      auto mock = shared->find(call.step);
      if (mock == shared->end()) mock = shared->find(type);
      if (mock != shared->end()) {
        if (!mock->second.fails.empty()) return fail(mock->second.fails);
        if (call.attempt <= mock->second.times) return retry(mock->second.retries);
        if (mock->second.output) return done(*mock->second.output);
      }
      json output = call.with;
      if (const auto paths = wanted->find(call.step); paths != wanted->end())
        for (const auto& path : paths->second) put_wanted(output, path, call.step);
      return done(std::move(output));
    });
  return steps;
}

}  // namespace pawl::lab
