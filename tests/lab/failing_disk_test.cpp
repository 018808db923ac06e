// Every operation of the disk fails: that it is the one that was meant, and what becomes of it.
#include "lab/failing_disk.hpp"

#include <pawl/lab_catch.hpp>
#include <pawl/sqlite_store.hpp>

#include "lab/exploration_lock.hpp"
#include "lab/free_lock.hpp"
#include "lab/own_scenarios.hpp"
#include "lab/repeated_writes.hpp"
#include "support/figure.hpp"

#include <algorithm>
#include <cstdlib>

using namespace pawl;
using lab::breaks;
using lab::holds;

namespace {

/// A fork, a join, and a step after it.
Flow flow_of_five() {
  return parse_flow(R"({"flow": "five", "steps": {
    "a": {"run": "s"}, "b": {"run": "s", "after": ["a"]}, "c": {"run": "s", "after": ["a"]},
    "d": {"run": "s", "with": {"b": "{{steps.b.output}}", "c": "{{steps.c.output}}"}},
    "e": {"run": "s", "with": {"d": "{{steps.d.output}}"}}}})")
      .value();
}

Steps answers() {
  return Steps{{"s", [](const StepCall& call) {
                  return done({{"step", call.step}, {"with", call.with}});
                }}};
}

lab::Options only_faults(std::size_t recoveries) {
  lab::Options options;
  options.positions = false;
  options.mishaps = false;
  options.demand_coverage = false;
  options.faults = true;
  options.fault_recoveries = recoveries;
  return options;
}

/// What an owner does to its disk that finds what another one left, which was killed after it had
/// written ahead; `fails`, and whose sync had failed.
std::vector<lab::Entry> opening_after(bool fails) {
  lab::Course first, second;
  lab::DiskImage killed;
  {
    lab::Disk disk({}, first);
    lab::set_current_disk(&disk);
    const auto store = open_sqlite_store(lab::on_simulated_disk()).value();
    const Write start = start_run("r1");
    REQUIRE(store->write_ahead({&start}, 1000).has_value());
    if (fails) disk.fail_next();
    CHECK(store->settle().has_value() == !fails);
    killed = disk.image();
  }
  {
    lab::Disk disk(killed, second);
    lab::set_current_disk(&disk);
    const auto store = open_sqlite_store(lab::on_simulated_disk()).value();
    CHECK(store->load("r1").value().has_value());
    lab::set_current_disk(&disk);
  }
  lab::set_current_disk(nullptr);
  return second.entries();
}

}  // namespace

TEST_CASE("faults: what a killed owner's failed sync may have lost its next owner writes again",
          "[lab]") {
  constexpr std::uint32_t main_inode = 1, log_inode = 3;  // in the order of their names
  for (const bool fails : {false, true}) {
    CAPTURE(fails);
    bool written = false;
    bool synced = false;
    for (const lab::Entry& entry : opening_after(fails)) {
      if (entry.kind == lab::Entry::Kind::write && entry.inode == main_inode) break;
      if (entry.inode != log_inode) continue;
      written = written || (entry.kind == lab::Entry::Kind::write && entry.offset == 0 &&
                            entry.bytes.size() == 4096);  // SQLite itself: a header of 32
      synced = synced || (written && entry.kind == lab::Entry::Kind::sync);
    }
    CHECK(written == fails);
    CHECK(synced == fails);
  }
}

TEST_CASE("faults: a write that is repeated until it is answered is there after a power loss",
          "[lab]") {
  std::int64_t cases = 0;
  CHECK(lab::lost_by_repeated_writes(cases).value_or("") == "");
  CHECK(cases == 161);
}

// PAWL_FAULT_RECOVERIES=100000 makes it all recoveries as well, for docs/durability.md.
TEST_CASE(
    "faults: every operation of a flow's disk fails in every way, once, for a while, for ever",
    "[lab]") {
  const char* const wanted = std::getenv("PAWL_FAULT_RECOVERIES");
  const std::size_t recoveries = wanted == nullptr ? 0 : std::strtoull(wanted, nullptr, 10);
  const lab::Report report =
      lab::explore(flow_of_five(), json::object(), answers, only_faults(recoveries));
  CHECK_THAT(report, holds());
  if (wanted != nullptr) WARN(report.text());
  CHECK(report.left_out.empty());
  const lab::FaultCounts& faults = report.faults;
  note_figure("faults", with_commas(faults.operations) +
                            " operations of a flow of five steps and of " +
                            with_commas(faults.lives - 1) + " recoveries of it failed in " +
                            with_commas(faults.cases) + " ways: " + with_commas(faults.finished) +
                            " processes got over it, " + with_commas(faults.refused) +
                            " were refused the store, " + with_commas(faults.given_up) +
                            " waited until they were killed; all runs succeeded in the end, " +
                            std::to_string(report.violations.size()) + " violations");
  CHECK(faults.operations > 150);
  CHECK(faults.cases > faults.operations * 6);
  CHECK(faults.refused > 0);
  CHECK(faults.given_up > 0);
  CHECK(faults.finished > 0);
  CHECK(faults.cases == faults.refused + faults.given_up + faults.finished);
}

