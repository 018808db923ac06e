// Random flows, run by the machine alone with everything in random order and crashes between, must
// come to what the language's rules say.
#include <pawl/flow.hpp>
#include <pawl/fork.hpp>
#include <pawl/run_diff.hpp>

#include "runtime/attempt.hpp"
#include "runtime/child_run.hpp"
#include "runtime/flow_machine.hpp"
#include "runtime/part_name.hpp"
#include "runtime/pause.hpp"
#include "support/catch.hpp"
#include "support/flow_property.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <map>
#include <memory>

using namespace pawl;

namespace {

/// Carries out what a machine asks for, in random order; its log is all that a crash leaves.
class Driver {
 public:
  /// Given: for a child `below`, what its run's id adds to that of the first run.
  Driver(const RandomFlow& random, const Flow& flow, std::uint64_t seed,
         json input = json::object(), std::string below = "")
      : random_(random), flow_(flow), chance_(seed), below_(std::move(below)) {
    if (below_.empty()) signals_.assign(random.signals.begin(), random.signals.end());
    input_ = flow_.plan()->input_defaults;
    input_.update(input);
    machine_ = fresh();
    write(record(RecordKind::started));
    tell(Resumed{});
  }

  /// Goes on with a fork. Signals that it has not come again.
  Driver(const RandomFlow& random, const RunFork& fork, std::uint64_t seed)
      : random_(random), flow_(fork.flow), chance_(seed), input_(fork.input) {
    machine_ = fresh();
    Record started = record(RecordKind::started);
    started.body = fork.body;
    write(std::move(started));
    for (const Record& shared : fork.shared) write(shared);
    if (chance_.below(2) == 0)
      for (const Record& interrupted : fork.interrupted) write(interrupted);
    for (const Signal& signal : random.signals)
      if (std::none_of(fork.shared.begin(), fork.shared.end(),
                       [&](const Record& shared) { return shared.step == signal.id; }))
        signals_.push_back(signal);
    tell(Resumed{});
  }

  /// What is stored of it, as that of the run `id`.
  RunFixture fixture(const std::string& id) const {
    return {flow_, id, input_, "/", {log_.begin(), log_.end()}};
  }

  /// The end of the run; nothing if it never ends, or not within so many turns.
  std::optional<Outcome> run(int turns = 2000) {
    for (int i = 0; i < turns && !machine_->outcome(); ++i) {
      if (chance_.below(15) == 0) crash();
      if (machine_->outcome()) break;
      // As the coordinator does: what comes while the end is being written waits for it.
      if (!end_ && chance_.below(paused_ ? 6 : 40) == 0) pause();
      if (machine_->outcome()) break;
      if (end_)
        do_end();
      else if (!signals_.empty() && chance_.below(4) > 0) {
        write(signal_record(signals_.front()).value());
        signals_.pop_front();
      } else if (!unheard_.empty() && chance_.below(2) == 0) {
        hear_one();
      } else if (!children_.empty() && chance_.below(3) == 0) {
        end_child();
      } else if (!todo_.empty()) {
        do_one();
      } else if (!unheard_.empty()) {
        hear_one();
      } else if (!children_.empty()) {
        end_child();
      } else if (!signals_.empty()) {
        continue;
      } else if (paused_ && (timers_.empty() || chance_.below(2) == 0)) {
        pause();
      } else if (!timers_.empty()) {
        // The earliest: nobody's time passes by another's.
        auto first =
            std::min_element(timers_.begin(), timers_.end(),
                             [](const auto& a, const auto& b) { return a.due_ms < b.due_ms; });
        const AwaitTimer over = *first;
        timers_.erase(first);
        now_ms_ = std::max(now_ms_, over.due_ms);
        tell(TimerOver{over.step, over.attempt});
      } else {
        trouble_ = "nothing is left to do in state " + std::string(to_string(machine_->state()));
        for (const Record& stored : log_)
          trouble_ += "\n" + std::string(to_string(stored.kind)) + " " +
                      std::string(to_string(stored.end)) + " " + stored.step + " " + stored.body;
        return std::nullopt;
      }
    }
    return machine_->outcome();
  }

  const FlowMachine& machine() const { return *machine_; }

  const std::string& trouble() const { return trouble_; }

  int pauses = 0;  ///< how often it was paused, or let go on

  /// What was done and can be undone, and what was undone, in their orders.
  std::pair<std::vector<std::string>, std::vector<std::string>> undos() const {
    std::vector<std::string> done;
    std::vector<std::string> undone;
    for (const Record& record : log_) {
      if (record.kind != RecordKind::output || record.attempt == 0) continue;
      const PartName name = part_name_from(record.step);
      if (name.undo)
        undone.push_back(name.undone().str());
      else if (definition_of(*flow_.plan(), name)->undo)
        done.insert(done.begin(), record.step);
    }
    return {done, undone};
  }

