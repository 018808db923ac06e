#include "lab/store_prune_checks.hpp"

namespace pawl::lab {

namespace {

std::string ids_of(Store& store) {
  std::string ids;
  for (const RunRow& row : store.list({}).value()) ids += (ids.empty() ? "" : " ") + row.run;
  return ids;
}

/// Runs e1, e2, e3, ... that ended at 1000, 2000, 3000, ...
void put_ended(Bench& bench, int runs) {
  for (int i = 1; i <= runs; ++i) {
    const RunKey run = bench.put(start("e" + std::to_string(i)), i * 1000).run;
    bench.put(append(run, output("a", 1, "1")), i * 1000);
    bench.put(append(run, ended()), i * 1000);
  }
}

}  // namespace

void check_prune(Bench& bench) {
  put_ended(bench, 5);
  bench.put(start("open"), 6000);
  PruneRuns prune;
  prune.ended_before_ms = 3000;
  const WriteReply by_age = bench.put(prune, 7000);
  bench.demand_status(by_age, WriteStatus::written, "a prune");
  bench.demand(by_age.pruned == 2 && ids_of(bench.store()) == "open e5 e4 e3",
               "a prune by age does not remove the runs that had ended before, and no others");
  prune = {};
  prune.keep_newest = 2;
  bench.demand(bench.put(prune, 7000).pruned == 1 && ids_of(bench.store()) == "open e5 e4",
               "a prune by count does not keep those that ended last, and no others");
  prune.keep_newest = 0;
  prune.runs_max = 1;
  const WriteReply bounded = bench.put(prune, 7000);
  bench.demand(bounded.pruned == 1 && bounded.more && ids_of(bench.store()) == "open e5",
               "a prune of at most one run does not remove the one that ended first");
  prune.runs_max = 256;
  bench.put(prune, 7000);
  bench.demand(ids_of(bench.store()) == "open", "a prune removes an unfinished run, or not all");
  bench.demand(bench.put(prune, 7000).pruned == 0, "a prune of nothing removes something");
  bench.demand(bench.store().count_unfinished().value() == 1,
               "an unfinished run is not counted after a prune");
}

void check_prune_in_portions(Bench& bench) {
  put_ended(bench, 5);
  PruneRuns prune;
  prune.keep_newest = 2;
  prune.runs_max = 1;
  const auto step = [&](std::size_t pruned, const std::string& left) {
    bench.demand(bench.put(prune, 9000).pruned == pruned && ids_of(bench.store()) == left,
                 "of a prune by count in portions, one does not leave " + left);
  };
  step(1, "e5 e4 e3 e2");
  const RunKey late = bench.put(start("late"), 6000).run;
  bench.put(append(late, output("a", 1, "1")), 6000);
  bench.put(append(late, ended()), 6000);
  step(1, "late e5 e4 e3");
  step(1, "late e5 e4");
  step(1, "late e5");  // one more has ended since the first portion
  step(0, "late e5");
  prune.keep_newest = 1;
  step(1, "late");
  prune.keep_newest = 2;
  step(0, "late");
}

void check_prune_goes_on(Bench& bench) {
  put_ended(bench, 3);
  PruneRuns prune;
  prune.keep_newest = 1;
  prune.runs_max = 1;
  bench.put(prune, 9000);
  for (const std::string id : {"f1", "f2"}) {
    const RunKey run = bench.put(start(id), 6000).run;
    bench.put(append(run, output("a", 1, "1")), 6000);
    bench.put(append(run, ended()), 6000);
  }
  prune.runs_max = 256;
  const WriteReply rest = bench.put(prune, 9000);
  bench.demand(rest.pruned == 3 && !rest.more && ids_of(bench.store()) == "f2",
               "a prune by count stops where an earlier portion would have");
}

void check_pruned_ids(Bench& bench) {
  put_ended(bench, 1);
  const RunKey before = bench.load("e1").row.key;
  bench.put(PruneRuns{});
  bench.demand(!bench.store().load("e1").value().has_value() &&
                   !bench.store().load(before).value().has_value(),
               "a pruned run is found");
  const WriteReply late = bench.put(append(before, receipt("a", 1, AttemptEnd::late)));
  bench.demand(late.status == WriteStatus::refused && late.error.code == Errc::unknown_run,
               "a record of a pruned run is not refused as unknown_run");
  const WriteReply again = bench.put(start("e1", R"({"n":2})"));
  bench.demand_status(again, WriteStatus::written, "a start under a pruned run's id");
  bench.demand(again.run > before, "a run's key is used again after a prune");
  bench.demand(bench.load("e1").records.size() == 1, "a new run has a pruned run's records");
}

void check_numbers_after_prune(Bench& bench) {
  put_ended(bench, 2);
  const std::int64_t last = bench.load("e2").records.back().seq;
  bench.put(PruneRuns{}, 9000);
  bench.open_again();
  bench.demand(bench.store().opened_at_ms() >= 2000,
               "time goes back for the next owner after a prune");
  const WriteReply next = bench.put(start("next"), 9000);
  bench.demand(next.stored && next.stored->seq > last,
               "a pruned record's number is used again by the next owner");
}

void check_pruned_children(Bench& bench) {
  const RunKey parent = bench.put(start("p"), 1000).run;
  const RunKey child = bench.put(child_start("p.a", "p", parent, "a"), 1000).run;
  const RunKey below = bench.put(child_start("p.a.a", "p.a", child, "a"), 1000).run;
  bench.put(append(below, ended()), 1000);
  bench.put(append(child, ended()), 1000);
  bench.demand(bench.put(PruneRuns{}, 2000).pruned == 0 && ids_of(bench.store()) == "p.a.a p.a p",
               "a child is pruned before its parent");
  bench.put(append(parent, ended()), 3000);
  put_ended(bench, 1);
  PruneRuns prune;
  prune.keep_newest = 1;
  bench.demand(bench.put(prune, 4000).pruned == 1 && ids_of(bench.store()) == "p.a.a p.a p",
               "a prune that keeps one run does not keep its children, or counts them");
  bench.demand(bench.put(PruneRuns{}, 5000).pruned == 1 && ids_of(bench.store()).empty(),
               "a pruned run's children stay");
  bench.demand_status(bench.put(start("p.a.a", R"({"n":2})")), WriteStatus::written,
                      "a start under a pruned child's id");
}

}  // namespace pawl::lab
