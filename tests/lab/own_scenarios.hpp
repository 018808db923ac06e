// The flows that the project's own soak, mutants and traces run: small, and together every kind of
// course that there is.
#pragma once

#include <pawl/lab.hpp>
#include <pawl/step_actor.hpp>

#include "runtime/child_run.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

struct OwnScenario {
  std::string name;
  lab::Scenario scenario;
};

/// Whether the step is a child, whose run then is there.
inline bool is_child(const lab::Ending& ending, const std::string& run, const std::string& step) {
  return std::any_of(ending.runs.begin(), ending.runs.end(), [&](const StoredRun& child) {
    return child.row.run == child_run_id(run, step);
  });
}

/// The calls that a beating actor performs, each with how often it has reported.
struct Beating {
  struct Call {
    StepCallPtr call;
    caf::typed_response_promise<StepResult> promise;
    int beats = 0;
  };

  std::vector<Call> calls;
  static inline const char* name = "beating";
};

/// A step that takes three seconds and reports every second. A first attempt falls silent at once.
inline caf::behavior beating(caf::stateful_actor<Beating>* self,
                             const std::shared_ptr<std::map<std::string, int>>& effects) {
  return {[self, effects](const StepCallPtr& call) -> caf::result<StepResult> {
            ++(*effects)[call->key];
            auto promise = self->make_response_promise<StepResult>();
            self->state.calls.push_back({call, promise});
            self->send(self, self->state.calls.size() - 1);
            return promise;
          },
          [self](std::size_t index) {
            Beating::Call& one = self->state.calls[index];
            one.call->progress({{"beats", ++one.beats}});
            if (one.call->attempt == 1) return;
            if (one.beats > 3)
              one.promise.deliver(done(true));
            else
              self->delayed_send(self, std::chrono::seconds(1), index);
          }};
}

/// Steps with effects under their keys; some fail at first, some always.
///
/// Given: `beats`, whether there is a step that beats.
inline lab::Outside own_outside(bool beats = false) {
  auto effects = std::make_shared<std::map<std::string, int>>();
  const auto steps = [effects, beats] {
    Steps all{{"s",
               [effects](const StepCall& call) {
                 ++(*effects)[call.key];
                 return done({{"step", call.step}, {"with", call.with}});
               }},
              {"flaky",
               [effects](const StepCall& call) {
                 ++(*effects)[call.key];
                 return call.attempt == 1 ? retry("not yet") : done(call.attempt > 0);
               }},
              {"long",
               [effects](const StepCall& call) {
                 ++(*effects)[call.key];
                 const json& last = call.last_progress;
                 for (int part = last.is_null() ? 1 : last.at("part").get<int>(); part <= 2; ++part)
                   call.progress({{"part", part}});
                 return call.attempt == 1 ? retry("not yet") : done(true);
               }},
              {"broken", [](const StepCall&) { return fail("never"); }},
              {"tired", [](const StepCall&) { return retry("never"); }}};
    if (beats)
      all.add("beats", step_actor([effects](caf::actor_system& system) {
                return caf::actor_cast<StepActor>(system.spawn(beating, effects));
              }));
    return all;
  };
  // The store's view of what was done must be the world's: nothing is stored as done that nobody
  // did.
  const auto check = [effects](const lab::Ending& ending) -> std::string {
    for (const StoredRun& run : ending.runs)
      for (const Record& record : run.records)
        if (record.kind == RecordKind::output && record.attempt > 0 &&
            effects->count(run.row.run + "/" + record.step) == 0 &&
            !is_child(ending, run.row.run, record.step))
          return run.row.run + "/" + record.step +
                 " is stored as done, and the world knows nothing of it";
    // A flow of ours fails only where its steps do, or when bad weather has used up its attempts.
    for (const auto& [run, outcome] : ending.outcomes)
      if (outcome.state == RunState::failed && outcome.error->code != Errc::attempts_exhausted &&
          outcome.error->code != Errc::step_failed && outcome.error->code != Errc::in_doubt &&
          outcome.error->code != Errc::child_failed)
        return run + " failed: " + outcome.error->message;
    return {};
  };
  return {steps, check};
}

