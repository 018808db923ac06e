/// Steps of a flow that is written in C++: `task`, `map`, `branch`, `value`, `sleep`,
/// `sleep_until`, `await`, `fail`, `child`, `child_map`.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/flow_members.hpp>
#include <pawl/in_doubt.hpp>
#include <pawl/on_divergence.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace pawl {

/// The kinds of steps. Each has the members that docs/flows.md gives to its kind, under the same
/// names; any other does not compile.
///
/// What is called is written, a default too; of a RetryPolicy only what differs from the defaults.
/// Called again, a member that is a list gets longer, and any other is replaced. Every call returns
/// the step itself: keep one by value (`auto charge = task(...).with(...)`), not by reference.
namespace flows {

/// What a FlowBuilder takes: a step with its name.
class Step : public Members {
 public:
  const std::string& name() const { return name_; }

 protected:
  explicit Step(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

/// What steps of all kinds have.
template <class Self>
class StepOf : public Step {
 public:
  Self& after(const Names& steps) { return this->add("after", steps), self(); }

  Self& when(const Names& branches) { return this->add_or_put("when", branches), self(); }

  Self& unless(const Names& branches) { return this->add_or_put("unless", branches), self(); }

  Self& secret(const Names& paths) { return this->add("secret", paths), self(); }

  Self& description(std::string text) { return this->put("description", std::move(text)), self(); }

 protected:
  using Step::Step;

  Self& self() { return static_cast<Self&>(*this); }
};

/// Code that undoes a step: `undo("refund").with({{"id", "{{output.id}}"}})`.
class Undo : public Members {
 public:
  explicit Undo(std::string type) { put("run", std::move(type)); }

  Undo& with(json parameters) { return put_object("with", std::move(parameters)), *this; }

  Undo& timeout_ms(std::int64_t limit) { return put("timeout_ms", limit), *this; }

  Undo& heartbeat_ms(std::int64_t limit) { return put("heartbeat_ms", limit), *this; }

  Undo& retry(const RetryPolicy& policy) { return put_retry(policy), *this; }

  Undo& one_at_a_time(std::string key) { return put("one_at_a_time", std::move(key)), *this; }

  Undo& description(std::string text) { return put("description", std::move(text)), *this; }
};

/// What tasks and child flows have.
template <class Self>
class WorkOf : public StepOf<Self> {
 public:
  Self& with(json parameters) {
    return this->put_object("with", std::move(parameters)), this->self();
  }

  /// The member `default`: the output when the step, or an element, fails for good.
  Self& default_output(json output) {
    return this->put("default", std::move(output)), this->self();
  }

  Self& undo(const Undo& undo) { return this->put("undo", undo.members()), this->self(); }

  Self& undo(std::string type, json with) {
    return undo(Undo(std::move(type)).with(std::move(with)));
  }

 protected:
  using StepOf<Self>::StepOf;
};

/// What tasks have, with and without `map`.
template <class Self>
class TaskOf : public WorkOf<Self> {
 public:
  Self& timeout_ms(std::int64_t limit) { return this->put("timeout_ms", limit), this->self(); }

  Self& heartbeat_ms(std::int64_t limit) { return this->put("heartbeat_ms", limit), this->self(); }

  Self& retry(const RetryPolicy& policy) { return this->put_retry(policy), this->self(); }

  /// Given: `key`, a template such as `"account-{{input.account}}"`.
  Self& one_at_a_time(std::string key) {
    return this->put("one_at_a_time", std::move(key)), this->self();
  }

  /// The member `on_failure`, as `"ask"`.
  Self& ask_on_failure() { return this->put("on_failure", "ask"), this->self(); }

  Self& at_most_once() { return this->put("at_most_once", true), this->self(); }

  /// The member `on_divergence`.
  Self& on_divergence(OnDivergence choice) {
    return this->put("on_divergence", std::string(to_string(choice))), this->self();
  }

  /// With the member `in_doubt`.
  Self& at_most_once(InDoubt choice) {
    return this->put("in_doubt", std::string(to_string(choice))), at_most_once();
  }

 protected:
  TaskOf(std::string name, std::string type) : WorkOf<Self>(std::move(name)) {
    this->put("run", std::move(type));
  }
};

/// What child flows have, with and without `map`.
template <class Self>
class ChildOf : public WorkOf<Self> {
 protected:
  ChildOf(std::string name, json flow) : WorkOf<Self>(std::move(name)) {
    this->put("child", std::move(flow));
  }
};

class Task : public TaskOf<Task> {
 public:
  Task(std::string name, std::string type) : TaskOf(std::move(name), std::move(type)) {}
};

class Child : public ChildOf<Child> {
 public:
  Child(std::string name, json flow) : ChildOf(std::move(name), std::move(flow)) {}
};

/// A task or a child flow per element.
template <template <class> class Kind>
class MapOf : public Kind<MapOf<Kind>> {
 public:
  template <class What>
  MapOf(std::string name, What what, json over)
      : Kind<MapOf<Kind>>(std::move(name), std::move(what)) {
    this->put("map", std::move(over));
  }

  MapOf& max_parallel(std::int64_t elements) { return this->put("max_parallel", elements), *this; }

  /// The member `on_error`, as `"collect"`.
  MapOf& collect_errors() { return this->put("on_error", "collect"), *this; }
};

using Map = MapOf<TaskOf>;
using ChildMap = MapOf<ChildOf>;

class Await : public StepOf<Await> {
 public:
  Await(std::string name, std::string signal) : StepOf(std::move(name)) {
    put("await", std::move(signal));
  }

  Await& timeout_ms(std::int64_t limit) { return put("timeout_ms", limit), *this; }

  /// The member `default`: the output when no signal came in time.
  Await& default_output(json output) { return put("default", std::move(output)), *this; }
};

/// A branch, a value, a sleep or a failure: one member says it all.
class Plain : public StepOf<Plain> {
 public:
  Plain(std::string name, const char* member, json value) : StepOf(std::move(name)) {
    put(member, std::move(value));
  }
};

/// A step that the step type `type` performs.
inline Task task(std::string name, std::string type) {
  return {std::move(name), std::move(type)};
}

/// The same, done with each element of `over`: an array, or a value that gives one.
inline Map map(std::string name, std::string type, json over) {
  return {std::move(name), std::move(type), std::move(over)};
}

/// A step that is a run of another flow, of which the JSON is given.
inline Child child(std::string name, json flow) {
  return {std::move(name), std::move(flow)};
}

inline Child child(std::string name, const Flow& flow) {
  return {std::move(name), json::parse(flow.canonical())};
}

/// The same, with a run for each element of `over`.
inline ChildMap child_map(std::string name, json flow, json over) {
  return {std::move(name), std::move(flow), std::move(over)};
}

inline ChildMap child_map(std::string name, const Flow& flow, json over) {
  return {std::move(name), json::parse(flow.canonical()), std::move(over)};
}

inline Undo undo(std::string type) {
  return Undo(std::move(type));
}

inline Plain branch(std::string name, json condition) {
  return {std::move(name), "if", std::move(condition)};
}

/// A computed value: JSON with templates and operators.
inline Plain value(std::string name, json value) {
  return {std::move(name), "value", std::move(value)};
}

/// Given: `length_ms`, milliseconds, or a template that gives them.
inline Plain sleep(std::string name, json length_ms) {
  return {std::move(name), "sleep_ms", std::move(length_ms)};
}

/// Given: `moment_ms`, milliseconds since 1970 (UTC), or a template that gives them.
inline Plain sleep_until(std::string name, json moment_ms) {
  return {std::move(name), "until_ms", std::move(moment_ms)};
}

inline Await await(std::string name, std::string signal) {
  return {std::move(name), std::move(signal)};
}

/// Ends the run; `why` may have templates.
inline Plain fail(std::string name, std::string why) {
  return {std::move(name), "fail", std::move(why)};
}

}  // namespace flows

}  // namespace pawl