 private:
  std::unique_ptr<FlowMachine> fresh() const {
    return std::make_unique<FlowMachine>(flow_.plan(), RunId::trusted("r" + below_), input_);
  }

  static Record record(RecordKind kind, AttemptEnd end = AttemptEnd::none,
                       const std::string& step = {}, int attempt = 0) {
    Record made;
    made.kind = kind;
    made.end = end;
    made.step = step;
    made.attempt = attempt;
    return made;
  }

  void tell(const Event& event) {
    Result<Commands> commands = machine_->apply(event);
    if (!commands) {
      trouble_ = commands.error().message;
      return;
    }
    for (Command& command : *commands) {
      const auto* written = std::get_if<WriteRecord>(&command);
      const bool is_end = std::holds_alternative<EndRun>(command) ||
                          (written != nullptr && written->record.kind == RecordKind::undoing);
      // As the coordinator does: nothing else is written beside an end.
      if (is_end && !todo_.empty())
        static_cast<void>(machine_->apply(EndPostponed{}).has_value());
      else if (is_end)
        end_ = std::move(command);
      else if (const auto* cancel = std::get_if<CancelChild>(&command))
        carry_out(*cancel);
      else if (const auto* withdraw = std::get_if<WithdrawAttempt>(&command))
        carry_out(*withdraw);
      else if (std::holds_alternative<HoldChild>(command))
        continue;  // children run at once
      else if (const auto* timer = std::get_if<AwaitTimer>(&command))
        timers_.push_back(*timer);
      else
        todo_.push_back(std::move(command));
    }
  }

  void write(Record record) {
    store(std::move(record));
    tell(Recorded{log_.back()});
  }

  void store(Record record) {
    record.epoch = epoch_;
    record.at_ms = ++now_ms_;
    record.seq = static_cast<std::int64_t>(log_.size()) + 1;
    log_.push_back(std::move(record));
  }

  /// What step runners have stored is heard in any order.
  void hear_one() {
    const auto at = unheard_.begin() + static_cast<std::ptrdiff_t>(chance_.below(unheard_.size()));
    const std::size_t place = *at;
    unheard_.erase(at);
    tell(Recorded{log_[place]});
  }

  void do_end() {
    const Command command = std::move(*end_);
    end_.reset();
    std::visit([this](const auto& what) { carry_out(what); }, command);
  }

  void do_one() {
    const auto at = todo_.begin() + static_cast<std::ptrdiff_t>(chance_.below(todo_.size()));
    const Command command = std::move(*at);
    todo_.erase(at);
    std::visit([this](const auto& what) { carry_out(what); }, command);
  }

  void carry_out(const StartAttempt& start) {
    const PlannedStep& step = machine_->definition(start.step);
    AttemptFacts facts;
    facts.step = machine_->name(start.step);
    facts.attempt = start.attempt;
    facts.failures = start.failures;
    facts.retry = step.retry;
    facts.now_ms = now_ms_;
    const Result<json> with = machine_->parameters(start.step);
    const std::string named = below_.empty() ? facts.step : below_ + "/" + facts.step;
    store(with ? conclude(facts, random_.answer(named, start.failures + 1),
                          Cancellation::Reason::none)
               : conclude_refused(facts, with.error()));
    unheard_.push_back(log_.size() - 1);
  }

  void carry_out(const OpenAttempt& open) {
    write(record(RecordKind::opened, AttemptEnd::none, machine_->name(open.step), open.attempt));
  }

  void carry_out(const WriteRecord& write_record) { write(write_record.record); }

  void carry_out(const EndRun& end) {
    Record ended = record(RecordKind::ended);
    ended.body = to_json_value(end.outcome).dump();
    write(std::move(ended));
  }

  void carry_out(const StartChild& start) {
    const std::string step = machine_->name(start.step);
    const Flow flow(machine_->definition(start.step).child);
    Driver child(random_, flow, chance_.below(1'000'000), start.input, start.run.substr(1));
    const std::optional<Outcome> end = child.run();
    if (!end) {
      trouble_ = "child " + start.run + ": " + child.trouble();
      return;
    }
    const auto [done, undone] = child.undos();
    if (!end->succeeded() && done != undone) trouble_ = "child " + start.run + " is not undone";
    children_.emplace(step, *end);
    write(record(RecordKind::opened, AttemptEnd::none, step, 1));
  }

  /// It has not ended yet; but its end may be on its way.
  void carry_out(const CancelChild& cancel) {
    if (chance_.below(3) == 0) return;
    children_.at(machine_->name(cancel.step)) =
        Outcome{RunState::cancelled, nullptr, RunError{Errc::cancelled, "", "cancelled"}};
  }

