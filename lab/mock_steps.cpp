#include <pawl/mock_steps.hpp>

#include "runtime/nearest_name.hpp"
#include "runtime/part_name.hpp"
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

using Paths = std::vector<std::vector<PathSegment>>;

/// What templates want of a step's output.
struct Wanted {
  Paths paths;
  std::vector<std::pair<std::vector<PathSegment>, Paths>>
      arrays;  // to map over: where, and what is wanted of each element
};

using WantedOutputs = std::map<std::string, Wanted>;

/// What a parent wants of a child, whose output is that of its last steps.
void note_wanted_of_child(const Plan& child, const Wanted& of_child, WantedOutputs& wanted) {
  if (child.output) return;  // the flow says what it is
  for (const auto& path : of_child.paths)
    if (const auto* step = std::get_if<std::string>(&path.front());
        step != nullptr && path.size() > 1)
      wanted[*step].paths.emplace_back(path.begin() + 1, path.end());
}

/// Adds what is wanted, by step; steps of children stand among the others.
void note_wanted(const Plan& plan, WantedOutputs& all) {
  WantedOutputs wanted;
  for (const PlannedStep& step : plan.steps) {
    Paths of_items;
    if (step.each)
      each_use(*step.each, [&](const Template::Use& use) {
        if (use.reference.root == Reference::Root::item && !use.reference.path.empty())
          of_items.push_back(use.reference.path);
      });
    const auto note = [&](const Template::Use& use) {
      const Reference& reference = use.reference;
      if (reference.root == Reference::Root::output && !reference.path.empty())
        wanted[step.name.str()].paths.push_back(reference.path);
      if (reference.root != Reference::Root::step_output) return;
      const bool is_array = use.pointer == pointer_to("/steps", step.name.str()) + "/map";
      if (is_array)
        wanted[reference.step].arrays.emplace_back(reference.path, of_items);
      else if (!reference.path.empty())
        wanted[reference.step].paths.push_back(reference.path);
    };
    each_use(step, note);
  }
  if (plan.output)
    for (const Template::Use& use : plan.output->uses())
      if (use.reference.root == Reference::Root::step_output && !use.reference.path.empty())
        wanted[use.reference.step].paths.push_back(use.reference.path);
  // A map's output is an array of what its elements give: they are what is wanted.
  for (const PlannedStep& step : plan.steps) {
    const auto found = wanted.find(step.name.str());
    if (step.kind != StepKind::map || found == wanted.end()) continue;
    for (auto& path : found->second.paths)
      if (std::holds_alternative<std::size_t>(path.front())) path.erase(path.begin());
    for (const auto& [path, of_items] : found->second.arrays)
      found->second.paths.insert(found->second.paths.end(), of_items.begin(), of_items.end());
    found->second.arrays.clear();
  }
  for (const PlannedStep& step : plan.steps) {
    const PlannedStep& work = work_of(step);
    if (!work.child) continue;
    if (const auto of_child = wanted.find(step.name.str()); of_child != wanted.end())
      note_wanted_of_child(*work.child, Wanted(of_child->second), wanted);
    note_wanted(*work.child, wanted);
  }
  for (auto& [step, what] : wanted) {
    Wanted& into = all[step];
    into.paths.insert(into.paths.end(), what.paths.begin(), what.paths.end());
    into.arrays.insert(into.arrays.end(), what.arrays.begin(), what.arrays.end());
  }
}

/// The types of all steps, and the names.
void note_names(const Plan& plan, std::set<std::string>& types, std::set<std::string>& names) {
  for (const PlannedStep& step : plan.steps) {
    const PlannedStep& work = work_of(step);
    if (!step.type.empty()) types.insert(step.type);
    if (work.undo) types.insert(work.undo->type);
    if (work.child) note_names(*work.child, types, names);
    names.insert(step.name.str());
  }
}

/// An array of three for a map to go over.
json wanted_array(const Paths& of_items, const std::string& step) {
  json array = json::array();
  for (int i = 0; i < 3; ++i) {
    const std::string place = step + "[" + std::to_string(i) + "]";
    json item = of_items.empty() ? json(place) : json::object();
    for (const auto& path : of_items) put_wanted(item, path, place);
    array.push_back(std::move(item));
  }
  return array;
}

void put_array(json& value, const std::vector<PathSegment>& path, json array) {
  if (path.empty()) {
    value = std::move(array);
    return;
  }
  put_wanted(value, path, "");
  json* at = &value;
  for (const PathSegment& segment : path)
    at = std::holds_alternative<std::string>(segment) ? &(*at)[std::get<std::string>(segment)]
                                                      : &(*at)[std::get<std::size_t>(segment)];
  *at = std::move(array);
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
  std::set<std::string> types;
  std::set<std::string> names;
  note_names(*flow.plan(), types, names);
  std::vector<std::string_view> known(names.begin(), names.end());
  known.insert(known.end(), types.begin(), types.end());
  for (const auto& [name, value] : mocks.items())
    if (names.count(name) == 0 && types.count(name) == 0)
      return make_error(
          Errc::invalid_argument,
          "the flow has no step and no step type \"" + name + "\"" + did_you_mean(name, known),
          name);
  const auto shared = std::make_shared<std::map<std::string, Mock>>();
  for (const auto& [name, value] : mocks.items()) shared->emplace(name, read_mock(value));
  const auto wanted = std::make_shared<WantedOutputs>();
  note_wanted(*flow.plan(), *wanted);
  Steps steps;
  for (const std::string& type : types)
    steps.add(type, [type, shared, wanted](const StepCall& call) -> StepResult {
      const PartName name = part_name_from(call.step);
      auto mock = name.undo ? shared->end() : shared->find(name.step);
      if (mock == shared->end()) mock = shared->find(type);
      if (mock != shared->end()) {
        if (!mock->second.fails.empty()) return fail(mock->second.fails);
        if (call.attempt <= mock->second.times) return retry(mock->second.retries);
        if (mock->second.output) return done(*mock->second.output);
      }
      json output = call.with;
      if (const auto of_step = wanted->find(name.step); of_step != wanted->end() && !name.undo) {
        for (const auto& path : of_step->second.paths) put_wanted(output, path, call.step);
        for (const auto& [path, of_items] : of_step->second.arrays)
          put_array(output, path, wanted_array(of_items, call.step));
      }
      return done(std::move(output));
    });
  return steps;
}

}  // namespace pawl::lab
