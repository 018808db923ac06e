// A fixture without what its flow marks secret.
#include <pawl/limits.hpp>
#include <pawl/run_fixture.hpp>
#include <pawl/signal.hpp>

#include "runtime/flow_machine.hpp"
#include "runtime/part_name.hpp"
#include "runtime/replayed.hpp"
#include "runtime/shown_output.hpp"
#include "runtime/start_facts.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

namespace {

const char* const hidden = "[secret]";

/// A template keeps its references, which hold no secret themselves, and hides its own text.
std::string hide_text(const std::string& text) {
  std::string kept;
  std::size_t at = 0;
  bool has_text = false;
  while (at < text.size()) {
    const bool literal = text.compare(at, 4, "{{{{") == 0;
    const std::size_t end =
        !literal && text.compare(at, 2, "{{") == 0 ? text.find("}}", at) : std::string::npos;
    if (end != std::string::npos) {
      kept += text.substr(at, end + 2 - at);
      at = end + 2;
    } else {
      has_text = true;
      at += literal ? 4 : 1;
    }
  }
  return (has_text || text.empty() ? hidden : "") + kept;
}

void hide_literals(json& value) {
  if (value.is_structured())
    for (json& element : value) hide_literals(element);
  else
    value = value.is_string() ? hide_text(value.get<std::string>()) : hidden;
}

void hide_literals(json& owner, const char* member, const std::vector<PathSegment>& path) {
  const auto found = owner.find(member);
  if (found == owner.end()) return;
  // `follow` hands out what the flow's copy owns.
  if (const json* place = follow(*found, path)) hide_literals(*const_cast<json*>(place));
}

void hide_in_document(json& document, const Plan& plan) {
  for (const Secret& secret : plan.secrets)
    if (secret.root == "input") hide_literals(document, "input", secret.path);
  for (const PlannedStep& step : plan.steps) {
    json& text = document["steps"][step.name.str()];
    for (const Secret& secret : step.secrets) {
      if (secret.root == "with") hide_literals(text, "with", secret.path);
      if (secret.root != "output") continue;
      for (const char* member : {"value", "default"}) hide_literals(text, member, secret.path);
    }
    if (const auto& child = work_of(step).child) hide_in_document(text["child"], *child);
  }
}

/// The flow with what it marks secret and holds itself hidden: defaults, parameters, values.
Result<Flow> hide_in_flow(const Flow& flow) {
  json document = json::parse(flow.canonical());
  hide_in_document(document, *flow.plan());
  return parse_flow(document.dump());
}

/// An input stays an object, whatever of it is secret.
json hide_in_input(const json& input, const std::vector<Secret>& secrets) {
  json shown = input;
  for (const Secret& secret : secrets) {
    if (secret.root != "input") continue;
    if (!secret.path.empty())
      shown = redacted(shown, {secret}, "input");
    else
      for (json& member : shown) member = hidden;
  }
  return shown;
}

void hide_in_signal(Record& record, const Plan& plan) {
  json body = json::parse(record.body);
  for (const PlannedStep& step : plan.steps)
    if (step.kind == StepKind::await && step.signal == signal_name(record))
      body["payload"] = redacted(body["payload"], step.secrets, "output");
  record.body = body.dump();
}

void hide_in_end(Record& record, const Plan& plan) {
  Result<Outcome> outcome = outcome_from(json::parse(record.body, nullptr, false));
  if (!outcome || !outcome->succeeded()) return;
  outcome->output = shown_run_output(plan, outcome->output);
  record.body = to_json_value(*outcome).dump();
}

Role role_of(const PartName& name) {
  if (name.undo) return Role::undo;
  return name.element ? Role::element : Role::step;
}

void hide_in_output(Record& record, const Plan& plan) {
  const PartName name = part_name_from(record.step);
  const auto step = plan.index.find(name.step);
  if (step == plan.index.end()) return;
  const json output = json::parse(record.body, nullptr, false);
  record.body = shown_output(plan.steps[step->second], output, role_of(name)).dump();
  record.output_digest = digest_of(record.body);
}

void hide_in_record(Record& record, const FlowMachine& machine) {
  const Plan& plan = machine.plan();
  record.value.reset();
  if (record.kind == RecordKind::signal) return hide_in_signal(record, plan);
  if (record.kind == RecordKind::ended) return hide_in_end(record, plan);
  if (holds_output(record) && !record.body.empty()) return hide_in_output(record, plan);
  record.output_digest = Digest{};  // of an output that was not kept, or stands elsewhere
}

void hide_in_progress(Progress& progress, const Plan& plan) {
  const auto step = plan.index.find(part_name_from(progress.step).step);
  if (step == plan.index.end()) return;
  const json value = json::parse(progress.body, nullptr, false);
  progress.body = shown_progress(plan.steps[step->second], value).dump();
}

/// A fork tells the digests of the outputs that it was given: those of what is shown of them.
void hide_in_start(std::vector<Record>& records) {
  const Result<StartFacts> facts = start_facts_of(records);
  if (!facts || !facts->forked_from) return;
  StartFacts shown = *facts;
  for (const Record& record : records)
    if (record.kind == RecordKind::output)
      if (const auto set = shown.forked_from->set.find(record.step);
          set != shown.forked_from->set.end())
        set->second = record.output_digest;
  for (Record& record : records)
    if (record.kind == RecordKind::started && !(shown.forked_from == facts->forked_from))
      record.body = start_body(shown);
}

/// The digest of an attempt's parameters; that of nothing where they cannot be made.
Digest parameters_digest(const FlowMachine& machine, const std::string& part) {
  const std::optional<std::size_t> place = machine.find(part);
  const Result<json> with =
      place ? machine.parameters(*place) : Result<json>(make_error(Errc::corrupt, ""));
  return with ? digest_of(with->dump()) : Digest{};
}

}  // namespace

Result<RunFixture> redacted(const RunFixture& fixture) {
  const Result<FlowMachine> before = replayed(fixture);
  if (!before) return before.error();
  const auto refused = [](const Error& why) {
    return make_error(
        Errc::invalid_argument,
        "this run cannot be redacted, for something in it follows from a secret: " + why.message,
        why.where);
  };
  Result<Flow> flow = hide_in_flow(fixture.flow);
  if (!flow)
    return refused(flow.error().problems.empty()
                       ? flow.error()
                       : make_error(Errc::invalid_flow, flow.error().problems.front().message,
                                    flow.error().problems.front().pointer));
  RunFixture shown{
      std::move(*flow), fixture.run,     hide_in_input(fixture.input, fixture.flow.plan()->secrets),
      fixture.folder,   fixture.records, fixture.progress};
  for (Progress& progress : shown.progress) hide_in_progress(progress, *fixture.flow.plan());
  for (Record& record : shown.records) hide_in_record(record, *before);
  hide_in_start(shown.records);
  const Result<FlowMachine> after = replayed(shown);
  if (!after) return refused(after.error());
  for (Record& record : shown.records) {
    if (record.attempt == 0 || record.input_digest == Digest{}) continue;
    if (record.input_digest != parameters_digest(*before, record.step)) continue;
    const Digest digest = parameters_digest(*after, record.step);
    if (digest == Digest{})
      return refused(
          make_error(Errc::unresolved_reference, "the parameters of step " + record.step));
    record.input_digest = digest;
  }
  return shown;
}

}  // namespace pawl
