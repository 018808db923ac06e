#include <pawl/limits.hpp>
#include <pawl/run_diff.hpp>
#include <pawl/signal.hpp>

#include "runtime/flow_machine.hpp"
#include "runtime/part_name.hpp"
#include "runtime/replayed.hpp"
#include "runtime/validate.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace pawl {

namespace {

using Kind = DiffFinding::Kind;

constexpr std::size_t places_told = 5;

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < places_told; ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > places_told)
    text += " and " + std::to_string(names.size() - places_told) + " more";
  return text;
}

/// Where two values differ, and no value itself.
std::vector<std::string> places_of_difference(const json& before, const json& now) {
  std::vector<std::string> places;
  const json patch = json::diff(before, now);
  for (const json& change : patch) {
    const std::string path = change["path"].get<std::string>();
    places.push_back(path.empty() ? "/" : path);
  }
  return places;
}

json merged_input(const RunFixture& run, const Flow& flow) {
  json merged = flow.plan()->input_defaults;
  merged.update(run.input);
  return merged;
}

class Comparison {
 public:
  Comparison(const RunFixture& run, const Flow& flow, FlowMachine before)
      : run_(run),
        flow_(flow),
        before_(std::move(before)),
        after_(flow.plan(), RunId::trusted(run.run), merged_input(run, flow)),
        old_document_(json::parse(run.flow.canonical())),
        new_document_(json::parse(flow.canonical())) {
    for (const Record& record : run.records)
      if (!record.step.empty() && record.kind != RecordKind::signal)
        begun_.insert(part_name_from(record.step).step);
    for (std::size_t i = 0; i < before_.places(); ++i)
      if (before_.attempts(i) > 0) begun_.insert(part_name_from(before_.name(i)).step);
  }

  RunDiff compare() {
    replay();
    compare_input();
    for (const PlannedStep& step : flow_.plan()->steps) compare_step(step);
    for (const PlannedStep& step : run_.flow.plan()->steps)
      if (flow_.plan()->index.count(step.name.str()) == 0) tell_gone(step.name.str());
    compare_signals();
    if (run_.flow.plan()->output.has_value() != flow_.plan()->output.has_value() ||
        old_document_.value("output", json()) != new_document_.value("output", json()))
      find("", Kind::step_changed, false, "the flow's output is another");
    if (run_.flow.plan()->priority != flow_.plan()->priority)
      find("", Kind::step_changed, false, "the flow's priority is another; the run keeps its own");
    std::stable_sort(
        diff_.findings.begin(), diff_.findings.end(),
        [](const DiffFinding& a, const DiffFinding& b) { return a.breaks && !b.breaks; });
    return std::move(diff_);
  }

 private:
  void find(const std::string& step, Kind kind, bool breaks, std::string message) {
    diff_.findings.push_back({step, kind, breaks, std::move(message)});
  }

  bool broken(const std::string& step) const {
    return std::any_of(
        diff_.findings.begin(), diff_.findings.end(),
        [&](const DiffFinding& finding) { return finding.step == step && finding.breaks; });
  }

  void replay() {
    for (const Record& record : run_.records) {
      if (record.kind == RecordKind::ended) compare_end(record);
      const Result<Commands> applied = after_.apply(Recorded{record});
      if (applied) continue;
      const bool of_step = record.kind != RecordKind::signal && !record.step.empty();
      return find(of_step ? part_name_from(record.step).step : "", Kind::record_refused, true,
                  applied.error().message);
    }
  }

