// Long steps under every crash: what they report is handed on, and keeps them alive.
#include <pawl/lab.hpp>
#include <pawl/lab_catch.hpp>

#include "lab/progress_check.hpp"
#include "support/catch.hpp"

#include <map>
#include <memory>
#include <string>

using namespace pawl;
using lab::Happened;

namespace {

/// What became of all attempts of all cases.
struct Seen {
  int handed_on = 0;
  int from_nothing = 0;
};

lab::Outside loading(const std::shared_ptr<Seen>& seen) {
  const auto loaded = std::make_shared<std::map<int, int>>();
  const auto steps = [loaded, seen] {
    return Steps{{"load", [loaded, seen](const StepCall& call) {
                    const json& last = call.last_progress;
                    if (call.attempt > 1) ++(last.is_null() ? seen->from_nothing : seen->handed_on);
                    for (int page = last.is_null() ? 0 : last.at("pages").get<int>(); page < 2;
                         ++page) {
                      ++(*loaded)[page];
                      call.progress({{"pages", page + 1}});
                    }
                    return done();
                  }}};
  };
  const auto check = [loaded](const lab::Ending&) {
    return (*loaded)[0] > 0 && (*loaded)[1] > 0 ? "" : "a page was left out";
  };
  return {steps, check};
}

lab::HistoryEvent event(Happened what, int attempt, const json& value, std::int64_t at_ms = 0) {
  lab::HistoryEvent event;
  event.what = what;
  event.run = "r1";
  event.step = "a";
  event.attempt = attempt;
  event.number = at_ms;
  if (what == Happened::body_began) {
    event.key = "r1/a";
    event.digest = digest_of("{}");
    event.text = digest_of(value.dump()).hex();
  } else {
    event.digest = digest_of(value.dump());
  }
  return event;
}

/// What the checker says of a history, `INVARIANT: MESSAGE` of the first breach about progress.
std::string said_of(const std::vector<lab::HistoryEvent>& events,
                    const std::vector<StoredRun>& runs = {}) {
  const lab::Scenario scenario{
      parse_flow(R"({"flow": "f", "steps": {"a": {"run": "x", "heartbeat_ms": 1000}}})").value(),
      {{"r1"}},
      [] { return lab::Outside{}; },
      {}};
  lab::HistoryView view;
  view.add(events, events.size());
  for (const lab::Breach& breach : lab::check_progress(scenario, view, runs))
    return breach.invariant + ": " + breach.message;
  return "fine";
}

}  // namespace

TEST_CASE("lab: a long step goes on from where an attempt before it came, whatever dies", "[lab]") {
  const auto seen = std::make_shared<Seen>();
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {"a": {"run": "load"},
    "b": {"run": "load", "after": ["a"]}}})")
                        .value();
  lab::Options options;
  options.schedules = 200;
  const lab::Report report =
      lab::explore(lab::Scenario{flow, {{"r1"}}, [seen] { return loading(seen); }, {}}, options);
  CHECK_THAT(report, lab::holds());
  CHECK(seen->handed_on > 0);
  CHECK(seen->from_nothing > 0);
}

TEST_CASE("lab: the checker sees progress that is not handed on", "[lab]") {
  const auto made = [](int attempt, int n) { return event(Happened::progress_made, attempt, n); };
  const auto written = [](int attempt, int n) {
    return event(Happened::progress_written, attempt, n);
  };
  const auto began = [](int attempt, const json& told) {
    return event(Happened::body_began, attempt, told);
  };
  CHECK(said_of({began(1, nullptr), made(1, 1), written(1, 1), began(2, 1)}) == "fine");
  // What is not known to be durable may be, or not.
  CHECK(said_of({began(1, nullptr), made(1, 1), began(2, 1)}) == "fine");
  CHECK(said_of({began(1, nullptr), made(1, 1), began(2, nullptr)}) == "fine");
  CHECK(said_of({made(1, 1), written(1, 1), made(1, 2), began(2, 2)}) == "fine");
  // A second attempt's body may begin after a third has reported.
  CHECK(said_of({made(1, 1), made(3, 3), written(3, 3), began(2, 1)}) == "fine");

  const std::string breach = "progress_is_handed_on: r1/a (attempt 2) was told ";
  CHECK(said_of({made(1, 1), written(1, 1), began(2, nullptr)}).find(breach + "nothing") == 0);
  CHECK(said_of({made(1, 1), made(1, 2), written(1, 2), began(2, 1)})
            .find(breach + "an older report") == 0);
  CHECK(said_of({made(1, 1), began(2, 7)}).find(breach + "of a report") == 0);
  CHECK(said_of({began(2, 7)}).find(breach + "of a report") == 0);
  CHECK(said_of({made(2, 1), began(2, 1)}).find(breach + "of a report") == 0);
  CHECK(said_of({made(1, 1), written(1, 2)}).find("progress_is_handed_on") == 0);
}

TEST_CASE("lab: the checker sees an attempt that was given up while it reported", "[lab]") {
  StoredRun run;
  run.row.run = "r1";
  Record record;
  record.kind = RecordKind::receipt;
  record.end = AttemptEnd::timed_out;
  record.step = "a";
  record.attempt = 1;
  record.started_ms = 10'000;
  record.duration_ms = 2'000;
  record.body = error_body(Errc::deadline, "no heartbeat: it reported no progress for 1000 ms");
  run.records = {record};
  const auto report = [](std::int64_t at_ms) {
    return event(Happened::progress_made, 1, nullptr, at_ms);
  };
  CHECK(said_of({}, {run}) == "fine");
  CHECK(said_of({report(11'000)}, {run}) == "fine");
  CHECK(said_of({report(11'000), report(12'000)}, {run}) == "fine");
  CHECK(said_of({report(11'500)}, {run}).find("a_heartbeat_keeps_it_alive: r1/a (attempt 1)") == 0);
  run.records[0].duration_ms = 500;
  CHECK(said_of({}, {run}).find("a_heartbeat_keeps_it_alive") == 0);
}
