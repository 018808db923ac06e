// What every store must do: one suite, over the model and over SQLite.
#include <pawl/signal.hpp>

#include "support/catch.hpp"
#include "support/store_worlds.hpp"
#include "support/store_writes.hpp"

using namespace pawl;

namespace {

using Memory = MemoryWorld;
using Sqlite = SqliteWorld;

std::string kinds_of(Store& store, const std::string& run) {
  std::string kinds;
  const StoredRun stored = store.load(run).value().value();
  for (const Record& record : stored.records)
    kinds += std::string(to_string(record.kind)) +
             (record.end == AttemptEnd::none || record.kind == RecordKind::output
                  ? ""
                  : ":" + std::string(to_string(record.end))) +
             (record.step.empty() ? "" : " " + record.step + std::to_string(record.attempt)) + "; ";
  return kinds;
}

}  // namespace

#define STORE_TEST(name) TEMPLATE_TEST_CASE("store: " name, "[store]", Memory, Sqlite)

STORE_TEST("a started run is there, with its flow, input and folder") {
  TestType world;
  const WriteReply reply = put(*world.store, start_run("r1", {{"n", 1}}), 5000);
  CHECK(reply.status == WriteStatus::written);
  CHECK(reply.stored->kind == RecordKind::started);
  CHECK(reply.stored->epoch == world.store->epoch());
  const StoredRun run = world.store->load("r1").value().value();
  CHECK(run.row.key == reply.run);
  CHECK(run.row.run == "r1");
  CHECK(run.row.flow_name == "f");
  CHECK(run.row.state == RunState::running);
  CHECK(run.row.started_ms == 5000);
  CHECK(run.row.ended_ms == 0);
  CHECK(digest_of(*run.flow) == run.flow_digest);
  CHECK(run.input == R"({"n":1})");
  CHECK(run.folder == "/folder");
  CHECK(run.records.size() == 1);
  CHECK(world.store->load(reply.run).value()->row.run == "r1");
}

STORE_TEST("an unknown run is nothing, not an error") {
  TestType world;
  CHECK_FALSE(world.store->load("r1").value().has_value());
  CHECK_FALSE(world.store->load(7).value().has_value());
  CHECK(put(*world.store, append(7, output_record("a", 1, 1))).error.code == Errc::unknown_run);
  CHECK(put(*world.store, ParkRun{7, RunState::waiting, 1}).error.code == Errc::unknown_run);
}

STORE_TEST("the same start twice is one run") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1", {{"n", 1}})).run;
  const WriteReply again = put(*world.store, start_run("r1", {{"n", 1}}));
  CHECK(again.status == WriteStatus::already_exists);
  CHECK(again.run == key);
  CHECK(again.state == RunState::running);
  CHECK(kinds_of(*world.store, "r1") == "started; ");
}

STORE_TEST("the same id with another input or flow is refused, and told what differs") {
  TestType world;
  put(*world.store, start_run("r1", {{"n", 1}}));
  const WriteReply input = put(*world.store, start_run("r1", {{"n", 2}}));
  CHECK(input.status == WriteStatus::refused);
  CHECK(input.error.code == Errc::run_differs);
  CHECK(input.error.message.find("input /n was 1, is now 2") != std::string::npos);
  const WriteReply flow = put(*world.store, start_run("r1", {{"n", 1}}, "y"));
  CHECK(flow.error.code == Errc::run_differs);
  CHECK(flow.error.message.find(R"(flow /steps/a/run was "x", is now "y")") != std::string::npos);
}

