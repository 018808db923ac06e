#include "runtime/run_times.hpp"

#include <algorithm>

namespace pawl {

namespace {

/// Whether the record ends an attempt, or what no attempt performs, one way or the other.
bool concludes(const Record& record) {
  if (record.kind == RecordKind::output) return true;
  return record.kind == RecordKind::receipt && record.end != AttemptEnd::late &&
         record.end != AttemptEnd::diverged && record.end != AttemptEnd::succeeded;
}

}  // namespace

RunTimes run_times(const FlowMachine& machine, const std::vector<Record>& records) {
  RunTimes times;
  std::vector<const Record*> last(machine.places());
  for (const Record& record : records) {
    if (record.kind == RecordKind::started) times.started_ms = record.at_ms;
    if (record.kind == RecordKind::ended) times.ended_ms = record.at_ms;
    if (!concludes(record)) continue;
    if (const std::optional<std::size_t> i = machine.find(record.step)) last[*i] = &record;
  }
  times.places_ended_ms.resize(machine.places());
  for (std::size_t i = 0; i < machine.places(); ++i) {
    if (last[i] == nullptr) continue;
    const StepState state = machine.step_state(i);
    const bool ended = state == StepState::succeeded || state == StepState::failed ||
                       (state == StepState::cancelled && last[i]->end == AttemptEnd::cancelled);
    if (ended) times.places_ended_ms[i] = last[i]->at_ms;
  }
  // A map that an element failed has no record of that: it failed with its first failed element.
  for (std::size_t i = 0; i < machine.places(); ++i) {
    if (machine.role(i) != Role::element || machine.step_state(i) != StepState::failed) continue;
    const std::size_t map = machine.owner(i);
    if (last[map] != nullptr || machine.step_state(map) != StepState::failed) continue;
    std::optional<std::int64_t>& map_ended_ms = times.places_ended_ms[map];
    const std::optional<std::int64_t>& ended_ms = times.places_ended_ms[i];
    if (ended_ms) map_ended_ms = std::min(map_ended_ms.value_or(*ended_ms), *ended_ms);
  }
  return times;
}

}  // namespace pawl
