#include "runtime/start_facts.hpp"

#include <pawl/json.hpp>

#include <utility>

namespace pawl {

namespace {

Error unreadable() {
  return make_error(Errc::corrupt, "what is stored of a start is not readable");
}

Result<ParentStep> parent_from(const json& value) {
  const bool fits = value.is_object() && value.value("run", json()).is_string() &&
                    value.value("step", json()).is_string() &&
                    value.value("depth", json()).is_number_integer();
  if (!fits) return unreadable();
  return ParentStep{value["run"].get<std::string>(), value["step"].get<std::string>(),
                    value["depth"].get<int>()};
}

Result<ForkedFrom> fork_from(const json& value) {
  const bool fits = value.is_object() && value.value("run", json()).is_string() &&
                    value.value("step", json()).is_string() &&
                    value.value("set", json::object()).is_object();
  if (!fits) return unreadable();
  ForkedFrom from{value["run"].get<std::string>(), value["step"].get<std::string>()};
  const json set = value.value("set", json::object());
  for (const auto& [step, hex] : set.items()) {
    const std::optional<Digest> digest =
        hex.is_string() ? digest_from_hex(hex.get<std::string>()) : std::nullopt;
    if (!digest) return unreadable();
    from.set.emplace(step, *digest);
  }
  return from;
}

std::string origin_of(const StartFacts& facts) {
  if (facts.parent) return "step " + facts.parent->step + " of run " + facts.parent->run;
  if (facts.forked_from)
    return "a fork of run " + facts.forked_from->run + " from step " + facts.forked_from->step;
  return "neither a child nor a fork";
}

}  // namespace

std::string start_body(const StartFacts& facts) {
  json body = json::object();
  if (!facts.labels.empty()) body["labels"] = facts.labels;
  if (facts.parent)
    body["parent"] = {
        {"depth", facts.parent->depth}, {"run", facts.parent->run}, {"step", facts.parent->step}};
  if (facts.forked_from) {
    json& from = body["forked_from"];
    from = {{"run", facts.forked_from->run}, {"step", facts.forked_from->step}};
    for (const auto& [step, digest] : facts.forked_from->set) from["set"][step] = digest.hex();
  }
  if (facts.priority != 0) body["priority"] = facts.priority;
  return body.empty() ? std::string() : body.dump();
}

Result<StartFacts> start_facts_from(std::string_view body) {
  StartFacts facts;
  if (body.empty()) return facts;
  const json value = json::parse(body, nullptr, false);
  if (!value.is_object()) return unreadable();
  const json labels = value.value("labels", json::object());
  if (!labels.is_object()) return unreadable();
  for (const auto& [key, label] : labels.items()) {
    if (!label.is_string()) return unreadable();
    facts.labels.emplace(key, label.get<std::string>());
  }
  if (const auto found = value.find("parent"); found != value.end()) {
    Result<ParentStep> parent = parent_from(*found);
    if (!parent) return parent.error();
    facts.parent = std::move(*parent);
  }
  if (const auto found = value.find("forked_from"); found != value.end()) {
    Result<ForkedFrom> from = fork_from(*found);
    if (!from) return from.error();
    facts.forked_from = std::move(*from);
  }
  const json priority = value.value("priority", json(0));
  if (!priority.is_number_integer()) return unreadable();
  facts.priority = priority.get<int>();
  return facts;
}

Result<StartFacts> start_facts_of(const std::vector<Record>& records) {
  for (const Record& record : records)
    if (record.kind == RecordKind::started) return start_facts_from(record.body);
  return StartFacts{};
}

std::string explain_origins(std::string_view stored, std::string_view later) {
  const Result<StartFacts> before = start_facts_from(stored);
  const Result<StartFacts> now = start_facts_from(later);
  if (!before) return before.error().message;
  if (!now) return now.error().message;
  if (before->parent == now->parent && before->forked_from == now->forked_from) return {};
  const std::string was = origin_of(*before);
  const std::string is = origin_of(*now);
  if (was != is || !before->forked_from) return "it was " + was + ", is now " + is;
  return "it is " + was + ", and was given other outputs";
}

}  // namespace pawl