inline std::vector<OwnScenario> own_scenarios() {
  const auto make =
      [](
          const std::string& name, const std::string& steps, std::vector<lab::RunToStart> runs,
          std::vector<lab::SignalToSend> signals = {},
          const std::function<lab::Outside()>& outside = [] { return own_outside(); }) {
        Flow flow = parse_flow(R"({"flow": ")" + name + R"(", "steps": {)" + steps + "}}").value();
        return OwnScenario{
            name, lab::Scenario{std::move(flow), std::move(runs), outside, std::move(signals)}};
      };
  // Whose steps wait for each other: by their type, a key, a rate, and the last run goes first.
  OwnScenario crowd = make("crowd",
                           R"("a": {"run": "s"}, "b": {"run": "flaky", "after": ["a"],
                                "timeout_ms": 2000, "one_at_a_time": "line"})",
                           {{"r1"}, {"r2", {{"n", 2}}}, {"r3", json::object(), {{}, 5}}});
  crowd.scenario.at_once_max = {{"s", 1}};
  crowd.scenario.rates = {{"flaky", {2, 1000}}};
  return {
      make("chain",
           R"("a": {"run": "s"}, "b": {"run": "s", "with": {"a": "{{steps.a.output.step}}"}})",
           {{"r1"}}),
      make(
          "fork_join",
          R"("a": {"run": "s"}, "b": {"run": "s", "after": ["a"]}, "c": {"run": "s", "after": ["a"]},
              "d": {"run": "s", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}},
              "e": {"run": "s", "with": {"d": "{{steps.d.output}}", "n": "{{input.n?}}"}})",
          {{"r1"}}),
      make(
          "retrying",
          R"("a": {"run": "flaky", "retry": {"max_attempts": 5, "initial_ms": 5000, "max_ms": 60000}},
              "b": {"run": "long", "after": ["a"], "retry": {"initial_ms": 10}})",
          {{"r1"}}),
      make(
          "failing",
          R"("a": {"run": "s"}, "b": {"run": "broken", "after": ["a"]}, "c": {"run": "s", "after": ["a"]},
              "d": {"run": "s", "after": ["b"]})",
          {{"r1"}}),
      make("exhausted",
           R"("a": {"run": "tired", "retry": {"max_attempts": 3, "initial_ms": 1500}})", {{"r1"}}),
      crowd,
      make("branching",
           R"("a": {"run": "s"}, "big": {"if": {"less": [10, "{{input.n}}"]}, "after": ["a"]},
              "yes": {"run": "s", "when": "big"}, "yes2": {"run": "s", "after": ["yes"]},
              "no": {"run": "flaky", "unless": "big", "retry": {"initial_ms": 10}},
              "merge": {"run": "s", "after": ["yes2", "no"], "with": {"yes": "{{steps.yes.output?}}"}})",
           {{"r1", {{"n", 50}}}, {"r2", {{"n", 5}}}}),
      make("computing",
           R"("a": {"run": "s"}, "v": {"value": {"$length": "{{steps.a.output.step}}"}},
              "w": {"value": {"$add": ["{{steps.v.output}}", 1]}},
              "c": {"if": {"equals": ["{{steps.w.output}}", 2]}},
              "b": {"run": "s", "when": "c", "with": {"w": "{{steps.w.output}}"}})",
           {{"r1"}}),
      make("defaulting",
           R"("a": {"run": "broken", "default": {"n": "{{input.n?}}"}},
              "t": {"run": "tired", "retry": {"max_attempts": 2, "initial_ms": 10}, "default": 0},
              "b": {"run": "s", "with": {"a": "{{steps.a.output}}", "t": "{{steps.t.output}}"}})",
           {{"r1"}}),
      make("sleeping",
           R"("a": {"run": "s"}, "nap": {"sleep_ms": 20, "after": ["a"]},
              "night": {"sleep_ms": 5000, "after": ["nap"]}, "b": {"run": "s", "after": ["night"]},
              "h": {"run": "beats", "after": ["nap"], "heartbeat_ms": 1500, "timeout_ms": 0,
                    "retry": {"max_attempts": 9, "initial_ms": 10}})",
           {{"r1"}}, {}, [] { return own_outside(true); }),
      make("awaiting",
           R"("x": {"run": "s"}, "one": {"await": "go", "after": ["x"]}, "two": {"await": "go"},
              "late": {"await": "never", "timeout_ms": 3000, "default": "{{steps.x.output.step}}"},
              "b": {"run": "s", "with": {"o": "{{steps.one.output}}", "l": "{{steps.late.output}}"}})",
           {{"r1"}}, {{"r1", {"go", 1, "s1"}}, {"r1", {"go", {{"n", 2}}, "s2"}}}),
      make("mapping",
           R"("m": {"map": {"$map": {"over": [1, 2, 3], "to": {"n": "{{item}}"}}}, "run": "s",
                    "max_parallel": 2, "with": {"n": "{{item.n}}", "i": "{{index}}"},
                    "timeout_ms": 0, "retry": {"max_attempts": 9}},
              "c": {"map": ["x", "y"], "run": "broken", "on_error": "collect", "after": ["m"]},
              "b": {"run": "s", "with": {"m": "{{steps.m.output}}", "c": "{{steps.c.output}}"}})",
           {{"r1"}}),
      make("undoing",
           R"("a": {"run": "s", "undo": {"run": "s", "with": {"was": "{{output.step}}"}}},
              "m": {"map": [1, 2], "run": "s", "after": ["a"],
                    "undo": {"run": "flaky", "with": {"n": "{{item}}"},
                             "retry": {"max_attempts": 20, "initial_ms": 10}}},
              "c": {"map": [1], "run": "broken", "after": ["m"]})",
           {{"r1"}}),
      make(
          "once",
          R"("a": {"run": "s"}, "b": {"run": "s", "after": ["a"], "at_most_once": true, "in_doubt": "fail"},
              "c": {"run": "flaky", "after": ["b"], "at_most_once": true, "retry": {"initial_ms": 10}})",
          {{"r1"}}),
      make("asking",
           R"("a": {"run": "broken", "on_failure": "ask"}, "b": {"run": "s"},
              "c": {"run": "s", "after": ["a", "b"]})",
           {{"r1"}}),
      make("children",
           R"("a": {"run": "s"},
              "c": {"with": {"n": "{{steps.a.output.step}}"}, "undo": {"run": "s"},
                    "child": {"flow": "inner", "input": {"n": 0}, "steps": {
                      "x": {"run": "s", "with": {"n": "{{input.n}}"}},
                      "y": {"run": "flaky", "after": ["x"], "retry": {"initial_ms": 1500, "max_attempts": 9}}}}},
              "m": {"map": [1, 2], "on_error": "collect", "after": ["c"],
                    "child": {"flow": "least", "steps": {"z": {"run": "s"}, "w": {"run": "broken", "after": ["z"]}}}})",
           {{"r1"}}),
      make("doomed",
           R"("c": {"child": {"flow": "inner", "steps": {
                      "x": {"run": "s", "undo": {"run": "s"}}, "nap": {"sleep_ms": 5000, "after": ["x"]}}}},
              "f": {"run": "tired", "retry": {"max_attempts": 2, "initial_ms": 100}})",
           {{"r1"}}),
  };
}

/// The store is being made in a transaction that has a rollback journal when the process is killed;
/// the next one reads short once. The one after that would roll back what the second has written.
inline std::vector<lab::LabCase> short_reads_after_making() {
  std::vector<lab::LabCase> cases;
  for (std::size_t position = 0; position < 15; ++position)
    for (std::int64_t operation = 0; operation < 15; ++operation) {
      lab::LabCase lab_case;
      lab_case.lives.resize(2);
      lab_case.lives[0].crash = lab::Crash{position, lab::Loss::kill, 0};
      lab_case.lives[1].faults.push_back({operation, lab::FaultKind::short_read, false});
      cases.push_back(std::move(lab_case));
    }
  return cases;
}

}  // namespace pawl