  void end_child() {
    auto child = children_.begin();
    std::advance(child, chance_.below(children_.size()));
    const auto [step, end] = *child;
    children_.erase(child);
    write(conclude_child(child_run_id("r" + below_, step), step, end, now_ms_, now_ms_));
  }

  /// Pauses the run, or lets it go on.
  void pause() {
    paused_ = !paused_;
    ++pauses;
    write(pause_record(paused_, PausedBy::person));
  }

  /// An attempt that waits for its turn is taken back; one that was handed out goes on.
  void carry_out(const WithdrawAttempt& withdraw) {
    const auto is_meant = [&](const Command& command) {
      const auto* start = std::get_if<StartAttempt>(&command);
      return start != nullptr && start->step == withdraw.step;
    };
    const auto waits = std::find_if(todo_.begin(), todo_.end(), is_meant);
    if (withdraw.started && waits == todo_.end()) return;
    if (waits != todo_.end()) todo_.erase(waits);
    todo_.emplace_back(WriteRecord{conclude_unanswered(machine_->name(withdraw.step),
                                                       withdraw.attempt, AttemptEnd::interrupted)});
  }

  void carry_out(const HoldChild&) {}

  void carry_out(const CancelAttempt&) { trouble_ = "nobody cancelled"; }

  void carry_out(const AwaitTimer&) {}

  /// All but the log is lost; what was asked for may have been written, or not.
  void crash() {
    while (!todo_.empty() && chance_.below(3) == 0) do_one();
    if (end_ && todo_.empty() && chance_.below(3) == 0) do_end();
    end_.reset();
    todo_.clear();
    timers_.clear();
    unheard_.clear();
    ++epoch_;
    machine_ = fresh();
    const std::deque<Record> log = log_;
    for (const Record& stored : log) tell(Recorded{stored});
    for (const OpenAttemptRef& open : machine_->attempts_open_before(epoch_))
      write(conclude_unanswered(machine_->name(open.step), open.attempt, AttemptEnd::lost));
    tell(Resumed{});
  }

  const RandomFlow& random_;
  const Flow flow_;
  lab::Chance chance_;
  std::string below_;
  json input_;
  std::map<std::string, Outcome> children_;  // that have not ended, and how they will
  std::deque<Signal> signals_;
  std::unique_ptr<FlowMachine> machine_;
  std::deque<Record> log_;
  std::deque<Command> todo_;
  std::optional<Command> end_;  // or the undoing before it: nothing is written beside it
  std::vector<AwaitTimer> timers_;
  std::vector<std::size_t> unheard_;  // places in the log
  std::int64_t now_ms_ = 0;
  std::int64_t epoch_ = 1;
  bool paused_ = false;
  std::string trouble_;
};

/// A step whose output is known is given it, sometimes: nothing else must come of that.
ForkOptions same_outputs(const FlowMachine& machine, lab::Chance& chance) {
  ForkOptions options;
  const std::size_t i = chance.below(machine.plan().steps.size());
  if (chance.below(3) == 0 && machine.step_output(i))
    options.set[machine.name(i)] = *machine.step_output(i);
  return options;
}

std::uint64_t flows_wanted() {
  const char* given = std::getenv("PAWL_RANDOM_FLOWS");
  return given == nullptr ? 3000 : std::strtoull(given, nullptr, 10);
}

}  // namespace

namespace {

/// What the machine makes of a flow and the rules do not, if anything. Counts what was `seen`.
std::string difference(const RandomFlow& random, std::map<std::string, int>& seen) {
  const Result<Flow> flow = parse_flow(random.flow.dump());
  // The rules say nothing of flows that are refused for what their output may lack.
  if (!flow && flow.error().problems.at(0).code == "may_be_excluded") return ++seen["refused"], "";
  if (!flow) return "refused: " + flow.error().text();
  const Interpreter expected = random.interpret();
  Driver driver(random, *flow, random.seed() * 7 + 1);
  const std::optional<Outcome> outcome = driver.run();
  if (!driver.trouble().empty()) return driver.trouble();
  if (!outcome) return "it does not end";
  const std::set<std::string> failing = expected.failing();
  ++seen[std::string(to_string(outcome->state))];
  seen["pauses"] += driver.pauses;
  const std::string told = to_json_value(*outcome).dump();
  const auto [done, undone] = driver.undos();
  if (!failing.empty()) {
    if (outcome->state != RunState::failed) return "it should fail: " + told;
    if (failing.count(part_name_from(outcome->error->step).step) == 0)
      return "another step should fail: " + told;
    if (undone != done) return "what was done is not what was undone";
    seen["undone parts"] += static_cast<int>(undone.size());
    return "";
  }
  if (outcome->state != RunState::succeeded) return "it should succeed: " + told;
  if (without_child_errors(outcome->output) != without_child_errors(expected.output()))
    return "the output should be " + expected.output().dump() + ": " + told;
  if (!undone.empty()) return "something was undone";
  for (const auto& [step, end] : expected.ends()) {
    const StepState state = driver.machine().step_state(flow->plan()->index.at(step));
    const bool excluded = end == Interpreter::End::excluded;
    if (state != (excluded ? StepState::excluded : StepState::succeeded))
      return "step " + step + " is " + std::string(to_string(state));
    seen["excluded steps"] += excluded ? 1 : 0;
  }
  return "";
}

}  // namespace