STORE_TEST("keys ascend, and runs are listed the newest first") {
  TestType world;
  const RunKey first = put(*world.store, start_run("r1")).run;
  const RunKey second = put(*world.store, start_run("r2")).run;
  put(*world.store, start_run("r3"));
  CHECK(first < second);
  put(*world.store, append(second, ended_record(RunState::failed)), 7000);
  const auto ids = [&](const RunFilter& filter) {
    std::string text;
    for (const RunRow& row : world.store->list(filter).value()) text += row.run + " ";
    return text;
  };
  RunFilter filter;
  CHECK(ids(filter) == "r3 r2 r1 ");
  filter.limit = 2;
  CHECK(ids(filter) == "r3 r2 ");
  filter.before = second;
  CHECK(ids(filter) == "r1 ");
  filter = {};
  filter.unfinished_only = true;
  CHECK(ids(filter) == "r3 r1 ");
  filter = {};
  filter.state = RunState::failed;
  CHECK(ids(filter) == "r2 ");
  CHECK(world.store->load("r2").value()->row.ended_ms == 7000);
}

STORE_TEST("any JSON comes back byte for byte") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const json value =
      GENERATE(json(nullptr), json(""), json(std::string("\0 zero", 6)), json("\u00fc \"\\ \n"),
               json::array(), json{{"deep", {{"x", {1, 2.5, -3, true}}}}},
               json(std::string(1'000'000, 'x')), json(18446744073709551615u));
  CHECK(put(*world.store, append(key, output_record("a", 1, value))).status ==
        WriteStatus::written);
  CHECK(world.store->load(key).value()->records.at(1).body == value.dump());
}

STORE_TEST("every field of a record comes back") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  Record record = receipt_record("a", 3, AttemptEnd::timed_out, "slow");
  record.started_ms = 11;
  record.duration_ms = 12;
  record.due_ms = 13;
  record.input_digest = digest_of("in");
  record.output_digest = digest_of("out");
  put(*world.store, append(key, record), 14);
  const Record stored = world.store->load(key).value()->records.at(1);
  CHECK(stored.kind == RecordKind::receipt);
  CHECK(stored.end == AttemptEnd::timed_out);
  CHECK(stored.step == "a");
  CHECK(stored.attempt == 3);
  CHECK(stored.started_ms == 11);
  CHECK(stored.duration_ms == 12);
  CHECK(stored.due_ms == 13);
  CHECK(stored.input_digest == digest_of("in"));
  CHECK(stored.output_digest == digest_of("out"));
  CHECK(stored.body == record.body);
  CHECK(stored.at_ms == 14);
  CHECK(stored.epoch == world.store->epoch());
  CHECK(stored.seq > 1);
}

STORE_TEST("the first output of a step stands") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  CHECK(put(*world.store, append(key, output_record("a", 1, "first"))).status ==
        WriteStatus::written);
  const WriteReply other = put(*world.store, append(key, output_record("a", 2, "second")));
  CHECK(other.status == WriteStatus::already_exists);
  CHECK(other.diverged);
  CHECK(other.stored->body == R"("first")");
  CHECK(other.stored->attempt == 1);
  CHECK(kinds_of(*world.store, "r1") == "started; output a1; receipt:diverged a2; ");
  CHECK(world.store->load(key).value()->records.at(2).body == R"("second")");  // kept, for people
}

STORE_TEST("the same write twice changes nothing") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const std::vector<Record> records{output_record("a", 1, "x"),
                                    receipt_record("b", 1, AttemptEnd::failed),
                                    run_record(RecordKind::cancel_requested), ended_record()};
  for (const Record& record : records) put(*world.store, append(key, record));
  const std::string before = kinds_of(*world.store, "r1");
  for (const Record& record : records) {
    const WriteReply again = put(*world.store, append(key, record));
    CHECK(again.status == WriteStatus::already_exists);
    CHECK_FALSE(again.diverged);
    CHECK(again.stored->body == record.body);
  }
  CHECK(kinds_of(*world.store, "r1") == before);
}

