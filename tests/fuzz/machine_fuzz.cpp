// The flow machine, told whatever the input says, in any order: records of any kind about any part
// of a run, stored ones with damaged bodies among them, timers that nobody set, types that are
// missing. What cannot follow is refused and changes nothing; an attempt that runs may end in any
// way; what the machine's invariants say holds all the way.
#include <pawl/flow.hpp>
#include <pawl/json.hpp>

#include "fuzz/fuzz.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/replayed.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

using namespace pawl;
using fuzz::demand;

namespace {

const char* const flow_texts[] = {
    R"({"flow": "f", "steps": {"a": {"run": "x"}, "b": {"run": "x", "after": ["a"]},
        "c": {"run": "x", "with": {"v": "{{steps.a.output}}"}, "retry": {"max_attempts": 2}}}})",
    R"({"flow": "f", "input": {"go": true}, "steps": {
        "i": {"if": {"equals": ["{{input.go}}", true]}}, "t": {"run": "x", "when": "i"},
        "u": {"run": "x", "unless": "i"}, "v": {"value": "{{steps.t.output?}}"},
        "s": {"sleep_ms": 5, "after": ["t"]}, "w": {"await": "sig", "timeout_ms": 9, "default": 1}}})",
    R"({"flow": "f", "steps": {"m": {"map": [1, 2, 3], "run": "x", "max_parallel": 2,
        "on_error": "collect", "undo": {"run": "x"}},
        "n": {"run": "x", "after": ["m"], "undo": {"run": "x"}},
        "o": {"run": "x", "after": ["n"], "at_most_once": true, "in_doubt": "ask"}}})",
    R"({"flow": "f", "steps": {"c": {"child": {"flow": "g", "steps": {"l": {"run": "x"}}}},
        "d": {"run": "x", "on_failure": "ask", "default": 7, "timeout_ms": 9}}})"};

/// The flows above that are flows: a plan each.
const std::vector<Flow>& flows() {
  static const std::vector<Flow> all = [] {
    std::vector<Flow> made;
    for (const char* text : flow_texts)
      if (Result<Flow> flow = parse_flow(text)) made.push_back(*flow);
    demand(!made.empty(), "there is a flow to run");
    return made;
  }();
  return all;
}

const char* const bodies[] = {
    "1",
    "null",
    "true",
    "\"x\"",
    "[]",
    "{}",
    "",
    "{",
    R"({"code":"step_failed","message":"m"})",
    R"({"name":"sig","payload":3})",
    R"({"state":"succeeded","output":null,"error":null})",
    R"({"state":"failed","output":null,"error":{"code":"step_failed","step":"a","message":"m"}})",
    R"({"by":"parent"})",
    R"({"labels":{"k":"v"},"priority":3})",
    R"({"parent":{"run":"p","step":"s","depth":1}})",
    "[1,2,3]"};

/// What the invariants are checked against.
struct Witness {
  std::set<std::pair<std::size_t, int>> started;  // place, attempt
  std::set<std::pair<std::size_t, int>> attempts_ended;
  bool ended = false;
};

/// What a machine shows of itself.
struct Shown {
  RunState state;
  bool ended;
  std::int64_t due_ms;
  std::vector<std::tuple<StepState, int, std::optional<std::int64_t>>> places;

  explicit Shown(const FlowMachine& machine)
      : state(machine.state()), ended(machine.outcome().has_value()), due_ms(machine.due_ms()) {
    for (std::size_t i = 0; i < machine.places(); ++i)
      places.emplace_back(machine.step_state(i), machine.attempts(i), machine.wait_end_ms(i));
  }

  bool operator==(const Shown& other) const {
    return state == other.state && ended == other.ended && due_ms == other.due_ms &&
           places == other.places;
  }
};

void look_at(const FlowMachine& machine) {
  static_cast<void>(machine.state());
  static_cast<void>(machine.error());
  static_cast<void>(machine.due_ms());
  static_cast<void>(machine.unpausing());
  static_cast<void>(machine.unblocking());
  static_cast<void>(machine.places_to_undo());
  for (std::size_t i = 0; i < machine.places(); ++i) {
    static_cast<void>(machine.step_state(i));
    static_cast<void>(machine.child_run(i));
    static_cast<void>(machine.wait_end_ms(i));
    demand(machine.attempts(i) >= 0, "attempts are counted from 0");
  }
}

void take(const Result<Commands>& told, const FlowMachine& machine, Witness& witness) {
  if (!told) {
    demand(told.error().code == Errc::corrupt, "what cannot follow is corrupt");
    demand(is_utf8(told.error().text()), "an error is UTF-8");
    return;
  }
  demand(!witness.ended || told->empty(), "nothing is asked for after the end");
  if (machine.outcome()) witness.ended = true;
  for (const Command& command : *told)
    if (const auto* start = std::get_if<StartAttempt>(&command)) {
      demand(start->step < machine.places(), "a place that there is");
      demand(witness.started.emplace(start->step, start->attempt).second,
             "an attempt is started once");
      static_cast<void>(machine.parameters(start->step));
      static_cast<void>(machine.turn_key(start->step));
    }
}

