#include "runtime/flow_spec.hpp"

#include <pawl/limits.hpp>

#include "runtime/json_reader.hpp"
#include "runtime/members.hpp"

#include <utility>

namespace pawl {

namespace {

using Names = Members::Names;

RetryPolicy read_retry(const json& value, const std::string& pointer,
                       std::vector<Problem>& problems) {
  RetryPolicy policy;
  Members members(value, pointer, problems);
  members.refuse_unknown({"max_attempts", "initial_ms", "factor", "max_ms", "jitter"});
  std::int64_t max_attempts = policy.max_attempts;
  members.read("max_attempts", max_attempts, 1, Limits::attempts_max);
  policy.max_attempts = static_cast<int>(max_attempts);
  members.read("initial_ms", policy.initial_ms, 0, Limits::delay_ms_max);
  members.read("max_ms", policy.max_ms, 0, Limits::delay_ms_max);
  members.read_permille("factor", policy.factor_permille, 1, 1000);
  members.read_permille("jitter", policy.jitter_permille, 0, 1);
  return policy;
}

struct KindMember {
  const char* name;
  StepKind kind;
};

constexpr KindMember kind_members[] = {
    {"run", StepKind::task},       {"if", StepKind::branch},      {"value", StepKind::value},
    {"sleep_ms", StepKind::sleep}, {"until_ms", StepKind::sleep}, {"await", StepKind::await},
    {"fail", StepKind::fail},      {"child", StepKind::child},
};

/// Of a step of which nobody knows what it is.
Names all_members() {
  Names known{"after",        "when",          "unless",        "secret",       "description",
              "with",         "timeout_ms",    "retry",         "default",      "map",
              "max_parallel", "on_error",      "undo",          "at_most_once", "in_doubt",
              "on_failure",   "on_divergence", "one_at_a_time", "heartbeat_ms"};
  for (const KindMember& member : kind_members) known.push_back(member.name);
  return known;
}

Names known_members(StepKind kind) {
  Names known{"after", "when", "unless", "secret", "description"};
  for (const KindMember& member : kind_members)
    if (member.kind == kind) known.push_back(member.name);
  if (kind == StepKind::task)
    known.insert(known.end(),
                 {"with", "timeout_ms", "retry", "default", "map", "undo", "at_most_once",
                  "on_failure", "on_divergence", "one_at_a_time", "heartbeat_ms"});
  if (kind == StepKind::child) known.insert(known.end(), {"with", "default", "map", "undo"});
  if (kind == StepKind::await) known.insert(known.end(), {"timeout_ms", "default"});
  return known;
}

/// The one member that says what the step is; null when there is none or more.
const KindMember* find_kind(Members& members) {
  const KindMember* found = nullptr;
  for (const KindMember& member : kind_members) {
    if (members.find(member.name) == nullptr) continue;
    if (found != nullptr) {
      members.complain(member.name, "two_kinds",
                       std::string("a step is one thing: it has \"") + found->name + "\" and \"" +
                           member.name + "\"; make two steps of it");
      return nullptr;
    }
    found = &member;
  }
  if (found == nullptr)
    members.complain("", "missing_member",
                     "the step says no \"run\": which step type it is (or \"if\", \"value\", "
                     "\"sleep_ms\", \"until_ms\", \"await\", \"child\" or \"fail\")");
  return found;
}

/// One name, or an array of them.
void read_guards(Members& members, const char* key, std::vector<std::string>& into) {
  const json* value = members.find(key);
  if (value != nullptr && value->is_string())
    into.push_back(value->get<std::string>());
  else
    members.read(key, into);
}

/// What tasks and undos have in common.
template <class Spec>
void read_work(Members& members, Spec& spec, const std::string& pointer,
               std::vector<Problem>& problems) {
  members.read("run", spec.type);
  members.read("timeout_ms", spec.timeout_ms, 0, Limits::delay_ms_max);
  members.read("heartbeat_ms", spec.heartbeat_ms, 0, Limits::delay_ms_max);
  members.read_object("with", [&](const json& with) { spec.with = with; });
  members.read_object("retry", [&](const json& retry) {
    spec.retry = read_retry(retry, pointer + "/retry", problems);
  });
  if (members.find("one_at_a_time") != nullptr)
    members.read("one_at_a_time", spec.one_at_a_time.emplace());
}

UndoSpec read_undo(const json& value, const std::string& pointer, std::vector<Problem>& problems) {
  UndoSpec undo;
  Members members(value, pointer, problems);
  members.refuse_unknown(
      {"run", "with", "timeout_ms", "heartbeat_ms", "retry", "one_at_a_time", "description"});
  if (members.find("run") == nullptr)
    members.complain("", "missing_member", "the undo says no \"run\": which step type it is");
  std::string description;
  members.read("description", description);
  read_work(members, undo, pointer, problems);
  return undo;
}

/// The members of a map, and of what it does with each element.
void read_map(Members& members, StepSpec& step) {
  const json* over = members.find("map");
  if (over == nullptr) return;
  step.kind = StepKind::map;
  step.over = *over;
  members.read("max_parallel", step.max_parallel, 1, Limits::elements_max);
  std::size_t choice = 0;
  members.read_word("on_error", {"fail", "collect"}, choice);
  step.collect = choice == 1;
}

void read_task(Members& members, StepSpec& step, const std::string& pointer,
               std::vector<Problem>& problems) {
  read_work(members, step, pointer, problems);
  members.read_object(
      "undo", [&](const json& undo) { step.undo = read_undo(undo, pointer + "/undo", problems); });
  members.read("at_most_once", step.at_most_once);
  std::size_t choice = 0;
  members.read_word("in_doubt", {"ask", "fail", "retry"}, choice);
  step.in_doubt = static_cast<InDoubt>(choice);
  std::size_t ask = 0;
  members.read_word("on_failure", {"fail", "ask"}, ask);
  step.asks = ask == 1;
  std::size_t diverged = 0;
  members.read_word("on_divergence", {"keep", "fail", "pause"}, diverged);
  step.on_divergence = static_cast<OnDivergence>(diverged);
  read_map(members, step);
}

void read_child(Members& members, StepSpec& step, const std::string& pointer,
                std::vector<Problem>& problems) {
  members.read_object("child", [&](const json& child) { step.child = child; });
  members.read_object("with", [&](const json& with) { step.with = with; });
  members.read_object(
      "undo", [&](const json& undo) { step.undo = read_undo(undo, pointer + "/undo", problems); });
  step.timeout_ms = 0;
  read_map(members, step);
}

void read_sleep(Members& members, const char* key, StepSpec& step) {
  step.until = std::string_view(key) == "until_ms";
  step.body = *members.find(key);
  if (step.body.is_string()) {
    if (step.body.get_ref<const std::string&>().find("{{") == std::string::npos)
      members.wrong_kind(key, "a whole number or a template", step.body);
    return;
  }
  std::int64_t time_ms = 0;
  members.read(key, time_ms, 0, step.until ? Limits::time_ms_max : Limits::delay_ms_max);
  step.body = time_ms;
}

StepSpec read_step(const std::string& name, const json& value, const std::string& pointer,
                   std::vector<Problem>& problems) {
  StepSpec step;
  step.name = name;
  Members members(value, pointer, problems);
  const KindMember* const kind = find_kind(members);
  if (kind == nullptr) {
    members.refuse_unknown(all_members());
    step.kind = StepKind::value;  // of which nobody asks more
    return step;
  }
  step.kind = kind->kind;
  Names known = known_members(step.kind);
  if (members.find("map") != nullptr) known.insert(known.end(), {"max_parallel", "on_error"});
  if (members.find("at_most_once") != nullptr) known.emplace_back("in_doubt");
  members.refuse_unknown(known);
  members.read("after", step.after);
  read_guards(members, "when", step.when);
  read_guards(members, "unless", step.unless);
  members.read("secret", step.secret);
  std::string description;
  members.read("description", description);
  switch (step.kind) {
    case StepKind::task:
    case StepKind::map: read_task(members, step, pointer, problems); break;
    case StepKind::child: read_child(members, step, pointer, problems); break;
    case StepKind::branch:
    case StepKind::value: step.body = *members.find(kind->name); break;
    case StepKind::fail: {
      std::string message;
      members.read("fail", message);
      step.body = message;
      break;
    }
    case StepKind::sleep: read_sleep(members, kind->name, step); break;
    case StepKind::await:
      members.read("await", step.signal);
      step.timeout_ms = 0;
      members.read("timeout_ms", step.timeout_ms, 0, Limits::delay_ms_max);
      break;
  }
  const bool takes_default = step.kind == StepKind::task || step.kind == StepKind::map ||
                             step.kind == StepKind::child || step.kind == StepKind::await;
  if (const json* fallback = members.find("default"); takes_default && fallback != nullptr)
    step.fallback = *fallback;
  return step;
}

void read_steps(const json& steps, FlowReading& reading) {
  if (!steps.is_object()) {
    reading.problems.push_back(
        {"/steps", "wrong_kind",
         std::string("expected an object of steps, found ") + steps.type_name()});
    return;
  }
  if (steps.size() > Limits::steps_max) {
    reading.problems.push_back({"/steps", "too_many_steps",
                                std::to_string(steps.size()) + " steps; at most " +
                                    std::to_string(Limits::steps_max) + " are allowed"});
    return;
  }
  for (const auto& [name, value] : steps.items()) {
    const std::string pointer = pointer_to("/steps", name);
    if (value.is_object())
      reading.spec.steps.push_back(read_step(name, value, pointer, reading.problems));
    else
      reading.problems.push_back(
          {pointer, "wrong_kind", std::string("expected an object, found ") + value.type_name()});
  }
}

void read_version(Members& members) {
  std::int64_t version = 1;
  members.read("version", version, 1, 1'000'000);
  if (version > 1)
    members.complain("version", "newer_version",
                     "this pawl knows version 1 of the flow format; version " +
                         std::to_string(version) + " needs a newer one");
}

}  // namespace

FlowReading read_flow_spec(std::string_view text) {
  JsonReading raw = read_json(text, Limits::flow_bytes_max);
  FlowReading reading;
  if (raw.value) reading = read_flow_document(std::move(*raw.value));
  reading.problems.insert(reading.problems.begin(), raw.problems.begin(), raw.problems.end());
  return reading;
}

FlowReading read_flow_document(json document) {
  FlowReading reading;
  reading.document = std::move(document);
  if (!reading.document.is_object()) {
    reading.problems.push_back(
        {"", "wrong_kind",
         std::string("a flow is an object, not ") + reading.document.type_name()});
    return reading;
  }
  Members members(reading.document, "", reading.problems);
  members.refuse_unknown({"flow", "version", "description", "input", "steps", "output", "secret",
                          "priority", "$schema"});
  if (members.find("flow") == nullptr)
    members.complain("", "missing_member", "the flow has no name; add \"flow\": \"NAME\"");
  members.read("flow", reading.spec.name);
  read_version(members);
  std::string description;
  members.read("description", description);
  members.read("$schema", description);  // for editors
  members.read("secret", reading.spec.secret);
  if (members.find("priority") != nullptr)
    members.read("priority", reading.spec.priority.emplace(0), -Limits::priority_max,
                 Limits::priority_max);
  if (const json* input = members.find("input")) {
    if (input->is_object())
      reading.spec.input = *input;
    else
      members.wrong_kind("input", "an object of defaults", *input);
  }
  if (const json* output = members.find("output")) reading.spec.output = *output;
  if (const json* steps = members.find("steps"))
    read_steps(*steps, reading);
  else
    members.complain("", "missing_member", "the flow has no \"steps\"");
  return reading;
}

}  // namespace pawl
