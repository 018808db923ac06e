// What a flow comes to, told by the language's rules alone: no plan, no machine, no store, no time.
// It shares JSON with the product, and nothing else.
#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace pawl {

/// What a task comes to after all of its attempts: an output, or if it fails for good an error.
struct TaskEnd {
  std::optional<nlohmann::json> output;
  nlohmann::json error;
};

/// Given: a step's name, or an element's: `NAME[2]`; in a child behind the part of its run's id
/// that children add: `.NAME.2/STEP`.
using TaskOutcome = std::function<TaskEnd(const std::string& step)>;

class Interpreter {
 public:
  using json = nlohmann::json;

  enum class End { succeeded, failed, excluded, not_reached };

  /// Given: `signals`, the payload that comes for each signal's name, if any.
  Interpreter(const json& flow, json input, TaskOutcome outcome,
              std::map<std::string, json> signals, std::string below = "")
      : flow_(flow),
        below_(std::move(below)),
        input_(flow.value("input", json::object())),
        outcome_(std::move(outcome)),
        signals_(std::move(signals)) {
    input_.update(input);
    while (settle_one()) {
    }
    for (const auto& [name, step] : flow_["steps"].items())
      if (ends_.count(name) == 0) ends_[name] = End::not_reached;
  }

  const std::map<std::string, End>& ends() const { return ends_; }

  const std::map<std::string, json>& outputs() const { return outputs_; }

  /// The steps of which any may be the one that the run fails by.
  std::set<std::string> failing() const {
    std::set<std::string> names;
    for (const auto& [name, end] : ends_)
      if (end == End::failed) names.insert(name);
    return names;
  }

  /// The run's output, if it succeeds.
  json output() const {
    if (flow_.contains("output")) return *fill(flow_["output"], nullptr, false);
    std::set<std::string> waited_for;
    for (const auto& [name, step] : flow_["steps"].items())
      for (const auto& [need, firm] : needs(step)) waited_for.insert(need);
    json last = json::object();
    for (const auto& [name, output] : outputs_)
      if (waited_for.count(name) == 0) last[name] = output;
    return last;
  }

 private:
  // Thrown by what cannot be computed.
  struct Impossible {};

  bool settle_one() {
    for (const auto& [name, step] : flow_["steps"].items())
      if (ends_.count(name) == 0 && is_ready(step)) {
        settle(name, step);
        return true;
      }
    return false;
  }

  bool is_ready(const json& step) const {
    for (const auto& [need, firm] : needs(step)) {
      const auto end = ends_.find(need);
      if (end == ends_.end() || end->second == End::failed) return false;
    }
    return true;
  }

  void settle(const std::string& name, const json& step) {
    if (is_excluded(step)) {
      ends_[name] = End::excluded;
      return;
    }
    std::optional<json> output;
    try {
      output = perform(name, step);
    } catch (const Impossible&) {
    }
    ends_[name] = output ? End::succeeded : End::failed;
    if (output) outputs_[name] = *output;
  }

  std::optional<json> perform(const std::string& name, const json& step) {
    if (step.contains("fail")) return std::nullopt;
    if (step.contains("map")) return perform_each(name, step);
    if (step.contains("run") || step.contains("child")) {
      std::optional<json> output;
      const auto with = fill(step.value("with", json::object()), nullptr, true);
      if (with) output = outcome_of(step, name, name, *with).output;
      if (output || !step.contains("default")) return output;
      return compute(step["default"], nullptr);
    }
    if (step.contains("if")) return json(decide(step["if"], nullptr));
    if (step.contains("value")) return compute(step["value"], nullptr);
    if (step.contains("sleep_ms")) {
      const json time = compute(step["sleep_ms"], nullptr);
      if (!time.is_number_integer() || time < 0) return std::nullopt;
      return json(nullptr);
    }
    const auto signal = signals_.find(step["await"].get<std::string>());
    if (signal != signals_.end()) return signal->second;
    if (!step.contains("default")) return std::nullopt;
    return compute(step["default"], nullptr);
  }

