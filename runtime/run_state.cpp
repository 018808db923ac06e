#include <pawl/record.hpp>
#include <pawl/run_state.hpp>

#include <ostream>

namespace pawl {

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::running: return "running";
    case RunState::waiting: return "waiting";
    case RunState::blocked: return "blocked";
    case RunState::paused: return "paused";
    case RunState::failing: return "failing";
    case RunState::cancelling: return "cancelling";
    case RunState::succeeded: return "succeeded";
    case RunState::failed: return "failed";
    case RunState::cancelled: return "cancelled";
  }
  return "unknown";
}

std::string_view to_string(StepState state) {
  switch (state) {
    case StepState::pending: return "pending";
    case StepState::running: return "running";
    case StepState::waiting: return "waiting";
    case StepState::blocked: return "blocked";
    case StepState::succeeded: return "succeeded";
    case StepState::failed: return "failed";
    case StepState::cancelled: return "cancelled";
    case StepState::not_started: return "not_started";
    case StepState::excluded: return "excluded";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, RunState state) {
  return out << to_string(state);
}

std::ostream& operator<<(std::ostream& out, StepState state) {
  return out << to_string(state);
}

bool is_run_state(int number) {
  return number >= static_cast<int>(RunState::running) &&
         number <= static_cast<int>(RunState::cancelled);
}

std::optional<RunState> run_state_from(std::string_view word) {
  for (int i = static_cast<int>(RunState::running); is_run_state(i); ++i)
    if (to_string(static_cast<RunState>(i)) == word) return static_cast<RunState>(i);
  return std::nullopt;
}

bool is_ended(RunState state) {
  return state == RunState::succeeded || state == RunState::failed || state == RunState::cancelled;
}

json to_json_value(const RunError& error) {
  return json{{"code", to_string(error.code)}, {"step", error.step}, {"message", error.message}};
}

json to_json_value(const Outcome& outcome) {
  json value{{"state", to_string(outcome.state)}, {"output", outcome.output}};
  value["error"] = outcome.error ? to_json_value(*outcome.error) : json(nullptr);
  return value;
}

Result<Outcome> outcome_from(const json& value) {
  const auto text = [](const json& object, const char* key) {
    const auto member = object.find(key);
    return member != object.end() && member->is_string() ? member->get<std::string>()
                                                         : std::string();
  };
  const auto state = value.is_object() ? run_state_from(text(value, "state")) : std::nullopt;
  if (!state || !is_ended(*state) || !value.contains("output") || !value.contains("error"))
    return make_error(Errc::corrupt, "a run's stored end is not readable");
  Outcome outcome{*state, value["output"], std::nullopt};
  const json& error = value["error"];
  if (error.is_object())
    outcome.error =
        RunError{errc_from(text(error, "code")), text(error, "step"), text(error, "message")};
  return outcome;
}

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << to_json_value(outcome).dump();
}

}  // namespace pawl