  /// What the new flow would have done where the run has ended.
  void compare_end(const Record& record) {
    const Result<Outcome> ended = outcome_of(record);
    FlowMachine machine = after_;
    const Result<Commands> commands = machine.apply(Resumed{});
    if (!ended || !commands) return;
    for (const Command& command : *commands)
      if (const auto* end = std::get_if<EndRun>(&command)) {
        if (to_json_value(end->outcome) != to_json_value(*ended))
          find("", Kind::end_differs, false,
               end->outcome.state == ended->state
                   ? "the run's end would say something else"
                   : "the run would have ended as " + std::string(to_string(end->outcome.state)) +
                         ", not as " + std::string(to_string(ended->state)));
        return;
      }
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < flow_.plan()->steps.size(); ++i)
      if (!settled(after_, i)) missing.push_back(flow_.plan()->steps[i].name.str());
    find("", Kind::end_differs, false,
         "the run would not have ended yet; it has no output of " + listed(missing));
  }

  void compare_input() {
    for (const Problem& problem : missing_input(*flow_.plan(), merged_input(run_, flow_)))
      find("", Kind::input_missing, true, problem.pointer + ": " + problem.message);
  }

  static bool settled(const FlowMachine& machine, std::size_t i) {
    return machine.step_output(i) || machine.step_state(i) == StepState::excluded;
  }

  /// Whether all is there that a step's templates name.
  static bool is_ready(const FlowMachine& machine, std::size_t i) {
    const auto& needs = machine.plan().steps[i].needs;
    return std::all_of(needs.begin(), needs.end(),
                       [&](std::size_t need) { return settled(machine, need); });
  }

  void compare_step(const PlannedStep& step) {
    const std::string& name = step.name.str();
    const auto old = run_.flow.plan()->index.find(name);
    if (old == run_.flow.plan()->index.end())
      return find(name, Kind::step_new, false, "the run's flow has no such step");
    const PlannedStep& before = run_.flow.plan()->steps[old->second];
    const bool other_type = before.kind != step.kind || before.type != step.type ||
                            !work_of(before).child != !work_of(step).child;
    const bool other_child = !other_type && differs(work_of(before).child, work_of(step).child);
    if (other_type)
      find(name, Kind::type_differs, begun_.count(name) > 0,
           "it was " + what_it_is(before) + ", and is " + what_it_is(step));
    else if (other_child)
      find(name, Kind::type_differs, begun_.count(name) > 0,
           "its child's flow is another; whether the child's run fits it is a question of its own");
    else
      compare_parts(name);
    compare_value(old->second, flow_.plan()->index.at(name));
    compare_needs(before, step);
    if (!broken(name) && !other_type && !other_child) compare_members(name);
  }

  static bool differs(const std::shared_ptr<const Plan>& before,
                      const std::shared_ptr<const Plan>& now) {
    return before && now && before->digest != now->digest;
  }

  /// Whether a fork was given the step's output, which then follows from nothing.
  bool was_given(const std::string& step) const {
    const std::optional<ForkedFrom>& fork = before_.start_facts().forked_from;
    return fork && fork->set.count(step) > 0;
  }

  /// Whether a fork shares what attempts came to in another run.
  bool is_shared(std::size_t i) const {
    return before_.start_facts().forked_from && before_.attempts(i) == 0 &&
           (before_.step_output(i) || before_.step_error(i));
  }

  /// The step's attempts, those of its elements and of their undos, and shared ones.
  void compare_parts(const std::string& step) {
    if (was_given(step)) return;
    for (std::size_t i = 0; i < before_.places(); ++i) {
      const std::string& part = before_.name(i);
      const StepKind kind = before_.definition(i).kind;
      const bool was_performed = before_.attempts(i) > 0 || is_shared(i);
      if ((kind != StepKind::task && kind != StepKind::child) || !was_performed ||
          part_name_from(part).step != step)
        continue;
      if (broken(step)) return;  // one is enough
      compare_part(part, i);
    }
  }

  void compare_part(const std::string& part, std::size_t old_place) {
    const PartName name = part_name_from(part);
    const std::optional<std::size_t> place = after_.find(part);
    if (!place || !is_ready(after_, flow_.plan()->index.at(name.step))) return;  // see replay
    const std::string which = name.str() == name.step ? "" : part + ": ";
    if (after_.definition(*place).type != before_.definition(old_place).type)
      return find(name.step, Kind::type_differs, true,
                  which + "it was " + before_.definition(old_place).type + ", and is " +
                      after_.definition(*place).type);
    const Result<json> before = before_.parameters(old_place);
    const Result<json> now = after_.parameters(*place);
    std::optional<Digest> recorded;
    if (before) recorded = digest_of(before->dump());
    for (const Record& record : run_.records)
      if (record.step == part && record.attempt > 0 && record.input_digest != Digest{})
        recorded = record.input_digest;
    const std::optional<Digest> new_digest =
        now ? std::optional<Digest>(digest_of(now->dump())) : std::nullopt;
    if (new_digest == recorded) return;
    std::string message = which + "its attempts had other parameters";
    if (!now)
      message = which + "it would have no parameters: " + now.error().message;
    else if (before && *before != *now)
      message += " at " + listed(places_of_difference(*before, *now));
    find(name.step, Kind::parameters_differ, true, std::move(message));
  }

  /// What the engine computes for a step: a decision, a value, the array of a map, a default.
  static std::optional<json> computed(const FlowMachine& machine, std::size_t i) {
    std::vector<const json*> outputs;
    for (std::size_t step = 0; step < machine.plan().steps.size(); ++step)
      outputs.push_back(machine.step_output(step).get());
    const Result<json> value = machine.definition(i).body.evaluate(
        {machine.input(), machine.run().str(), outputs}, Limits::with_bytes_max);
    return value ? std::optional<json>(*value) : std::nullopt;
  }

  /// Whether what a step computes has become part of the run.
  bool was_computed(std::size_t old_step) const {
    const PlannedStep& step = run_.flow.plan()->steps[old_step];
    if (step.kind == StepKind::map) return begun_.count(step.name.str()) > 0;
    if (step.kind == StepKind::sleep || was_given(step.name.str())) return false;
    const auto output =
        std::find_if(run_.records.begin(), run_.records.end(), [&](const Record& record) {
          return record.kind == RecordKind::output && record.step == step.name.str();
        });
    if (output == run_.records.end()) return false;
    if (step.kind == StepKind::branch || step.kind == StepKind::value) return true;
    return step.has_default && output->attempt == 0 && output->input_digest == Digest{} &&
           computed(before_, old_step) == *before_.step_output(old_step);
  }

  void compare_value(std::size_t old_step, std::size_t step) {
    const PlannedStep& before = run_.flow.plan()->steps[old_step];
    const PlannedStep& now = flow_.plan()->steps[step];
    const std::string& name = now.name.str();
    if (before.kind != now.kind || !was_computed(old_step) || !is_ready(after_, step)) return;
    if (computed(before_, old_step) != computed(after_, step))
      find(name, Kind::value_differs, true,
           before.kind == StepKind::map ? "it would map over another array"
                                        : "it would have another output than the stored one");
    else if (before.collect != now.collect)
      find(name, Kind::value_differs, true, "on_error is another, and so is the output's shape");
  }

  static std::set<std::string> needs_of(const Plan& plan, const PlannedStep& step) {
    std::set<std::string> names;
    for (const std::size_t need : step.needs) names.insert(plan.steps[need].name.str());
    return names;
  }

  void compare_needs(const PlannedStep& before, const PlannedStep& now) {
    const std::set<std::string> old_needs = needs_of(*run_.flow.plan(), before);
    const std::set<std::string> new_needs = needs_of(*flow_.plan(), now);
    const auto less = [](const std::set<std::string>& all, const std::set<std::string>& other) {
      std::vector<std::string> rest;
      std::set_difference(all.begin(), all.end(), other.begin(), other.end(),
                          std::back_inserter(rest));
      return rest;
    };
    const std::vector<std::string> added = less(new_needs, old_needs);
    const std::vector<std::string> gone = less(old_needs, new_needs);
    if (added.empty() && gone.empty()) return;
    const std::string& name = now.name.str();
    const bool refused =
        std::any_of(diff_.findings.begin(), diff_.findings.end(), [&](const DiffFinding& finding) {
          return finding.kind == Kind::record_refused && finding.step == name;
        });
    find(name, Kind::dependencies_differ, refused && !added.empty(),
         (added.empty() ? "" : "it waits for " + listed(added) + " too") +
             (added.empty() || gone.empty() ? "" : "; ") +
             (gone.empty() ? "" : "it no longer waits for " + listed(gone)));
  }

  /// What else the flow says of the step.
  void compare_members(const std::string& name) {
    const json& before = old_document_["steps"][name];
    const json& now = new_document_["steps"][name];
    std::set<std::string> members;
    for (const json* step : {&before, &now})
      for (const auto& [member, value] : step->items()) members.insert(member);
    std::vector<std::string> differing;
    for (const std::string& member : members)
      if (member != "description" && member != "after" &&
          (before.contains(member) != now.contains(member) ||
           before.value(member, json()) != now.value(member, json())))
        differing.push_back(member);
    if (!differing.empty())
      find(name, Kind::step_changed, false, "its flow says something else: " + listed(differing));
  }

  void tell_gone(const std::string& name) {
    const bool breaks = begun_.count(name) > 0;
    find(name, Kind::step_gone, breaks,
         breaks ? "the new flow has no such step, and the run has begun it"
                : "the new flow has no such step");
  }

  void compare_signals() {
    std::set<std::string> awaited;
    for (const AwaitedSignal& wait : awaited_signals(flow_, run_.run))
      if (wait.run == run_.run) awaited.insert(wait.signal);
    for (const Record& record : run_.records)
      if (record.kind == RecordKind::signal && awaited.insert(signal_name(record)).second)
        find("", Kind::signal_unawaited, false,
             "no step awaits the signal \"" + signal_name(record) + "\", which has come");
  }

  const RunFixture& run_;
  const Flow& flow_;
  FlowMachine before_;
  FlowMachine after_;  // as far as the records could be replayed
  json old_document_;
  json new_document_;
  std::set<std::string> begun_;  // steps with records or attempts
  RunDiff diff_;
};

}  // namespace