STORE_TEST("the same output from another attempt leaves a receipt and is not divergent") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  put(*world.store, append(key, output_record("a", 1, "x")));
  const WriteReply again = put(*world.store, append(key, output_record("a", 2, "x")));
  CHECK(again.status == WriteStatus::already_exists);
  CHECK_FALSE(again.diverged);
  CHECK(kinds_of(*world.store, "r1") == "started; output a1; receipt:succeeded a2; ");
}

STORE_TEST("equal steps of different runs, and different steps of one run, do not meet") {
  TestType world;
  const RunKey first = put(*world.store, start_run("r1")).run;
  const RunKey second = put(*world.store, start_run("r2")).run;
  for (const auto& [key, step] :
       {std::pair(first, "a"), std::pair(first, "b"), std::pair(second, "a")})
    CHECK(put(*world.store, append(key, output_record(step, 1, step))).status ==
          WriteStatus::written);
}

STORE_TEST("a receipt cannot end an attempt of a step that has an output") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  put(*world.store, append(key, output_record("a", 1, "x")));
  const AttemptEnd end = GENERATE(AttemptEnd::failed, AttemptEnd::fatal, AttemptEnd::timed_out,
                                  AttemptEnd::lost, AttemptEnd::interrupted, AttemptEnd::cancelled);
  const int attempt = GENERATE(1, 2);
  const WriteReply reply = put(*world.store, append(key, receipt_record("a", attempt, end)));
  CHECK(reply.status == WriteStatus::already_exists);
  CHECK(reply.diverged);
  CHECK(reply.stored->kind == RecordKind::output);
}

STORE_TEST("an output of an attempt that has ended is refused") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  put(*world.store, append(key, receipt_record("a", 1, AttemptEnd::timed_out)));
  CHECK(put(*world.store, append(key, output_record("a", 1, "late"))).error.code ==
        Errc::attempt_ended);
  CHECK(put(*world.store, append(key, output_record("a", 2, "in time"))).status ==
        WriteStatus::written);
}

STORE_TEST("what is refused after an attempt's end is refused by the next process too") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  put(*world.store, append(key, receipt_record("a", 1, AttemptEnd::timed_out)));
  put(*world.store, ParkRun{key, RunState::waiting, 9000});
  const bool by_the_next = GENERATE(true, false);
  if (by_the_next) world.store = world.open_again();
  CHECK(put(*world.store, append(key, output_record("a", 1, "late"))).error.code ==
        Errc::attempt_ended);
  // Neither what it waited for nor its going on lets that be forgotten.
  CHECK(put(*world.store, append(key, output_record("b", 1, 1))).status == WriteStatus::written);
  CHECK(put(*world.store, append(key, output_record("a", 1, "late"))).error.code ==
        Errc::attempt_ended);
  CHECK(world.store->load("r1").value()->row.state == RunState::running);
}

