// The checker's own check of what steps answered.
#include "lab/answers_check.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace pawl;
using lab::Happened;

namespace {

lab::HistoryEvent body_ended(int attempt, const std::string& answer) {
  lab::HistoryEvent event;
  event.what = Happened::body_ended;
  event.run = "r1";
  event.step = "a";
  event.attempt = attempt;
  event.text = answer;
  return event;
}

StoredRun with_receipt(AttemptEnd end) {
  Record record;
  record.kind = RecordKind::receipt;
  record.step = "a";
  record.attempt = 1;
  record.end = end;
  StoredRun run;
  run.row.run = "r1";
  run.records.push_back(record);
  return run;
}

std::string verdict_of(const std::vector<lab::HistoryEvent>& events, AttemptEnd end) {
  lab::HistoryView view;
  view.add(events, events.size());
  const std::vector<StoredRun> runs{with_receipt(end)};
  const std::vector<lab::Breach> breaches = lab::check_answers(view, runs);
  return breaches.empty() ? "fine" : breaches.front().invariant + ": " + breaches.front().message;
}

}  // namespace

TEST_CASE("lab: the checker sees an answer that is recorded as if there had been none", "[lab]") {
  CHECK(verdict_of({body_ended(1, "done")}, AttemptEnd::interrupted) ==
        "answers_are_recorded: r1/a (attempt 1) answered \"done\", and is recorded as if it had "
        "been interrupted");
  CHECK(verdict_of({body_ended(1, "fail")}, AttemptEnd::interrupted).find("answers_are_recorded") ==
        0);
  // Code that was asked to stop may say so.
  CHECK(verdict_of({body_ended(1, "retry")}, AttemptEnd::interrupted) == "fine");
  CHECK(verdict_of({body_ended(2, "done")}, AttemptEnd::interrupted) == "fine");
  CHECK(verdict_of({body_ended(1, "done")}, AttemptEnd::lost) == "fine");
}