std::string_view to_string(DiffFinding::Kind kind) {
  switch (kind) {
    case Kind::record_refused: return "record_refused";
    case Kind::step_gone: return "step_gone";
    case Kind::step_new: return "step_new";
    case Kind::type_differs: return "type_differs";
    case Kind::parameters_differ: return "parameters_differ";
    case Kind::value_differs: return "value_differs";
    case Kind::input_missing: return "input_missing";
    case Kind::dependencies_differ: return "dependencies_differ";
    case Kind::step_changed: return "step_changed";
    case Kind::signal_unawaited: return "signal_unawaited";
    case Kind::end_differs: return "end_differs";
  }
  return "step_changed";
}

bool RunDiff::fits() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const DiffFinding& finding) { return finding.breaks; });
}

Result<RunDiff> diff_run(const RunFixture& run, const Flow& flow) {
  Result<FlowMachine> before = replayed(run);
  if (!before) {
    Error error = before.error();
    error.where = run.run;
    return error;
  }
  return Comparison(run, flow, std::move(*before)).compare();
}

json to_json_value(const RunDiff& diff) {
  json findings = json::array();
  for (const DiffFinding& finding : diff.findings)
    findings.push_back(json{{"step", finding.step},
                            {"kind", to_string(finding.kind)},
                            {"breaks", finding.breaks},
                            {"message", finding.message}});
  return json{{"fits", diff.fits()}, {"findings", std::move(findings)}};
}

}  // namespace pawl