  /// Given: `run`, what the step's name adds to a child's id.
  TaskEnd outcome_of(const json& step, const std::string& part, const std::string& run,
                     const json& with) const {
    if (!step.contains("child")) return outcome_(below_.empty() ? part : below_ + "/" + part);
    const Interpreter child(step["child"], with, outcome_, {}, below_ + "." + run);
    if (child.failing().empty()) return {child.output(), nullptr};
    return {std::nullopt, "a child's error at " + below_ + part};
  }

  /// A failed element fails the step, unless errors are collected or it has a default.
  std::optional<json> perform_each(const std::string& name, const json& step) {
    const json items = compute(step["map"], nullptr);
    if (!items.is_array()) return std::nullopt;
    const bool collect = step.contains("on_error") && step["on_error"] == "collect";
    json all = json::array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto with = fill(step.value("with", json::object()), &items[i], true);
      const std::string part = name + "[" + std::to_string(i) + "]";
      const TaskEnd end = outcome_of(step, part, name + "." + std::to_string(i), *with);
      if (collect)
        all.push_back(end.output ? json{{"output", *end.output}} : json{{"error", end.error}});
      else if (end.output)
        all.push_back(*end.output);
      else if (step.contains("default"))
        all.push_back(compute(step["default"], &items[i]));
      else
        return std::nullopt;
    }
    return all;
  }

  /// Every step that this one waits for, and whether it can do without its output.
  std::map<std::string, bool> needs(const json& step) const {
    std::map<std::string, bool> all;
    for (const json& name : step.value("after", json::array())) all[name.get<std::string>()];
    for (const char* guard : {"when", "unless"})
      for (const std::string& name : guards(step, guard)) all[name] = true;
    for (const char* member :
         {"with", "one_at_a_time", "if", "value", "sleep_ms", "default", "map", "fail"})
      if (step.contains(member)) find_references(step[member], member == std::string("if"), all);
    return all;
  }

  static std::vector<std::string> guards(const json& step, const char* guard) {
    if (!step.contains(guard)) return {};
    if (step[guard].is_string()) return {step[guard].get<std::string>()};
    return step[guard].get<std::vector<std::string>>();
  }

  static void find_references(const json& value, bool is_condition,
                              std::map<std::string, bool>& all, bool in_exists = false) {
    if (value.is_string()) {
      static const std::regex reference(R"(\{\{steps\.(\w+)\.output[^}?]*(\??)\}\})");
      const auto text = value.get<std::string>();
      for (std::sregex_iterator at(text.begin(), text.end(), reference), end; at != end; ++at)
        all[(*at)[1]] = all[(*at)[1]] || ((*at)[2].length() == 0 && !in_exists);
    } else if (value.is_structured()) {
      for (const auto& [key, element] : value.items())
        find_references(element, is_condition, all,
                        in_exists || (value.is_object() && key == "exists" && is_condition));
    }
  }

  bool is_excluded(const json& step) const {
    const auto excluded = [this](const std::string& name) {
      return ends_.at(name) == End::excluded;
    };
    const auto all = needs(step);
    std::size_t out = 0;
    for (const auto& [name, firm] : all) {
      if (excluded(name) && firm) return true;
      out += excluded(name) ? 1 : 0;
    }
    for (const std::string& branch : guards(step, "when"))
      if (outputs_.at(branch) != true) return true;
    for (const std::string& branch : guards(step, "unless"))
      if (outputs_.at(branch) != false) return true;
    return !all.empty() && out == all.size();
  }

  // --- values

  json compute(const json& value, const json* item) const {
    if (value.is_object() && value.size() == 1 && value.begin().key()[0] == '$')
      return operate(value.begin().key(), value.begin().value(), item);
    if (value.is_array()) {
      json made = json::array();
      for (const json& element : value) made.push_back(compute(element, item));
      return made;
    }
    if (value.is_object()) {
      json made = json::object();
      for (const auto& [key, member] : value.items()) made[key] = compute(member, item);
      return made;
    }
    const auto filled = fill(value, item, true);
    if (!filled) throw Impossible{};
    return *filled;
  }

  json operate(const std::string& op, const json& operand, const json* item) const {
    if (op == "$map" || op == "$filter") {
      const json over = compute(operand["over"], item);
      if (!over.is_array()) throw Impossible{};
      json made = json::array();
      for (const json& element : over) {
        if (op == "$map")
          made.push_back(compute(operand["to"], &element));
        else if (decide(operand["where"], &element))
          made.push_back(element);
      }
      return made;
    }
    if (op == "$length") {
      const json of = compute(operand, item);
      if (of.is_string()) return of.get<std::string>().size();  // ASCII in these flows
      if (!of.is_structured()) throw Impossible{};
      return of.size();
    }
    const json a = compute(operand[0], item);
    const json b = compute(operand[1], item);
    if (!a.is_number_integer() || !b.is_number_integer()) throw Impossible{};
    const auto x = a.get<std::int64_t>();
    const auto y = b.get<std::int64_t>();
    if (op == "$add") return x + y;
    if (op == "$multiply") return x * y;
    if (y == 0) throw Impossible{};
    return x / y;
  }

  bool decide(const json& condition, const json* item) const {
    const std::string& name = condition.begin().key();
    const json& operand = condition.begin().value();
    if (name == "not") return !decide(operand, item);
    if (name == "all" || name == "any") {
      for (const json& one : operand)
        if (decide(one, item) == (name == "any")) return name == "any";
      return name == "all";
    }
    if (name == "exists") {
      const auto found = fill(operand, item, true, true);
      return found && !found->is_null();
    }
    const json a = compute(operand[0], item);
    const json b = compute(operand[1], item);
    if (name == "equals") return a == b;
    const bool comparable = (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
    if (!comparable) throw Impossible{};
    return a < b;
  }

  /// Replaces references; nothing if one that must not names nothing. Every string of these flows
  /// is one reference or none.
  std::optional<json> fill(const json& value, const json* item, bool, bool lenient = false) const {
    if (value.is_structured()) {
      json made = value;
      for (auto element = made.begin(); element != made.end(); ++element) {
        const auto filled = fill(*element, item, true, lenient);
        if (!filled) return std::nullopt;
        *element = *filled;
      }
      return made;
    }
    if (!value.is_string()) return value;
    auto text = value.get<std::string>();
    if (text.substr(0, 2) != "{{") return value;
    text = text.substr(2, text.size() - 4);
    const bool optional = text.back() == '?' || lenient;
    if (text.back() == '?') text.pop_back();
    std::vector<std::string> path;
    for (std::size_t from = 0; from <= text.size();) {
      const auto dot = std::min(text.find('.', from), text.size());
      path.push_back(text.substr(from, dot - from));
      from = dot + 1;
    }
    const json* at = nullptr;
    std::size_t used = 1;
    if (path[0] == "input") at = &input_;
    if (path[0] == "item") at = item;
    if (path[0] == "steps") {
      const auto output = outputs_.find(path[1]);
      at = output == outputs_.end() ? nullptr : &output->second;
      used = 3;
    }
    for (std::size_t i = used; at != nullptr && i < path.size(); ++i)
      at = at->is_object() && at->contains(path[i]) ? &(*at)[path[i]] : nullptr;
    if (at != nullptr) return *at;
    if (optional) return json(nullptr);
    return std::nullopt;
  }

  json flow_;
  std::string below_;
  json input_;
  TaskOutcome outcome_;
  std::map<std::string, json> signals_;
  std::map<std::string, End> ends_;
  std::map<std::string, json> outputs_;
};

}  // namespace pawl
