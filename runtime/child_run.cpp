#include "runtime/child_run.hpp"

#include <pawl/json.hpp>
#include <pawl/limits.hpp>

#include "runtime/part_name.hpp"
#include "runtime/plan.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

namespace {

std::string longest_child_id(const Plan& plan, const std::string& run) {
  std::string longest = run;
  for (const PlannedStep& step : plan.steps) {
    const PlannedStep& work = work_of(step);
    if (!work.child) continue;
    PartName name{step.name.str(), std::nullopt, false};
    if (step.each) name.element = Limits::elements_max - 1;
    std::string id = longest_child_id(*work.child, child_run_id(run, name.str()));
    if (id.size() > longest.size()) longest = std::move(id);
  }
  return longest;
}

}  // namespace

std::string child_run_id(const std::string& parent, const std::string& step) {
  const PartName name = part_name_from(step);
  return parent + "." + name.step + (name.element ? "." + std::to_string(*name.element) : "");
}

std::vector<std::string> runs_above(const ParentStep& parent) {
  std::vector<std::string> runs{parent.run};
  // Steps' names have no dots and begin with no digit, so that each id tells the one above it.
  for (int depth = parent.depth; depth > 1; --depth) {
    std::string above = runs.back();
    const auto is_number = [&](std::size_t dot) {
      return above.find_first_not_of("0123456789", dot + 1) == std::string::npos;
    };
    auto dot = above.rfind('.');
    if (dot != std::string::npos && is_number(dot)) {
      above.resize(dot);
      dot = above.rfind('.');
    }
    if (dot == std::string::npos) break;
    above.resize(dot);
    runs.push_back(std::move(above));
  }
  return runs;
}

Result<void> check_child_ids(const Plan& plan, const std::string& run) {
  const std::string longest = longest_child_id(plan, run);
  if (longest.size() <= Limits::name_bytes_max) return {};
  return make_error(Errc::invalid_argument,
                    "the run's id is too long for the ids of its child runs, such as " + longest +
                        ", which have at most " + std::to_string(Limits::name_bytes_max) +
                        " bytes: choose a shorter one",
                    run);
}

Record conclude_child(const std::string& child, const std::string& step, const Outcome& end,
                      std::int64_t started_ms, std::int64_t now_ms) {
  Record record;
  record.step = step;
  record.attempt = 1;
  record.started_ms = started_ms;
  record.duration_ms = std::max<std::int64_t>(0, now_ms - started_ms);
  if (end.succeeded()) {
    record.kind = RecordKind::output;
    record.end = AttemptEnd::succeeded;
    record.body = canonical_json(end.output, Limits::output_bytes_max).value();
    record.output_digest = digest_of(record.body);
    record.value = std::make_shared<const json>(end.output);
    return record;
  }
  record.kind = RecordKind::receipt;
  record.end = end.state == RunState::cancelled ? AttemptEnd::cancelled : AttemptEnd::fatal;
  std::string why = "its run " + child + " was cancelled";
  if (end.state != RunState::cancelled) {
    why = "its run " + child + " failed";
    if (end.error)
      why += ": " + std::string(to_string(end.error->code)) +
             (end.error->step.empty() ? "" : ", step " + end.error->step) + ": " +
             end.error->message;
  }
  record.body = error_body(Errc::child_failed, why);
  return record;
}

}  // namespace pawl
