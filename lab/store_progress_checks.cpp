#include "lab/store_progress_checks.hpp"

namespace pawl::lab {

namespace {

Write note(RunKey run, const std::string& step, int attempt, const std::string& body) {
  return NoteProgress{run, std::make_shared<Progress>(Progress{step, attempt, body})};
}

/// What the step last reported; empty if nothing.
std::string progress_of(Bench& bench, const std::string& run, const std::string& step) {
  for (const Progress& progress : bench.load(run).progress)
    if (progress.step == step) return progress.body;
  return {};
}

}  // namespace

void check_progress(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  const WriteReply first = bench.put(note(run, "b", 1, "1"), 2000);
  bench.demand_status(first, WriteStatus::written, "what a step reports");
  bench.demand_status(bench.put(note(run, "a", 1, R"({"at":1})"), 3000), WriteStatus::written,
                      "what another step reports");
  bench.demand_status(bench.put(note(run, "a", 1, R"({"at":2})"), 4000), WriteStatus::written,
                      "what a step reports next");
  bench.open_again();
  const StoredRun stored = bench.load("r1");
  bench.demand(stored.progress.size() == 2 && stored.progress[0].step == "a" &&
                   stored.progress[1].step == "b",
               "not one report of each step is kept, by step");
  if (stored.progress.size() != 2) return;
  const Progress& last = stored.progress.front();
  bench.demand(last.body == R"({"at":2})" && last.attempt == 1, "the last report is not kept");
  bench.demand(last.at_ms == 4000 && last.epoch == bench.store().epoch() - 1,
               "a report has not the time and the epoch of its writing");
  bench.demand(stored.records.size() == 1, "a report is among the records");
  bench.demand_status(bench.put(note(99, "a", 1, "1")), WriteStatus::refused,
                      "what a step of an unknown run reports");
}

void check_late_progress(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  bench.put(note(run, "a", 1, "1"));
  bench.put(append(run, receipt("a", 1, AttemptEnd::failed)));
  const WriteReply late = bench.put(note(run, "a", 1, "2"));
  bench.demand(late.status == WriteStatus::refused && late.error.code == Errc::attempt_ended,
               "what an attempt reports after its end is not refused as attempt_ended");
  bench.put(note(run, "a", 3, "3"));
  bench.demand_status(bench.put(note(run, "a", 2, "4")), WriteStatus::refused,
                      "what an older attempt reports after a newer one");
  bench.demand(progress_of(bench, "r1", "a") == "3", "a late report has replaced the last one");
  bench.put(append(run, output("a", 3, "1")));
  bench.demand_status(bench.put(note(run, "a", 4, "5")), WriteStatus::refused,
                      "what is reported of a step that has its output");
  bench.put(append(run, ended()));
  const WriteReply after = bench.put(note(run, "b", 1, "6"));
  bench.demand(after.status == WriteStatus::refused && after.error.code == Errc::run_ended,
               "what is reported after the run's end is not refused as run_ended");
  bench.demand(progress_of(bench, "r1", "a") == "3" && progress_of(bench, "r1", "b").empty(),
               "a late report is kept");
}

void check_told_progress(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  const Write failed = append(run, receipt("a", 1, AttemptEnd::failed));
  const std::vector<Write> writes{note(run, "a", 1, "1"), failed};
  const auto replies = bench.store().write({&writes[0], &writes[1]}, 2000);
  bench.demand(replies && replies->size() == 2 && (*replies)[1].progress &&
                   (*replies)[1].progress->body == "1",
               "a receipt is not answered with what its step last reported");
  const WriteReply again = bench.put(failed);
  bench.demand(again.status == WriteStatus::already_exists && again.progress,
               "a receipt that is there is not answered with what its step last reported");
  bench.demand(!bench.put(append(run, receipt("b", 1, AttemptEnd::lost))).progress,
               "a receipt is answered with what another step reported");
  bench.demand(!bench.put(append(run, output("b", 2, "1"))).progress,
               "an output is answered with a report");
}

void check_pruned_progress(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  bench.put(note(run, "a", 1, "1"));
  bench.put(append(run, ended()));
  bench.put(PruneRuns{});
  bench.put(start("r1"));
  bench.demand(bench.load("r1").progress.empty(),
               "a run under a pruned run's id has what that one's steps reported");
}

}  // namespace pawl::lab
