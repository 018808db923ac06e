// A flow's JSON, said again in the builder's words.
#pragma once

#include <pawl/flow_builder.hpp>

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

/// Walks a flow of which every member is known, and calls the builder for each.
///
/// A default within `retry` that is written out is lost: RetryPolicy has no words for it.
class Rebuilder {
 public:
  explicit Rebuilder(const json& flow) : builder_(flow.at("flow").get<std::string>()) {
    for (const auto& [member, value] : flow.items()) {
      if (member == "input")
        builder_.input(value);
      else if (member == "output")
        builder_.output(value);
      else if (member == "secret")
        builder_.secret(value.get<std::vector<std::string>>());
      else if (member == "description")
        builder_.description(value.get<std::string>());
      else if (member == "$schema")
        builder_.schema(value.get<std::string>());
      else if (member == "version")
        builder_.version(value.get<int>());
      else if (member == "steps")
        for (const auto& [name, step] : value.items()) add_step(name, step);
      else if (member != "flow")
        no_word(member);
    }
  }

  const FlowBuilder& builder() const { return builder_; }

 private:
  [[noreturn]] static void no_word(const std::string& member) {
    throw std::runtime_error("the builder has no word for " + member);
  }

  static flows::Names names(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    return value.get<std::vector<std::string>>();
  }

  static RetryPolicy policy(const json& value) {
    RetryPolicy policy;
    policy.max_attempts = value.value("max_attempts", policy.max_attempts);
    policy.initial_ms = value.value("initial_ms", policy.initial_ms);
    policy.max_ms = value.value("max_ms", policy.max_ms);
    if (value.contains("factor"))
      policy.factor_permille = std::llround(value["factor"].get<double>() * 1000);
    if (value.contains("jitter"))
      policy.jitter_permille = std::llround(value["jitter"].get<double>() * 1000);
    return policy;
  }

  template <class Work>
  static bool say_attempts(Work& work, const std::string& member, const json& value) {
    if (member == "timeout_ms")
      work.timeout_ms(value.get<std::int64_t>());
    else if (member == "retry")
      work.retry(policy(value));
    else
      return member == "run";
    return true;
  }

  static flows::Undo undo(const json& value) {
    flows::Undo undo(value.at("run").get<std::string>());
    for (const auto& [member, inner] : value.items())
      if (member == "with")
        undo.with(inner);
      else if (member == "description")
        undo.description(inner.get<std::string>());
      else if (!say_attempts(undo, member, inner))
        no_word(member);
    return undo;
  }

  template <class Step>
  static bool say_common(Step& step, const std::string& member, const json& value) {
    if (member == "after")
      step.after(names(value));
    else if (member == "when")
      step.when(names(value));
    else if (member == "unless")
      step.unless(names(value));
    else if (member == "secret")
      step.secret(names(value));
    else if (member == "description")
      step.description(value.get<std::string>());
    else
      return false;
    return true;
  }

  static InDoubt choice(const json& value) {
    for (const InDoubt choice : {InDoubt::ask, InDoubt::fail, InDoubt::retry})
      if (value == std::string(to_string(choice))) return choice;
    return no_word(value.dump()), InDoubt::ask;
  }

  template <class Work>
  static bool say_work(Work& work, const std::string& member, const json& value) {
    if (member == "with")
      work.with(value);
    else if (member == "default")
      work.default_output(value);
    else if (member == "undo")
      work.undo(undo(value));
    else
      return say_common(work, member, value);
    return true;
  }

  template <class Task>
  static bool say_task(Task& task, const std::string& member, const json& value,
                       const json& whole) {
    if (say_work(task, member, value) || say_attempts(task, member, value)) return true;
    if (member == "at_most_once" && whole.contains("in_doubt"))
      task.at_most_once(choice(whole["in_doubt"]));
    else if (member == "at_most_once")
      task.at_most_once();
    else if (member == "on_divergence")
      task.on_divergence(value == "fail"    ? OnDivergence::fail
                         : value == "pause" ? OnDivergence::pause
                                            : OnDivergence::keep);
    else if (member == "on_failure" && value == "ask")
      task.ask_on_failure();
    else
      return member == "in_doubt";
    return true;
  }

  template <class Child>
  static bool say_child(Child& child, const std::string& member, const json& value) {
    return member == "child" || say_work(child, member, value);
  }

  template <class Map>
  static bool say_map(Map& map, const std::string& member, const json& value) {
    if (member == "max_parallel")
      map.max_parallel(value.get<std::int64_t>());
    else if (member == "on_error" && value == "collect")
      map.collect_errors();
    else
      return member == "map";
    return true;
  }

  static bool say_await(flows::Await& await, const std::string& member, const json& value) {
    if (member == "timeout_ms")
      await.timeout_ms(value.get<std::int64_t>());
    else if (member == "default")
      await.default_output(value);
    else
      return member == "await" || say_common(await, member, value);
    return true;
  }

  /// Every member of `json` is said by `say`, or known not to be.
  template <class Step, class Say>
  void add(Step step, const json& whole, Say say) {
    for (const auto& [member, value] : whole.items())
      if (!say(step, member, value)) no_word(member);
    builder_.step(step);
  }

  void add_step(const std::string& name, const json& whole) {
    const auto text = [&whole](const char* member) { return whole.at(member).get<std::string>(); };
    if (whole.contains("child")) return add_child(name, whole);
    if (whole.contains("map"))
      return add(flows::map(name, text("run"), whole["map"]), whole,
                 [&whole](auto& step, const std::string& member, const json& value) {
                   return say_map(step, member, value) || say_task(step, member, value, whole);
                 });
    if (whole.contains("run"))
      return add(flows::task(name, text("run")), whole,
                 [&whole](auto& step, const std::string& member, const json& value) {
                   return say_task(step, member, value, whole);
                 });
    if (whole.contains("await")) return add(flows::await(name, text("await")), whole, say_await);
    const auto add_plain = [this, &whole](const flows::Plain& plain, const char* says) {
      add(plain, whole, [says](auto& step, const std::string& member, const json& value) {
        return member == says || say_common(step, member, value);
      });
    };
    if (whole.contains("if")) return add_plain(flows::branch(name, whole["if"]), "if");
    if (whole.contains("value")) return add_plain(flows::value(name, whole["value"]), "value");
    if (whole.contains("sleep_ms"))
      return add_plain(flows::sleep(name, whole["sleep_ms"]), "sleep_ms");
    if (whole.contains("until_ms"))
      return add_plain(flows::sleep_until(name, whole["until_ms"]), "until_ms");
    if (whole.contains("fail")) return add_plain(flows::fail(name, text("fail")), "fail");
    no_word(whole.dump());
  }

  /// The child is said again too.
  void add_child(const std::string& name, const json& whole) {
    const json inner = Rebuilder(whole["child"]).builder().document();
    if (!whole.contains("map"))
      return add(flows::child(name, inner), whole,
                 [](auto& step, const std::string& member, const json& value) {
                   return say_child(step, member, value);
                 });
    add(flows::child_map(name, inner, whole["map"]), whole,
        [](auto& step, const std::string& member, const json& value) {
          return say_map(step, member, value) || say_child(step, member, value);
        });
  }

  FlowBuilder builder_;
};

}  // namespace pawl
