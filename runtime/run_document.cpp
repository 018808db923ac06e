#include <pawl/run_document.hpp>

#include "runtime/child_run.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/replayed.hpp"
#include "runtime/run_times.hpp"
#include "runtime/shown_output.hpp"
#include "runtime/start_facts.hpp"

#include <algorithm>

namespace pawl {

namespace {

json error_json(const Error& error) {
  return json{{"code", to_string(error.code)}, {"message", error.message}};
}

/// The step that a place belongs to.
std::size_t step_of(const FlowMachine& machine, std::size_t place) {
  while (machine.role(place) != Role::step) place = machine.owner(place);
  return place;
}

json attempt_json(const Record& record, const PlannedStep& step, Role role) {
  json attempt{{"attempt", record.attempt},
               {"end", to_string(record.end)},
               {"started_ms", record.started_ms},
               {"duration_ms", record.duration_ms}};
  if (record.due_ms != 0) attempt["due_ms"] = record.due_ms;
  const bool has_error = record.kind == RecordKind::receipt && !record.body.empty() &&
                         !holds_output(record) && record.end != AttemptEnd::succeeded;
  if (record.kind == RecordKind::receipt && holds_output(record))
    attempt["output"] = shown_output(step, json::parse(record.body, nullptr, false), role);
  if (has_error) attempt["error"] = error_json(error_from_body(record.body));
  return attempt;
}

json place_json(const FlowMachine& machine, std::size_t i) {
  json place{{"state", to_string(machine.step_state(i))}, {"attempts", json::array()}};
  const PlannedStep& step = machine.plan().steps[step_of(machine, i)];
  place["output"] = machine.step_output(i)
                        ? shown_output(step, *machine.step_output(i), machine.role(i))
                        : json(nullptr);
  place["error"] = machine.step_error(i) ? error_json(*machine.step_error(i)) : json(nullptr);
  if (machine.definition(i).kind == StepKind::child && machine.attempts(i) > 0)
    place["child"] = child_run_id(machine.run().str(), machine.name(i));
  return place;
}

/// Where a place stands in the document: a map's elements and what is undone stand within it.
json& document_of(json& steps, const FlowMachine& machine, std::size_t i) {
  if (machine.role(i) == Role::step) return steps[machine.name(i)];
  json& owner = document_of(steps, machine, machine.owner(i));
  if (machine.role(i) == Role::undo) return owner["undo"];
  return owner["elements"][machine.element(i)];
}

json time_json(std::optional<std::int64_t> ms) {
  return ms ? json(*ms) : json(nullptr);
}

/// What is shown of a report; null for one that is not readable.
json value_of(const FlowMachine& machine, std::size_t place, const Progress& progress) {
  const json value = json::parse(progress.body, nullptr, false);
  if (value.is_discarded()) return nullptr;
  return shown_progress(machine.plan().steps[step_of(machine, place)], value);
}

json steps_json(const FlowMachine& machine, const std::vector<Record>& records,
                const std::vector<Progress>& progress, const RunTimes& times) {
  json steps = json::object();
  for (std::size_t i = 0; i < machine.places(); ++i) {
    json& place = document_of(steps, machine, i);
    place.update(place_json(machine, i));
    place["ended_ms"] = time_json(times.places_ended_ms[i]);
  }
  for (const Record& record : records)
    if (record.end != AttemptEnd::none && record.attempt > 0)
      if (const std::optional<std::size_t> i = machine.find(record.step))
        document_of(steps, machine, *i)["attempts"].push_back(
            attempt_json(record, machine.plan().steps[step_of(machine, *i)], machine.role(*i)));
  for (std::size_t i = 0; i < machine.places(); ++i)
    if (machine.step_state(i) == StepState::running && machine.attempts(i) > 0)
      document_of(steps, machine, i)["attempts"].push_back(json{{"attempt", machine.attempts(i)},
                                                                {"end", "open"},
                                                                {"started_ms", 0},
                                                                {"duration_ms", 0}});
  for (const Progress& report : progress)
    if (const std::optional<std::size_t> i = machine.find(report.step))
      document_of(steps, machine, *i)["progress"] = {{"attempt", report.attempt},
                                                     {"at_ms", report.at_ms},
                                                     {"value", value_of(machine, *i, report)}};
  return steps;
}

json output_json(const FlowMachine& machine) {
  if (!machine.outcome() || !machine.outcome()->succeeded()) return nullptr;
  return shown_run_output(machine.plan(), machine.outcome()->output);
}

std::string duration_text(std::int64_t ms) {
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 120'000) return std::to_string(ms / 1000) + " s";
  if (ms < 7'200'000) return std::to_string(ms / 60'000) + " min";
  return std::to_string(ms / 3'600'000) + " h";
}

/// When an attempt that is open last gave a sign of itself.
void explain_progress(const FlowMachine& machine, const std::vector<Progress>& progress,
                      std::size_t i, std::int64_t now_ms, std::vector<std::string>& lines) {
  for (const Progress& report : progress)
    if (report.step == machine.name(i) && machine.step_state(i) == StepState::running)
      lines.push_back("  attempt " + std::to_string(report.attempt) + " reported " +
                      duration_text(std::max<std::int64_t>(0, now_ms - report.at_ms)) +
                      " ago: " + printable_text(value_of(machine, i, report).dump(), 300));
}

/// One step's part of an explanation.
void explain_step(const FlowMachine& machine, const std::vector<Record>& records, std::size_t i,
                  std::int64_t now_ms, std::vector<std::string>& lines) {
  const PlannedStep& planned = machine.definition(i);
  const StepState state = machine.step_state(i);
  std::string line = "step " + machine.name(i) + " (" + what_it_is(planned) +
                     "): " + std::string(to_string(state));
  if (state == StepState::running && machine.attempts(i) > 0)
    line += ", attempt " + std::to_string(machine.attempts(i)) + " is open";
  if (state == StepState::pending || state == StepState::not_started) {
    std::string missing;
    for (const std::size_t need : planned.needs)
      if (!machine.step_output(need) && machine.step_state(need) != StepState::excluded)
        missing += (missing.empty() ? "" : ", ") + machine.plan().steps[need].name.str();
    if (!missing.empty()) line += ", waits for " + missing;
  }
  lines.push_back(line);
  std::int64_t due_ms = 0;
  for (const Record& record : records) {
    if (record.step != machine.name(i) || record.end == AttemptEnd::none || record.attempt == 0)
      continue;
    std::string attempt =
        "  attempt " + std::to_string(record.attempt) + ": " + std::string(to_string(record.end));
    if (record.end == AttemptEnd::lost)
      attempt += " (the process died; its effect may have happened)";
    if (record.duration_ms > 0) attempt += " after " + duration_text(record.duration_ms);
    if (record.kind == RecordKind::receipt && !record.body.empty() && !holds_output(record) &&
        record.end != AttemptEnd::succeeded)
      attempt += ": " + error_from_body(record.body).message;
    lines.push_back(attempt);
    due_ms = record.due_ms;
  }
  if (planned.kind == StepKind::sleep || planned.kind == StepKind::await) {
    const std::optional<std::int64_t> end_ms = machine.wait_end_ms(i);
    if (planned.kind == StepKind::await && state == StepState::waiting)
      lines.push_back("  a signal \"" + planned.signal + "\" has not come");
    if (end_ms)
      lines.push_back(*end_ms > now_ms ? "  it waits for another " + duration_text(*end_ms - now_ms)
                                       : "  its wait is over");
    if (machine.step_error(i)) lines.push_back("  " + machine.step_error(i)->message);
    return;
  }
  if (const std::optional<std::string> child = machine.child_run(i)) {
    lines.push_back("  its run " + *child + " is under way: ask about that one for more");
    return;
  }
  if (planned.kind != StepKind::task && machine.step_error(i))
    lines.push_back("  " + machine.step_error(i)->message);
  if (state == StepState::waiting)
    lines.push_back(due_ms > now_ms
                        ? "  the next attempt is due in " + duration_text(due_ms - now_ms)
                        : "  the next attempt is due now");
}

/// Where secrets stand in a flow's text, and in a run's input: JSON pointers.
struct SecretPlaces {
  std::vector<std::string> in_flow;
  std::vector<std::string> in_input;
};

/// Notes what `owner`, a flow or a step that stands at `at` in its flow, marks secret.
void note_secrets(const json& owner, const json::json_pointer& at, SecretPlaces& places) {
  if (!owner.is_object() || !owner.value("secret", json()).is_array()) return;
  for (const json& text : owner["secret"]) {
    if (!text.is_string()) continue;
    const Result<Secret> secret =
        parse_secret(text.get_ref<const std::string&>(), {"input", "with", "output"});
    if (!secret) continue;
    json::json_pointer below;
    for (const PathSegment& segment : secret->path)
      std::visit([&](const auto& part) { below /= part; }, segment);
    places.in_flow.push_back((at / secret->root / below).to_string());
    if (secret->root == "input") places.in_input.push_back(below.to_string());
    // What becomes the output may stand in the flow; operators and templates hide where in it.
    if (secret->root == "output")
      for (const char* member : {"value", "default"})
        places.in_flow.push_back((at / member).to_string());
    // What is done with a secret may be undone with it, and an element may hold it.
    if (secret->root != "input")
      for (const char* member : {"undo", "map"})
        places.in_flow.push_back((at / member).to_string());
  }
}

void note_secrets(const json& flow, SecretPlaces& places,
                  const json::json_pointer& root = json::json_pointer()) {
  note_secrets(flow, root, places);
  if (!flow.is_object() || !flow.value("steps", json()).is_object()) return;
  for (const auto& [name, step] : flow["steps"].items()) {
    note_secrets(step, root / "steps" / name, places);
    if (!step.is_object() || !step.contains("child")) continue;
    SecretPlaces below;  // its input is not this run's
    note_secrets(step["child"], below, root / "steps" / name / "child");
    places.in_flow.insert(places.in_flow.end(), below.in_flow.begin(), below.in_flow.end());
  }
}

/// Whether one of two JSON pointers is the other, or leads through it.
bool on_one_line(const std::string& a, const std::string& b) {
  const std::string& upper = a.size() < b.size() ? a : b;
  const std::string& lower = a.size() < b.size() ? b : a;
  return lower.compare(0, upper.size(), upper) == 0 &&
         (lower.size() == upper.size() || lower[upper.size()] == '/');
}

json parent_json(const StartFacts& facts) {
  if (!facts.parent) return nullptr;
  return {{"run", facts.parent->run}, {"step", facts.parent->step}};
}

json fork_json(const StartFacts& facts) {
  if (!facts.forked_from) return nullptr;
  return {{"run", facts.forked_from->run}, {"step", facts.forked_from->step}};
}

}  // namespace

Result<RunView> view_run(const Flow& flow, const std::string& run, const json& input,
                         const std::vector<Record>& records,
                         const std::vector<Progress>& progress) {
  Result<FlowMachine> machine = replayed(flow, run, input, records);
  if (!machine) return machine.error();
  RunView view;
  view.state = machine->state();
  view.document = json{{"run", run}, {"flow", flow.name()}, {"state", to_string(view.state)}};
  view.document["output"] = output_json(*machine);
  const std::optional<RunError> error = machine->error();
  view.document["error"] = error ? to_json_value(*error) : json(nullptr);
  const Result<StartFacts> facts = start_facts_of(records);
  if (!facts) return make_error(facts.error().code, facts.error().message, run);
  view.document["labels"] = facts->labels;
  view.document["parent"] = parent_json(*facts);
  view.document["forked_from"] = fork_json(*facts);
  if (facts->priority != 0) view.document["priority"] = facts->priority;
  const RunTimes times = run_times(*machine, records);
  view.document["started_ms"] = times.started_ms;
  view.document["ended_ms"] = time_json(times.ended_ms);
  view.document["steps"] = steps_json(*machine, records, progress, times);
  return view;
}

Result<std::vector<std::string>> explain_run(const Flow& flow, const std::string& run,
                                             const json& input, const std::vector<Record>& records,
                                             const std::string& step, std::int64_t now_ms,
                                             const std::vector<Progress>& progress) {
  Result<FlowMachine> machine = replayed(flow, run, input, records);
  if (!machine) return machine.error();
  std::vector<std::string> lines;
  const auto explain = [&](std::size_t i) {
    explain_step(*machine, records, i, now_ms, lines);
    explain_progress(*machine, progress, i, now_ms, lines);
  };
  if (!step.empty()) {
    const std::optional<std::size_t> found = machine->find(step);
    if (!found)
      return make_error(Errc::invalid_argument,
                        "the flow " + flow.name() + " has no step \"" + step + "\"", run);
    for (std::size_t i = 0; i < machine->places(); ++i)
      if (i == *found || step_of(*machine, i) == *found) explain(i);
    return lines;
  }
  std::string line =
      "run " + run + " (flow " + flow.name() + "): " + std::string(to_string(machine->state()));
  if (const auto error = machine->error())
    line += ": " + std::string(to_string(error->code)) +
            (error->step.empty() ? "" : ", step " + error->step) + ": " + error->message;
  lines.push_back(line);
  for (std::size_t i = 0; i < machine->places(); ++i)
    if (machine->step_state(i) != StepState::succeeded || machine->role(i) == Role::undo)
      explain(i);
  return lines;
}

std::string explain_difference(const json& stored_flow, const json& stored_input, const json& flow,
                               const json& input) {
  std::string text;
  int told = 0;
  const auto compare = [&](const char* what, const json& before, const json& now,
                           const std::vector<std::string>& secrets) {
    const json patch = json::diff(before, now);
    for (const json& change : patch) {
      if (++told > 5) return;
      const std::string path = change["path"].get<std::string>();
      const json::json_pointer at(path);
      text += (text.empty() ? "" : "; ") + std::string(what) + (path.empty() ? "" : " " + path);
      const auto is_near = [&](const std::string& secret) { return on_one_line(secret, path); };
      if (change["op"] == "add")
        text += " is new";
      else if (change["op"] == "remove")
        text += " is gone";
      else if (std::any_of(secrets.begin(), secrets.end(), is_near))
        text += " differs";
      else
        text += " was " + printable_text(before[at].dump(), 60) + ", is now " +
                printable_text(change["value"].dump(), 60);
    }
  };
  SecretPlaces secrets;
  note_secrets(stored_flow, secrets);
  note_secrets(flow, secrets);
  compare("flow", stored_flow, flow, secrets.in_flow);
  compare("input", stored_input, input, secrets.in_input);
  if (told > 5) text += "; and " + std::to_string(told - 5) + " or more others";
  return text;
}

}  // namespace pawl
