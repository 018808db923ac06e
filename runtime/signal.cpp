#include <pawl/ids.hpp>
#include <pawl/limits.hpp>
#include <pawl/signal.hpp>

#include "runtime/child_run.hpp"
#include "runtime/nearest_name.hpp"
#include "runtime/part_name.hpp"
#include "runtime/plan.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

Result<Record> signal_record(const Signal& signal) {
  if (const Result<RunId> id = RunId::parse(signal.id); !id)
    return make_error(Errc::invalid_argument, "the signal's id: " + id.error().message, signal.id);
  // Looked at before it is copied: it may be deeper than a copy can go.
  Result<std::string> body = canonical_json(signal.payload, Limits::output_bytes_max);
  if (body)
    body = canonical_json(json{{"name", signal.name}, {"payload", signal.payload}},
                          Limits::output_bytes_max + 1024);
  if (!body) return make_error(body.error().code, "the signal's payload: " + body.error().message);
  Record record;
  record.kind = RecordKind::signal;
  record.step = signal.id;
  record.body = std::move(*body);
  return record;
}

std::string signal_name(const Record& record) {
  const json body = json::parse(record.body, nullptr, false);
  const auto name = body.is_object() ? body.find("name") : body.end();
  return name != body.end() && name->is_string() ? name->get<std::string>() : std::string();
}

namespace {

void note_awaited(const Plan& plan, const std::string& run, std::vector<AwaitedSignal>& awaited) {
  for (const PlannedStep& step : plan.steps) {
    if (step.kind == StepKind::await) awaited.push_back({run, step.name.str(), step.signal});
    const PlannedStep& work = work_of(step);
    if (!work.child) continue;
    PartName part{step.name.str(), std::nullopt, false};
    if (!step.each) note_awaited(*work.child, child_run_id(run, part.str()), awaited);
    for (std::size_t i = 0; step.each && i < 3; ++i) {
      part.element = i;
      note_awaited(*work.child, child_run_id(run, part.str()), awaited);
    }
  }
}

}  // namespace

std::vector<AwaitedSignal> awaited_signals(const Flow& flow, const std::string& run) {
  std::vector<AwaitedSignal> awaited;
  note_awaited(*flow.plan(), run, awaited);
  return awaited;
}

Result<void> check_awaited(const Plan& plan, const std::string& name) {
  std::vector<std::string_view> awaited;
  for (const PlannedStep& step : plan.steps)
    if (step.kind == StepKind::await &&
        std::find(awaited.begin(), awaited.end(), step.signal) == awaited.end())
      awaited.push_back(step.signal);
  if (std::find(awaited.begin(), awaited.end(), name) != awaited.end()) return {};
  return make_error(Errc::invalid_argument, "no step of the run's flow awaits a signal \"" +
                                                printable_text(name, 80) + "\"" +
                                                did_you_mean(name, awaited));
}

}  // namespace pawl