Record record_from(fuzz::Bytes& bytes, const FlowMachine& machine) {
  Record record;
  record.kind = static_cast<RecordKind>(1 + bytes.below(11));
  record.end = static_cast<AttemptEnd>(bytes.below(10));
  record.attempt = static_cast<int>(bytes.below(5));
  const std::size_t who = bytes.below(machine.places() + 6);
  const char* const others[] = {"", "a[7]", "m:undo", "nobody", "m[", "c[0]:undo"};
  record.step = who < machine.places() ? machine.name(who) : others[who - machine.places()];
  const std::size_t body = bytes.below(std::size(bodies) + 1);
  record.body = body < std::size(bodies) ? bodies[body] : bytes.text(bytes.below(40));
  const std::uint8_t more = bytes.byte();
  if ((more & 1) != 0) record.due_ms = bytes.word();
  if ((more & 2) != 0) record.input_digest = digest_of(std::to_string(more & 12));
  if ((more & 16) != 0) record.at_ms = bytes.word();
  record.epoch = 1 + (more >> 6);
  return record;
}

/// The attempts that were started and have not ended.
std::vector<std::pair<std::size_t, int>> running(const Witness& witness) {
  std::vector<std::pair<std::size_t, int>> found;
  std::set_difference(witness.started.begin(), witness.started.end(),
                      witness.attempts_ended.begin(), witness.attempts_ended.end(),
                      std::back_inserter(found));
  return found;
}

void note_end(const Record& record, const FlowMachine& machine, Witness& witness) {
  const bool ends = record.kind == RecordKind::output ||
                    (record.kind == RecordKind::receipt && record.end != AttemptEnd::late &&
                     record.end != AttemptEnd::diverged && record.end != AttemptEnd::succeeded);
  if (const auto place = machine.find(record.step); ends && place)
    witness.attempts_ended.emplace(*place, record.attempt);
}

/// How an attempt that runs may end: as a step runner would record it.
Record end_of(fuzz::Bytes& bytes, const std::string& name, int attempt) {
  constexpr AttemptEnd ends[] = {AttemptEnd::failed,      AttemptEnd::fatal,
                                 AttemptEnd::lost,        AttemptEnd::timed_out,
                                 AttemptEnd::interrupted, AttemptEnd::cancelled};
  constexpr Errc codes[] = {Errc::step_failed, Errc::in_doubt, Errc::inputs_differ,
                            Errc::unresolved_reference};
  Record record;
  record.step = name;
  record.attempt = attempt;
  const std::size_t how = bytes.below(std::size(ends) + 3);
  if (how >= std::size(ends)) {
    record.kind = RecordKind::output;
    record.end = AttemptEnd::succeeded;
    record.body = how == std::size(ends) ? "true" : "[1,2]";
    record.output_digest = digest_of(record.body);
    return record;
  }
  record.kind = RecordKind::receipt;
  record.end = ends[how];
  record.body = error_body(codes[bytes.below(std::size(codes))], "m");
  if (bytes.below(2) == 1) record.due_ms = bytes.word();
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes bytes(data, size);
  const Flow& flow = flows()[bytes.below(flows().size())];
  json input = json{{"go", bytes.below(2) == 0}};
  FlowMachine machine(flow.plan(), RunId::trusted("r1"), input);
  Witness witness;
  std::vector<Record> lawful;
  bool resumed = false;
  Record started;
  started.epoch = 1;
  if (bytes.below(8) != 0) {
    demand(machine.apply(Recorded{started}).has_value(), "a run can be started");
    lawful.push_back(started);
  }
  for (int i = 0; i < 200 && !bytes.empty(); ++i) {
    switch (bytes.below(9)) {
      case 8: {
        const auto open = running(witness);
        if (open.empty() || machine.outcome()) break;
        const auto [place, attempt] = open[bytes.below(open.size())];
        Record record = end_of(bytes, machine.name(place), attempt);
        record.epoch = 1;
        record.seq = static_cast<std::int64_t>(lawful.size()) + 1;
        const Result<Commands> told = machine.apply(Recorded{record});
        demand(told.has_value(), "a running attempt may end in any way");
        note_end(record, machine, witness);
        lawful.push_back(record);
        take(told, machine, witness);
        break;
      }
      case 0:
        if (resumed) break;  // said once, as whoever uses it must
        resumed = true;
        take(machine.apply(Resumed{}), machine, witness);
        break;
      case 1:
        take(machine.apply(
                 TimerOver{bytes.below(machine.places()), static_cast<int>(bytes.below(5))}),
             machine, witness);
        break;
      case 2:
        take(machine.apply(StepTypeMissing{bytes.below(machine.places())}), machine, witness);
        break;
      case 3: take(machine.apply(EndPostponed{}), machine, witness); break;
      default: {
        Record record = record_from(bytes, machine);
        record.seq = static_cast<std::int64_t>(lawful.size()) + 1;
        const Shown before(machine);
        const Result<Commands> told = machine.apply(Recorded{record});
        if (told) {
          lawful.push_back(record);
          note_end(record, machine, witness);
        } else {
          demand(Shown(machine) == before, "what is refused changes nothing");
        }
        take(told, machine, witness);
      }
    }
    look_at(machine);
  }
  // Another process reads the same records, and comes to the same state.
  const Result<FlowMachine> again = replayed(flow, "r1", input, lawful);
  demand(again.has_value(), "records that were lawful once are so again");
  demand(again->outcome().has_value() == machine.outcome().has_value(), "and lead to the same end");
  return 0;
}
