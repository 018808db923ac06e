// Random flows, with what their tasks answer and which signals come.
#pragma once

#include <pawl/signal.hpp>
#include <pawl/step.hpp>

#include "lab/chance.hpp"
#include "support/interpreter.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// The same without what children say of their failures: which of their steps was first is open.
inline json without_child_errors(json value) {
  if (value.is_object() && value.size() == 1 && value.contains("error")) {
    const json& error = value["error"];
    const bool of_child = error.is_string() ? error.get<std::string>().find("a child") == 0
                                            : error.is_object() && error.contains("code") &&
                                                  error["code"] == "child_failed";
    if (of_child) return "a child's error";
  }
  if (value.is_structured())
    for (json& element : value) element = without_child_errors(std::move(element));
  return value;
}

/// A flow in which the steps' names have nothing to do with their order.
class RandomFlow {
 public:
  /// Given: `depth`, how many flows stand above this one, which awaits nothing then.
  explicit RandomFlow(std::uint64_t seed, int depth = 0)
      : seed_(seed), depth_(depth), chance_(seed * 31 + 7) {
    flow = json{{"flow", "random"}, {"input", {{"n", below(20)}}}, {"steps", json::object()}};
    const std::size_t size = 1 + below(depth == 0 ? 9 : 4);
    for (std::size_t i = 0; i < size; ++i) add_step();
    if (below(3) == 0) flow["output"] = json{{"one", reference(true)}, {"in", "{{input.n}}"}};
  }

  json flow;
  std::vector<Signal> signals;

  std::uint64_t seed() const { return seed_; }

  /// What an attempt of a task answers: the same whenever it is made.
  ///
  /// Given: `step`, behind the part of its run's id that children add, if it is in one:
  /// `.NAME.2/STEP`.
  StepResult answer(const std::string& step, int attempt) const {
    lab::Chance chance(seed_ ^ std::hash<std::string>{}(step));
    const std::uint64_t kind = chance.below(20);
    const auto retries = static_cast<int>(chance.below(3));       // of 3 attempts
    const bool undoes = step.find(":undo") != std::string::npos;  // which ends well in the end
    if (kind == 0 && !undoes) return fail("never");
    if (kind == 1 && !undoes) return retry("again and again");
    if (attempt <= retries) return retry("not yet");
    const std::uint64_t shape = chance.below(4);
    if (shape == 0) return done(chance.below(10));
    return done({{"n", chance.below(10)},
                 {"ok", chance.below(2) == 0},
                 {"list", {chance.below(5), chance.below(5), chance.below(5)}}});
  }

  Interpreter interpret() const {
    std::map<std::string, json> payloads;
    for (const Signal& signal : signals) payloads.emplace(signal.name, signal.payload);
    return Interpreter(
        flow, json::object(),
        [this](const std::string& step) -> TaskEnd {
          for (int attempt = 1; attempt <= 3; ++attempt) {
            const StepResult result = answer(step, attempt);
            if (result.kind == StepResult::Kind::done) return {result.output, nullptr};
            if (result.kind == StepResult::Kind::fail || attempt == 3)
              return {std::nullopt, {{"code", "step_failed"}, {"message", result.message}}};
          }
          return {};
        },
        std::move(payloads));
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return chance_.below(bound); }

  std::string reference(bool optional) {
    static const char* const paths[] = {"", ".n", ".n", ".ok", ".list"};
    if (names_.empty() || below(8) == 0) return "{{input.n}}";
    return "{{steps." + names_[below(names_.size())] + ".output" + paths[below(5)] +
           (optional ? "?" : "") + "}}";
  }

  json operand() {
    if (below(3) == 0) return below(10);
    return reference(below(2) == 0);
  }

  json condition(int depth) {
    switch (below(depth > 0 ? 6 : 3)) {
      case 0: return {{"exists", reference(false)}};
      case 1: return {{"equals", {operand(), operand()}}};
      case 2: return {{"less", {operand(), operand()}}};
      case 3: return {{"not", condition(depth - 1)}};
      case 4: return {{"all", {condition(depth - 1), condition(depth - 1)}}};
      default: return {{"any", {condition(depth - 1), condition(depth - 1)}}};
    }
  }