TEST_CASE("faults: every operation of a recovery's disk fails in every way", "[lab]") {
  const Flow flow = parse_flow(R"({"flow": "one", "steps": {"a": {"run": "s"}}})").value();
  const lab::Report report = lab::explore(flow, json::object(), answers, only_faults(2));
  CHECK_THAT(report, holds());
  CHECK(report.faults.operations > 300);
  CHECK(report.text().find(" operations of the disk failed in ") != std::string::npos);
}

TEST_CASE("faults: a case whose fault does not land, or lands elsewhere, is a violation", "[lab]") {
  const lab::ExplorationLock lock;
  const lab::Scenario scenario{flow_of_five(), {{"run-1", json::object()}}, [] {
                                 return lab::Outside{answers, {}};
                               }};
  const auto complaint_about = [&](std::int64_t operation, lab::FaultKind kind) {
    lab::LabCase lab_case;
    lab_case.lives.resize(1);
    lab_case.lives[0].faults.push_back({operation, kind, false});
    return lab::where_it_failed(lab::run_case(scenario, lab_case), lab_case).message;
  };
  const auto operations = lab::run_case(scenario, lab::LabCase{}).facts.at(0).operations;
  const auto first = [&](lab::Disk::Operation wanted) {
    return std::find(operations.begin(), operations.end(), wanted) - operations.begin();
  };
  const std::int64_t opens = first(lab::Disk::Operation::open);
  CHECK(complaint_about(opens, lab::FaultKind::io) == "");
  CHECK(complaint_about(first(lab::Disk::Operation::write), lab::FaultKind::full) == "");
  CHECK(complaint_about(1'000'000, lab::FaultKind::io).find("nothing failed") == 0);
  // Opening is no write: the disk is found full later.
  CHECK(complaint_about(opens, lab::FaultKind::full).find(", not full at operation ") !=
        std::string::npos);
}

TEST_CASE("faults: a journal that is read short is no reason to go on without it", "[lab]") {
  const Flow flow = parse_flow(R"({"flow": "one", "steps": {"a": {"run": "s"}}})").value();
  const lab::Scenario scenario{flow, {{"run-1", json::object()}}, [] {
                                 return lab::Outside{answers, {}};
                               }};
  for (const lab::LabCase& lab_case : short_reads_after_making())
    CHECK_THAT(lab::replay(scenario, lab_case), holds());
}

TEST_CASE("faults: a log that is lost is told of, whichever read is short", "[lab]") {
  const lab::ExplorationLock lock;
  const lab::Scenario scenario{flow_of_five(), {{"run-1", json::object()}}, [] {
                                 return lab::Outside{answers, {}};
                               }};
  lab::Life killed;
  killed.crash = lab::Crash{170, lab::Loss::kill, 0};
  const lab::LifeEnd end = lab::live_in(scenario, scenario.outside(), {}, killed, false);
  lab::DiskImage image = lab::outlook_after({}, end, killed).image;
  REQUIRE(image.erase("pawl.db-wal") == 1);
  REQUIRE(image.count("pawl.db-mark") == 1);
  bool landed = true;
  for (std::int64_t operation = 0; landed; ++operation) {
    lab::Course course;
    lab::Disk disk(image, course, {{operation, lab::FaultKind::short_read, false}});
    lab::set_current_disk(&disk);
    SqliteStoreOptions options{"pawl.db"};
    options.vfs = lab::lab_vfs;
    options.take_lock = &lab::FreeLock::take;
    const auto opened = open_sqlite_store(options);
    lab::set_current_disk(nullptr);
    landed = disk.failed();
    CAPTURE(operation);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == (landed ? Errc::io : Errc::rolled_back));
    CHECK((landed || operation > 20));
  }
}