STORE_TEST("more runs are written about than a writer remembers") {
  TestType world;
  const RunKey first = put(*world.store, start_run("first")).run;
  put(*world.store, append(first, receipt_record("a", 1, AttemptEnd::failed)));
  put(*world.store, ParkRun{first, RunState::waiting, 9000});
  std::vector<Write> starts;
  for (int i = 0; i < 20'000; ++i) starts.push_back(start_run("r" + std::to_string(i)));
  std::vector<const Write*> writes;
  for (const Write& start : starts) writes.push_back(&start);
  const std::vector<WriteReply> replies = world.store->write(writes, 1000).value();
  CHECK(replies.back().status == WriteStatus::written);
  CHECK(replies.back().run == first + 20'000);
  CHECK(put(*world.store, append(first, output_record("a", 1, 1))).error.code ==
        Errc::attempt_ended);
  CHECK(put(*world.store, append(first, output_record("a", 2, 1))).status == WriteStatus::written);
  CHECK(world.store->load("first").value()->row.state == RunState::running);
}

STORE_TEST("an attempt ends once, and another end is answered with the first") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  put(*world.store, append(key, receipt_record("a", 1, AttemptEnd::timed_out)));
  const WriteReply other =
      put(*world.store, append(key, receipt_record("a", 1, AttemptEnd::failed)));
  CHECK(other.status == WriteStatus::already_exists);
  CHECK(other.diverged);
  CHECK(other.stored->end == AttemptEnd::timed_out);
}

STORE_TEST("after the end only late and diverged receipts are taken") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  put(*world.store, append(key, output_record("a", 1, "x")));
  put(*world.store, append(key, ended_record()));
  CHECK(put(*world.store, append(key, output_record("b", 1, 1))).error.code == Errc::run_ended);
  CHECK(put(*world.store, append(key, receipt_record("b", 1, AttemptEnd::failed))).error.code ==
        Errc::run_ended);
  CHECK(put(*world.store, append(key, run_record(RecordKind::cancel_requested))).error.code ==
        Errc::run_ended);
  CHECK(put(*world.store, append(key, run_record(RecordKind::unblocked))).error.code ==
        Errc::run_ended);
  CHECK(put(*world.store, ParkRun{key, RunState::waiting, 1}).error.code == Errc::run_ended);
  CHECK(put(*world.store, append(key, receipt_record("a", 1, AttemptEnd::late))).status ==
        WriteStatus::written);
  CHECK(put(*world.store, append(key, receipt_record("a", 1, AttemptEnd::diverged))).status ==
        WriteStatus::written);
  CHECK(put(*world.store, start_run("r1")).state == RunState::succeeded);
}

STORE_TEST("a run may be unblocked any number of times") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  for (int i = 0; i < 3; ++i)
    CHECK(put(*world.store, append(key, run_record(RecordKind::unblocked))).status ==
          WriteStatus::written);
  CHECK(kinds_of(*world.store, "r1") == "started; unblocked; unblocked; unblocked; ");
}

STORE_TEST("a batch is answered write by write, and a refused one does not hinder the others") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const std::vector<Write> writes{append(key, output_record("a", 1, 1)),
                                  append(99, output_record("a", 1, 1)),
                                  start_run("r1", {{"other", 1}}),
                                  append(key, output_record("a", 1, 1)),
                                  append(key, output_record("b", 1, 2)),
                                  start_run("r2"),
                                  start_run("r2")};
  std::vector<const Write*> batch;
  for (const Write& write : writes) batch.push_back(&write);
  std::string statuses;
  for (const WriteReply& reply : world.store->write(batch, 1).value())
    statuses += reply.status == WriteStatus::written          ? 'w'
                : reply.status == WriteStatus::already_exists ? 'e'
                                                              : 'r';
  CHECK(statuses == "wrrewwe");
}

STORE_TEST("records keep their order over many batches") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  for (int i = 1; i <= 50; ++i)
    put(*world.store, append(key, receipt_record("a", i, AttemptEnd::failed)));
  const StoredRun run = world.store->load(key).value().value();
  REQUIRE(run.records.size() == 51);
  for (int i = 1; i <= 50; ++i) {
    CHECK(run.records[static_cast<std::size_t>(i)].attempt == i);
    CHECK(run.records[static_cast<std::size_t>(i)].seq >
          run.records[static_cast<std::size_t>(i - 1)].seq);
  }
}

STORE_TEST("an answer that came too late makes its run due, if it kept its output") {
  TestType world;
  const RunKey parked = put(*world.store, start_run("parked")).run;
  const RunKey ended = put(*world.store, start_run("ended")).run;
  put(*world.store, ParkRun{parked, RunState::waiting, 9000});
  put(*world.store, append(ended, ended_record()));
  Record without = receipt_record("a", 1, AttemptEnd::late);
  put(*world.store, append(parked, without));
  CHECK(world.store->due(1000, 10, {}).value().empty());
  for (const RunKey run : {parked, ended}) {
    Record late = output_record("a", 2, 1);
    late.kind = RecordKind::receipt;
    late.end = AttemptEnd::late;
    CHECK(put(*world.store, append(run, late)).status == WriteStatus::written);
  }
  REQUIRE(world.store->due(1000, 10, {}).value().size() == 1);
  CHECK(world.store->due(1000, 10, {}).value()[0].run == "parked");
  CHECK(world.store->load("ended").value()->row.state == RunState::succeeded);
}

