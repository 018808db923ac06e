// A run told event by event, and what the machine asked for, as text.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/signal.hpp>

#include "runtime/attempt.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/pause.hpp"

#include <string>

namespace pawl {

class Story {
 public:
  explicit Story(const std::string& flow, json input = json::object())
      : machine(parse_flow(flow).value().plan(), RunId::trusted("r1"), std::move(input)) {}

  // Records. Each gives what the machine then asked for; an unlawful one gives "unlawful".

  std::string started(std::int64_t epoch = 1) {
    return take(record(RecordKind::started, AttemptEnd::none, "", 0), epoch);
  }

  std::string output(const std::string& step, int attempt, const json& value = nullptr,
                     std::int64_t epoch = 1) {
    Record output = record(RecordKind::output, AttemptEnd::succeeded, step, attempt);
    output.body = value.dump();
    return take(std::move(output), epoch);
  }

  std::string receipt(const std::string& step, int attempt, AttemptEnd end, std::int64_t due_ms = 0,
                      std::int64_t epoch = 1) {
    Record receipt = record(RecordKind::receipt, end, step, attempt);
    receipt.body =
        error_body(Errc::step_failed, std::string(to_string(end)) + " " + std::to_string(attempt));
    receipt.due_ms = due_ms;
    return take(std::move(receipt), epoch);
  }

  /// A receipt of an attempt that had these parameters.
  std::string receipt_with(const std::string& step, int attempt, AttemptEnd end, Errc code,
                           const json& with) {
    Record receipt = record(RecordKind::receipt, end, step, attempt);
    receipt.body = error_body(code, "why");
    receipt.input_digest = digest_of(with.dump());
    return take(std::move(receipt), 1);
  }

  std::string opened(const std::string& step, int attempt, std::int64_t epoch = 1) {
    return take(record(RecordKind::opened, AttemptEnd::none, step, attempt), epoch);
  }

  std::string cancelled() {
    return take(record(RecordKind::cancel_requested, AttemptEnd::none, "", 0), 1);
  }

  std::string unblocked() {
    return take(record(RecordKind::unblocked, AttemptEnd::none, "", 0), 1);
  }

  /// An own step's record, as the machine asked for it to be written.
  std::string wrote(const std::string& step, const json& value, const std::string& signal = {},
                    std::int64_t at_ms = 0) {
    Record output = record(RecordKind::output, AttemptEnd::succeeded, step, 0);
    output.body = value.dump();
    output.at_ms = at_ms;
    if (!signal.empty()) output.input_digest = digest_of(signal);
    return take(std::move(output), 1);
  }

  std::string failed(const std::string& step, Errc code, const std::string& why) {
    Record receipt = record(RecordKind::receipt, AttemptEnd::fatal, step, 0);
    receipt.body = error_body(code, why);
    return take(std::move(receipt), 1);
  }

  std::string signalled(const std::string& name, const json& payload, const std::string& id) {
    return take(signal_record({name, payload, id}).value(), 1);
  }

  std::string paused(PausedBy by = PausedBy::person) { return take(pause_record(true, by), 1); }

  std::string unpaused(PausedBy by = PausedBy::person) { return take(pause_record(false, by), 1); }

  /// What `FlowMachine::unpausing` gives, one record after the other.
  std::string let_go() {
    std::string text;
    for (const Record& record : machine.unpausing()) {
      if (!text.empty()) text += " | ";
      text += take(record, 1);
    }
    return text;
  }

  /// A receipt of an answer that was not used.
  std::string unused(const std::string& step, int attempt, AttemptEnd end, const json& output) {
    Record receipt = record(RecordKind::receipt, end, step, attempt);
    receipt.body = output.dump();
    receipt.output_digest = digest_of(receipt.body);
    return take(std::move(receipt), 1);
  }

  std::string undoing(const Outcome& end) {
    Record undoing = record(RecordKind::undoing, AttemptEnd::none, "", 0);
    undoing.body = to_json_value(end).dump();
    return take(std::move(undoing), 1);
  }

