#include <pawl/flow.hpp>
#include <pawl/store_conformance.hpp>

#include "lab/store_bench.hpp"
#include "lab/store_progress_checks.hpp"
#include "lab/store_prune_checks.hpp"
#include "runtime/start_facts.hpp"

#include <exception>
#include <utility>

namespace pawl::lab {

namespace {

void check_starts(Bench& bench) {
  const WriteReply first = bench.put(start("r1", R"({"n":1})"), 5000);
  bench.demand_status(first, WriteStatus::written, "a first start");
  const WriteReply again = bench.put(start("r1", R"({"n":1})"));
  bench.demand_status(again, WriteStatus::already_exists, "the same start again");
  bench.demand(again.run == first.run, "the same start again gave another key");
  const StoredRun run = bench.load("r1");
  bench.demand(run.input == R"({"n":1})" && run.folder == "/folder" && run.row.started_ms == 5000 &&
                   run.records.size() == 1,
               "a started run is not stored as it was given");
}

void check_other_starts(Bench& bench) {
  bench.put(start("r1", R"({"n":1})"));
  const WriteReply input = bench.put(start("r1", R"({"n":2})"));
  bench.demand_status(input, WriteStatus::refused, "the same id with another input");
  bench.demand(input.error.code == Errc::run_differs,
               "the same id with another input is not told as run_differs");
  bench.demand_status(bench.put(start("r1", R"({"n":1})", "y")), WriteStatus::refused,
                      "the same id with another flow");
}

void check_first_output(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  bench.demand_status(bench.put(append(run, output("a", 1, "1"))), WriteStatus::written,
                      "a first output");
  const WriteReply same = bench.put(append(run, output("a", 1, "1")));
  bench.demand_status(same, WriteStatus::already_exists, "the same output again");
  bench.demand(!same.diverged, "the same output again is told to be another one");
  const WriteReply other = bench.put(append(run, output("a", 2, "2")));
  bench.demand_status(other, WriteStatus::already_exists, "another output");
  bench.demand(other.diverged, "another output is not told to be another one");
  bench.demand(other.stored && other.stored->body == "1",
               "another output was not answered with the stored one");
  int outputs = 0;
  int diverged = 0;
  for (const Record& record : bench.load("r1").records) {
    outputs += record.kind == RecordKind::output && record.body == "1" ? 1 : 0;
    diverged += record.end == AttemptEnd::diverged && record.body == "2" ? 1 : 0;
  }
  bench.demand(outputs == 1, "not exactly the first output is stored");
  bench.demand(diverged == 1, "the other output is not kept in a diverged receipt");
}

void check_receipts(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  bench.demand_status(bench.put(append(run, receipt("a", 1, AttemptEnd::failed))),
                      WriteStatus::written, "a receipt");
  const WriteReply late = bench.put(append(run, output("a", 1, "1")));
  bench.demand_status(late, WriteStatus::refused, "an output of an attempt that had ended");
  bench.demand(late.error.code == Errc::attempt_ended, "it is not told as attempt_ended");
  bench.demand_status(bench.put(append(run, output("a", 2, "1"))), WriteStatus::written,
                      "the next attempt's output");
  const WriteReply after = bench.put(append(run, receipt("a", 3, AttemptEnd::lost)));
  bench.demand_status(after, WriteStatus::already_exists, "a receipt for a step with an output");
  bench.demand(after.stored && after.stored->kind == RecordKind::output,
               "it was not answered with the output");
}

void check_end(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  bench.put(append(run, ended()), 7000);
  bench.demand(bench.load("r1").row.state == RunState::succeeded,
               "an ended run is not noted as such");
  const WriteReply after = bench.put(append(run, output("a", 1, "1")));
  bench.demand_status(after, WriteStatus::refused, "an output after the end");
  bench.demand_status(bench.put(append(run, receipt("a", 1, AttemptEnd::late))),
                      WriteStatus::written, "a late receipt after the end");
  bench.demand(bench.store().due(1'000'000, 10, {}).value().empty(),
               "an ended run is found as due");
  bench.demand(bench.store().count_unfinished().value() == 0,
               "an ended run is counted as unfinished");
}

void check_due(Bench& bench) {
  const RunKey first = bench.put(start("r1")).run;
  bench.put(start("r2"));
  bench.put(ParkRun{first, RunState::waiting, 5000});
  const auto due = bench.store().due(4999, 10, {}).value();
  bench.demand(due.size() == 1 && due.front().run == "r2", "a run is found before it is due");
  bench.demand(bench.store().due(5000, 10, {}).value().size() == 2,
               "a run is not found when it is due");
  bench.demand(bench.store().due(5000, 10, {0, due.front().key}).value().size() == 1,
               "a run is found that stands before the place that was asked for");
  bench.demand(bench.store().next_due_ms(4999).value() == std::optional<std::int64_t>(5000),
               "the next due time is wrong");
  bench.put(append(first, output("a", 1, "1")));
  bench.demand(bench.store().due(4999, 10, {}).value().size() == 2,
               "a run that waited is not found after the next record about it");
}

void check_batches(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  const std::vector<Write> writes{append(run, output("a", 1, "1")), append(99, output("a", 1, "1")),
                                  append(run, output("b", 1, "2"))};
  std::vector<const Write*> batch;
  for (const Write& write : writes) batch.push_back(&write);
  const Result<std::vector<WriteReply>> replies = bench.store().write(batch, 2000);
  bench.demand(replies && replies->size() == 3,
               "a batch of three is not answered by three replies");
  if (!replies || replies->size() != 3) return;
  bench.demand((*replies)[0].status == WriteStatus::written &&
                   (*replies)[1].status == WriteStatus::refused &&
                   (*replies)[2].status == WriteStatus::written,
               "a refused write hinders its neighbours, or is not refused");
  std::int64_t seq = 0;
  for (const Record& record : bench.load("r1").records) {
    bench.demand(record.seq > seq, "records are not in their order");
    seq = record.seq;
  }
  bench.demand(bench.load("r1").records.size() == 3, "not every record of a batch is stored");
}

void check_ahead(Bench& bench) {
  const Write first = start("r1");
  const Write second = start("r2");
  const auto one = bench.store().write_ahead({&first}, 1000);
  const std::shared_ptr<LogSync> sync = bench.store().log_sync();
  const auto two = bench.store().write_ahead({&second}, 1000);
  bench.demand(one && two && one->size() == 1 && two->size() == 1,
               "what is written ahead is not answered");
  if (sync)
    bench.demand(bench.store().settle(*sync, sync->wait()).has_value(),
                 "what was written ahead is not settled after its sync");
  bench.demand(bench.store().settle().has_value(), "what was written ahead is not settled");
  bench.demand(bench.store().settle().has_value() && !bench.store().log_sync(),
               "something is left to settle when everything is settled");
  bench.open_again();
  bench.demand(bench.load("r1").records.size() == 1 && bench.load("r2").records.size() == 1,
               "what was written ahead and settled is not there");
}

void check_bytes(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  const std::string bodies[] = {R"("")", R"("\u0000 zero")",
                                R"({"deep":{"x":[1,2.5,-3,true,null]}})",
                                "\"" + std::string(500'000, 'x') + "\"", "18446744073709551615"};
  int n = 0;
  for (const std::string& body : bodies)
    bench.put(append(run, output("s" + std::to_string(n++), 1, body)));
  const StoredRun stored = bench.load("r1");
  for (std::size_t i = 0; i < std::size(bodies); ++i)
    bench.demand(stored.records.size() > i + 1 && stored.records[i + 1].body == bodies[i],
                 "an output does not come back byte for byte");
}

void check_owners(Bench& bench) {
  const RunKey run = bench.put(start("r1")).run;
  bench.put(append(run, output("a", 1, "1")));
  const std::int64_t epoch = bench.store().epoch();
  bench.open_again();
  bench.demand(bench.store().epoch() > epoch, "a new owner has no higher epoch");
  bench.demand(bench.load("r1").records.size() == 2,
               "what was answered is not there for the next owner");
  const Write write = append(run, output("b", 1, "2"));
  const Result<std::vector<WriteReply>> fenced = bench.older().write({&write}, 3000);
  bench.demand(!fenced && fenced.error().code == Errc::fenced,
               "a writer of an older epoch is not fenced");
  bench.demand(bench.load("r1").records.size() == 2, "a fenced writer has written");
  bench.demand_status(bench.put(write), WriteStatus::written, "the new owner's write");
  const std::vector<Record> records = bench.load("r1").records;
  bench.demand(records.size() == 3 && records.back().seq > records[1].seq &&
                   records.back().epoch == bench.store().epoch(),
               "a new owner's records do not follow the old owner's");
}

void check_unknown(Bench& bench) {
  bench.demand(!bench.store().load("nobody").value().has_value(), "an unknown run is found");
  const WriteReply reply = bench.put(append(7, output("a", 1, "1")));
  bench.demand(reply.status == WriteStatus::refused && reply.error.code == Errc::unknown_run,
               "a record of an unknown run is not refused as unknown_run");
}

void check_start_bodies(Bench& bench) {
  Write labelled = start("r1");
  std::get<StartRun>(labelled).body = start_body({{{"team", "tea"}}});
  bench.put(labelled);
  bench.put(start("r2"));
  bench.demand_status(bench.put(start("r1")), WriteStatus::already_exists,
                      "the same start with another body");
  bench.demand(bench.load("r1").records.front().body == std::get<StartRun>(labelled).body,
               "the first start's body is not kept as it was given");
  RunFilter filter;
  filter.labels = {{"team", "tea"}};
  const auto found = bench.store().list(filter).value();
  bench.demand(
      found.size() == 1 && found.front().run == "r1" && found.front().labels == filter.labels,
      "a run is not found by its labels");
}

void check_child_starts(Bench& bench) {
  const RunKey parent = bench.put(start("p")).run;
  const Write child = child_start("p.a", "p", parent, "a");
  const WriteReply first = bench.put(child);
  bench.demand_status(first, WriteStatus::written, "a child's start");
  bench.demand(first.opened && first.opened->kind == RecordKind::opened &&
                   bench.load("p").records.size() == 2,
               "a child's start leaves no record in its parent");
  bench.demand(bench.load("p.a").row.parent == "p", "a child's parent is not told");
  bench.demand_status(bench.put(child), WriteStatus::already_exists, "the same child again");
  bench.demand(bench.load("p").records.size() == 2, "a child that is there opens its step again");
  const WriteReply other = bench.put(start("p.a"));
  bench.demand(other.status == WriteStatus::refused && other.error.code == Errc::run_differs,
               "a run under a child's id is not refused as run_differs");
  const WriteReply lost = bench.put(child_start("q.a", "q", parent + 100, "a"));
  bench.demand(
      lost.status == WriteStatus::refused && !bench.store().load("q.a").value().has_value(),
      "a child whose parent is unknown is written");
}

/// A fork's start, which brings what it shares.
StartRun fork_start(const std::string& run, const std::string& from, Labels labels = {}) {
  StartRun fork = std::get<StartRun>(start(run));
  fork.body = start_body({std::move(labels), {}, ForkedFrom{"r0", from, {}}});
  fork.records = {std::make_shared<Record>(output("a", 0, "1")),
                  std::make_shared<Record>(output("b", 0, "2"))};
  return fork;
}

void check_fork_starts(Bench& bench) {
  const StartRun fork = fork_start("r1", "c");
  const WriteReply first = bench.put(fork, 5000);
  bench.demand_status(first, WriteStatus::written, "a fork's start");
  bench.demand(first.stored && first.stored->kind == RecordKind::started,
               "a fork's start is not answered with its started record");
  const std::vector<Record> records = bench.load("r1").records;
  bench.demand(records.size() == 3 && records[0].body == fork.body && records[1].step == "a" &&
                   records[1].body == "1" && records[2].step == "b" && records[2].body == "2",
               "a fork is not stored as it was given");
  for (std::size_t i = 1; i < records.size(); ++i)
    bench.demand(records[i].seq > records[i - 1].seq && records[i].at_ms == 5000 &&
                     records[i].epoch == bench.store().epoch() &&
                     fork.records[i - 1]->seq == records[i].seq,
                 "a fork's records are not filled in");
  const WriteReply again = bench.put(fork_start("r1", "c", {{"team", "tea"}}));
  bench.demand_status(again, WriteStatus::already_exists, "the same fork again");
  bench.demand(again.run == first.run && bench.load("r1").records.size() == 3,
               "the same fork again is another run, or brings its records again");
}

void check_other_forks(Bench& bench) {
  bench.put(fork_start("r1", "c"));
  bench.put(start("r2"));
  const Write others[] = {fork_start("r1", "b"), start("r1"), fork_start("r2", "c")};
  for (const Write& other : others) {
    const WriteReply reply = bench.put(other);
    bench.demand(reply.status == WriteStatus::refused && reply.error.code == Errc::run_differs,
                 "a run that is another fork, or one of the two no fork, is not refused as "
                 "run_differs");
  }
  bench.demand(bench.load("r1").records.size() == 3 && bench.load("r2").records.size() == 1,
               "a refused fork has changed a run");
}

struct NamedCheck {
  const char* name;
  void (*check)(Bench&);
};

constexpr NamedCheck all_checks[] = {
    {"the same start twice is one run", check_starts},
    {"the same id with another flow or input is refused", check_other_starts},
    {"the first output of a step stands", check_first_output},
    {"an attempt ends once, by a receipt or an output", check_receipts},
    {"nothing but late receipts comes after the end", check_end},
    {"runs are found when they are due", check_due},
    {"a batch is answered write by write", check_batches},
    {"what is written ahead stands when it is settled", check_ahead},
    {"bytes come back as they were given", check_bytes},
    {"a new owner finds everything and fences the old one", check_owners},
    {"an unknown run is unknown", check_unknown},
    {"what a start says besides stays, and labels find it", check_start_bodies},
    {"a child's start opens its parent's step, or nothing is written", check_child_starts},
    {"a fork is stored with what it shares, once", check_fork_starts},
    {"another fork under an id is refused", check_other_forks},
    {"a prune removes ended runs, by age and count, and no others", check_prune},
    {"a prune by count in portions keeps those that ended last", check_prune_in_portions},
    {"a prune by count goes on with what has ended since", check_prune_goes_on},
    {"a pruned run is gone, and its id is free", check_pruned_ids},
    {"a child is pruned with its parent", check_pruned_children},
    {"numbers and times go on after a prune", check_numbers_after_prune},
    {"the last report of a step stands", check_progress},
    {"nothing is reported after an attempt's end", check_late_progress},
    {"a receipt is answered with what its step last reported", check_told_progress},
    {"what a pruned run's steps reported is gone", check_pruned_progress},
};

}  // namespace

std::vector<StoreFinding> check_store(const std::function<StoreUnderTest()>& make) {
  std::vector<StoreFinding> findings;
  for (const NamedCheck& named : all_checks) {
    try {
      Bench bench(make());
      named.check(bench);
      bench.check_soundness();
      if (!bench.complaint().empty()) findings.push_back({named.name, bench.complaint()});
    } catch (const std::exception& thrown) {
      findings.push_back({named.name, std::string("threw: ") + thrown.what()});
    }
  }
  return findings;
}

std::vector<std::string> store_checks() {
  std::vector<std::string> names;
  for (const NamedCheck& named : all_checks) names.emplace_back(named.name);
  return names;
}

}  // namespace pawl::lab