STORE_TEST("runs are found when they are due, and ended ones never") {
  TestType world;
  const RunKey now = put(*world.store, start_run("now")).run;
  const RunKey soon = put(*world.store, start_run("soon")).run;
  const RunKey later = put(*world.store, start_run("later")).run;
  const RunKey ended = put(*world.store, start_run("ended")).run;
  put(*world.store, ParkRun{soon, RunState::waiting, 2000});
  put(*world.store, ParkRun{later, RunState::waiting, 9000});
  put(*world.store, append(ended, ended_record()));
  const auto due = [&](std::int64_t now_ms, std::size_t limit, const DuePlace& after) {
    std::string text;
    for (const RunRow& row : world.store->due(now_ms, limit, after).value()) text += row.run + " ";
    return text;
  };
  CHECK(due(1000, 10, {}) == "now ");
  CHECK(due(2000, 10, {}) == "now soon ");
  CHECK(due(99'000, 10, {}) == "now soon later ");
  CHECK(due(99'000, 2, {}) == "now soon ");
  CHECK(due(99'000, 10, {0, now}) == "soon later ");
  CHECK(due(99'000, 10, {2000, soon - 1}) == "soon later ");
  CHECK(due(99'000, 10, {2000, soon}) == "later ");
  CHECK(due(99'000, 1, {0, later}) == "soon ");
  CHECK(due(2000, 10, {2000, later}).empty());
  CHECK(world.store->next_due_ms(0).value() == 2000);
  CHECK(world.store->next_due_ms(2000).value() == 9000);
  CHECK_FALSE(world.store->next_due_ms(9000).value().has_value());
  CHECK(world.store->count_unfinished().value() == 3);
  CHECK(world.store->load(soon).value()->row.state == RunState::waiting);
  put(*world.store, ParkRun{now, RunState::blocked, 0});
  CHECK(world.store->load(now).value()->row.state == RunState::blocked);
  // Whoever dies after this must find it again.
  Record signal = signal_record({"go", 1, "s1"}).value();
  put(*world.store, append(later, signal));
  CHECK(world.store->load(later).value()->row.state == RunState::running);
  CHECK(due(1000, 10, {}) == "now later ");
}

STORE_TEST("what was answered is there for the next owner, whose epoch is higher") {
  TestType world;
  const std::int64_t first_epoch = world.store->epoch();
  const RunKey key = put(*world.store, start_run("r1")).run;
  CHECK(world.store->opened_at_ms() == 0);
  put(*world.store, append(key, output_record("a", 1, "x")), 7777);
  world.store.reset();
  world.store = world.open_again();
  CHECK(world.store->epoch() > first_epoch);
  CHECK(world.store->opened_at_ms() == 7777);
  CHECK(kinds_of(*world.store, "r1") == "started; output a1; ");
  CHECK(world.store->load(key).value()->records.at(1).epoch == first_epoch);
  CHECK(put(*world.store, start_run("r2")).run > key);
}

STORE_TEST("a writer of an older epoch is fenced and writes nothing") {
  TestType world;
  const RunKey key = put(*world.store, start_run("r1")).run;
  const auto new_owner = world.open_again();
  const Write late = append(key, output_record("a", 1, "zombie"));
  CHECK(world.store->write({&late}, 1).error().code == Errc::fenced);
  CHECK(world.store->write({&late}, 1).error().code == Errc::fenced);
  CHECK(kinds_of(*new_owner, "r1") == "started; ");
  CHECK(put(*new_owner, append(key, output_record("a", 1, "new"))).status == WriteStatus::written);
}