  json value() {
    switch (below(7)) {
      case 0: return {{"$add", {operand(), operand()}}};
      case 1: return {{"$divide", {operand(), operand()}}};
      case 2: return {{"$length", reference(true)}};
      case 3: return {{"$map", {{"over", {1, 2, operand()}}, {"to", {{"$add", {"{{item}}", 1}}}}}}};
      case 4:
        return {{"$filter", {{"over", {3, 7, operand()}}, {"where", {{"less", {"{{item}}", 5}}}}}}};
      case 5: return {{"n", operand()}, {"in", "{{input.n}}"}};
      default: return operand();
    }
  }

  void add_step() {
    json step = json::object();
    bool is_branch = false;
    switch (!branches_.empty() && below(20) == 0 ? 99 : below(10)) {
      case 99: step["fail"] = "enough of " + reference(true); break;
      case 0:
      case 1:
        step["if"] = condition(2);
        is_branch = true;
        break;
      case 2:
      case 3: step["value"] = value(); break;
      case 4: step["sleep_ms"] = below(3) == 0 ? operand() : json(below(3000)); break;
      case 5:
        if (depth_ == 0)
          await(step);
        else
          step["sleep_ms"] = below(100);
        break;
      default: task(step);
    }
    for (std::uint64_t more = names_.empty() ? 0 : below(3); more > 0; --more) {
      const std::string& name = names_[below(names_.size())];
      json& after = step["after"];
      if (std::find(after.begin(), after.end(), json(name)) == after.end()) after.push_back(name);
    }
    if (!branches_.empty() && below(2) == 0)
      step[below(2) == 0 ? "when" : "unless"] = branches_[below(branches_.size())];
    std::string name;
    do {
      name = std::string(1, static_cast<char>('a' + below(26))) + std::to_string(below(10));
    } while (flow["steps"].contains(name));
    flow["steps"][name] = step;
    names_.push_back(name);
    if (is_branch) branches_.push_back(name);
  }

  /// A task or a child, or a map of such.
  void task(json& step) {
    const bool is_child = depth_ < 2 && below(4) == 0;
    if (is_child)
      step["child"] = RandomFlow(below(1'000'000), depth_ + 1).flow;
    else
      step["run"] = "t";
    if (!is_child) step["retry"] = {{"max_attempts", 3}, {"initial_ms", 10}};
    if (below(4) == 0) step["undo"] = {{"run", "u"}, {"with", {{"was", "{{output}}"}}}};
    if (below(4) == 0) {
      map(step);
      return;
    }
    if (below(4) == 0) step["default"] = below(2) == 0 ? operand() : json{{"n", operand()}};
    if (below(2) == 0) step["with"] = {{is_child ? "n" : "x", reference(below(2) == 0)}};
  }

  void map(json& step) {
    const bool is_child = step.contains("child");
    step["map"] = below(3) > 0 ? json{below(9), "x", operand()} : json(reference(true));
    if (is_child)
      step["with"] = {{"n", "{{item}}"}};
    else
      step["with"] = {{"item", "{{item}}"}, {"index", "{{index}}"}};
    if (below(2) == 0) step["max_parallel"] = 1 + below(3);
    if (below(3) == 0)
      step["on_error"] = "collect";
    else if (below(3) == 0)
      step["default"] = below(2) == 0 ? json("{{item}}") : operand();
  }

  void await(json& step) {
    const std::string name = "signal-" + std::to_string(names_.size());
    step["await"] = name;
    if (below(2) == 0) {
      signals.push_back({name, below(2) == 0 ? json(below(10)) : json{{"n", below(10)}},
                         "id-" + std::to_string(names_.size())});
      if (below(2) == 0) return;
    }
    step["timeout_ms"] = 100'000 + below(1000);  // far later than any signal
    if (below(3) > 0) step["default"] = operand();
  }

  std::uint64_t seed_;
  int depth_;
  lab::Chance chance_;
  std::vector<std::string> names_;
  std::vector<std::string> branches_;
};

}  // namespace pawl