TEST_CASE("random flows: the machine comes to what the rules of the language say", "[runtime]") {
  std::map<std::string, int> seen;
  CHECK(holds_for_flows(flows_wanted(),
                        [&](const RandomFlow& random) { return difference(random, seen); }));
  for (const char* what : {"succeeded", "failed", "excluded steps", "undone parts", "pauses"})
    CHECK(seen[what] > 100);
  if (std::getenv("PAWL_RANDOM_FLOWS") != nullptr)
    WARN(seen["succeeded"] << " succeeded, " << seen["failed"] << " failed, " << seen["refused"]
                           << " refused, " << seen["excluded steps"] << " excluded steps, "
                           << seen["undone parts"] << " undone parts, " << seen["pauses"]
                           << " pauses and their ends");
}

TEST_CASE("random flows: one that breaks a property is made smaller", "[runtime]") {
  const RandomFlow random(7);
  REQUIRE(random.flow["steps"].size() > 4);
  RandomFlow smallest = random;
  for (bool smaller = true; smaller;) {
    smaller = false;
    if (const auto next = smaller_flows(smallest).next()) {
      smallest = *next;
      smaller = true;
    }
  }
  CHECK(smallest.flow["steps"].size() <= 2);  // what its output names stays
  CHECK(parse_flow(smallest.flow.dump()).has_value());
}

TEST_CASE("random flows: a fork comes to what its run does, wherever it is forked", "[runtime]") {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= flows_wanted(); ++seed) {
    const RandomFlow random(seed);
    const Result<Flow> flow = parse_flow(random.flow.dump());
    if (!flow) continue;
    lab::Chance chance(seed * 13 + 5);
    Driver source(random, *flow, seed * 7 + 1);
    static_cast<void>(source.run(chance.below(2) == 0 ? 2000 : static_cast<int>(chance.below(60))));
    REQUIRE(source.trouble() == "");
    const Plan& plan = *flow->plan();
    const std::string from = plan.steps[chance.below(plan.steps.size())].name.str();
    ForkOptions options = same_outputs(source.machine(), chance);
    if (chance.below(3) == 0) options.flow = *flow;  // as another version: what it has done fits it
    CAPTURE(seed, random.flow.dump(), from, options.set);
    const Result<RunFork> fork = fork_run(source.fixture("s"), from, "r", options);
    if (!fork) {
      const std::string& why = fork.error().message;
      CAPTURE(why);
      REQUIRE((why.find("is excluded by a branch") != std::string::npos ||
               why.find("which runs again") != std::string::npos));
      ++seen["refused"];
      continue;
    }
    Driver driver(random, *fork, seed * 7 + 2);
    const std::optional<Outcome> outcome = driver.run();
    REQUIRE(driver.trouble() == "");
    REQUIRE(outcome.has_value());
    CAPTURE(*outcome);
    REQUIRE(diff_run(driver.fixture("r"), *flow).value().fits());
    seen["shared"] += static_cast<int>(fork->steps_shared.size());
    seen["set"] += static_cast<int>(options.set.size());
    seen["undone"] += static_cast<int>(fork->steps_undone.size());
    ++seen[std::string(to_string(outcome->state))];
    const Interpreter expected = random.interpret();
    const auto [done, undone] = driver.undos();
    if (const std::set<std::string> failing = expected.failing(); !failing.empty()) {
      REQUIRE(outcome->state == RunState::failed);
      REQUIRE(failing.count(part_name_from(outcome->error->step).step) == 1);
      REQUIRE(undone == done);
      continue;
    }
    REQUIRE(outcome->state == RunState::succeeded);
    REQUIRE(without_child_errors(outcome->output) == without_child_errors(expected.output()));
    REQUIRE(undone.empty());
  }
  for (const char* what : {"succeeded", "failed", "refused", "shared", "set", "undone"})
    CHECK(seen[what] > 50);
}