  std::string ended(const Outcome& outcome) {
    Record ended = record(RecordKind::ended, AttemptEnd::none, "", 0);
    ended.body = to_json_value(outcome).dump();
    return take(std::move(ended), 1);
  }

  // Events of this process.

  std::string resumed() { return told(machine.apply(Resumed{})); }

  std::string over(const std::string& step, int attempt) {
    return told(machine.apply(TimerOver{at(step), attempt}));
  }

  std::string type_missing(const std::string& step) {
    return told(machine.apply(StepTypeMissing{at(step)}));
  }

  std::string postponed() { return told(machine.apply(EndPostponed{})); }

  std::size_t at(const std::string& step) const { return machine.find(step).value(); }

  std::string state(const std::string& step) const {
    return std::string(to_string(machine.step_state(at(step))));
  }

  FlowMachine machine;
  std::vector<Record> records;  ///< those that were lawful, in order

 private:
  static Record record(RecordKind kind, AttemptEnd end, const std::string& step, int attempt) {
    Record record;
    record.kind = kind;
    record.end = end;
    record.step = step;
    record.attempt = attempt;
    return record;
  }

  std::string take(Record record, std::int64_t epoch) {
    record.epoch = epoch;
    record.seq = static_cast<std::int64_t>(records.size()) + 1;
    Result<Commands> commands = machine.apply(Recorded{record});
    if (commands) records.push_back(std::move(record));
    return told(commands);
  }

  std::string told(const Result<Commands>& commands) const {
    if (!commands) return "unlawful";
    std::string text;
    for (const Command& command : *commands) {
      if (!text.empty()) text += "; ";
      std::visit([&](const auto& what) { text += tell(what); }, command);
    }
    return text;
  }

  std::string name(std::size_t step, int attempt) const {
    return machine.name(step) + "#" + std::to_string(attempt);
  }

  std::string tell(const StartAttempt& start) const {
    const Result<json> with = machine.parameters(start.step);
    return "start " + name(start.step, start.attempt) +
           (with ? (with->empty() ? "" : " " + with->dump())
                 : " " + std::string(to_string(with.error().code))) +
           (start.input_digest == Digest{} ? "" : " like " + start.input_digest.hex());
  }

  std::string tell(const AwaitTimer& wait) const {
    return "wait " + name(wait.step, wait.attempt) + " until " + std::to_string(wait.due_ms) +
           " at most " + std::to_string(wait.longest_ms);
  }

  std::string tell(const OpenAttempt& open) const {
    return "open " + name(open.step, open.attempt);
  }

  std::string tell(const WriteRecord& write) const {
    const Record& record = write.record;
    return "write " + std::string(to_string(record.kind)) + " " + record.step + " " + record.body;
  }

  std::string tell(const CancelAttempt& cancel) const {
    return "cancel " + name(cancel.step, cancel.attempt);
  }

  std::string tell(const WithdrawAttempt& withdraw) const {
    return "withdraw " + name(withdraw.step, withdraw.attempt) +
           (withdraw.started ? " if it waits" : "");
  }

  std::string tell(const HoldChild& hold) const {
    return (hold.paused ? "pause child " : "unpause child ") + hold.run;
  }

  std::string tell(const StartChild& start) const {
    return "child " + start.run + " " + start.text;
  }

  std::string tell(const CancelChild& cancel) const { return "cancel child " + cancel.run; }

  std::string tell(const EndRun& end) const {
    std::string text = "end " + std::string(to_string(end.outcome.state));
    if (end.outcome.succeeded()) text += " " + end.outcome.output.dump();
    if (end.outcome.error && end.outcome.error->code != Errc::cancelled)
      text += " " + std::string(to_string(end.outcome.error->code)) + " " + end.outcome.error->step;
    return text;
  }
};

/// The story of a flow of these steps, told to go on.
inline Story begun(const std::string& steps, json input = json::object()) {
  Story story(R"({"flow": "f", "steps": {)" + steps + "}}", std::move(input));
  story.resumed();
  return story;
}

}  // namespace pawl
