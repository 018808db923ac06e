#include <pawl/limits.hpp>
#include <pawl/run_document.hpp>
#include <pawl/verify.hpp>

#include "runtime/flow_machine.hpp"
#include "store/checked_vfs.hpp"
#include "store/high_water.hpp"
#include "store/row_checksum.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Transaction.h>

#include <map>
#include <optional>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

const char* const remedy_of_run =
    "restore the store from a backup, or start the run again under another id";

class Verifier {
 public:
  Verifier(SqliteConnection& connection, const std::function<void(StoredRun)>& visit)
      : connection_(connection), visit_(visit) {}

  Verification run(const std::optional<HighWater>& mark, const std::string& path) {
    check_file();
    check_pages();
    check_mark(mark, path);
    check_belonging();
    check_progress_belonging();
    check_store_rows();
    check_order();
    read_each_run(connection_, [this](const std::string& id, Result<StoredRun> run) {
      ++found_.runs;
      if (!run) return find("run_unreadable", id, run.error().message, remedy_of_run);
      check_run(*run, id);
      if (visit_) visit_(std::move(*run));
    });
    return std::move(found_);
  }

 private:
  void find(std::string code, std::string run, std::string message, std::string remedy) {
    found_.findings.push_back(
        {std::move(code), std::move(run), std::move(message), std::move(remedy)});
  }

  void check_file() {
    SQLite::Statement check(connection_.db(), "PRAGMA integrity_check(20)");
    while (check.executeStep())
      if (const std::string line = check.getColumn(0).getString(); line != "ok")
        find("file_damaged", "", line, "restore the store from a backup");
  }

  /// What SQLite's own check has read.
  void check_pages() {
    for (const DamagedPage& damaged : take_damaged_pages(connection_.db().getHandle())) {
      if (damaged.is_unsealed) continue;  // what may be wrong with it SQLite's check has told
      const std::string page = "page " + std::to_string(damaged.page);
      if (damaged.corrected)
        find("page_corrected", "",
             "a bit of " + page + " has flipped; it is read as it was written",
             "pawl repair writes it back");
      else
        find("page_damaged", "", page + " is damaged: its checksum does not fit",
             "restore the store from a backup");
    }
  }

  void check_mark(const std::optional<HighWater>& mark, const std::string& path) {
    const auto kept =
        guarded(path, [&] { return check_high_water(mark, read_high_water(connection_), path); });
    // Numbers that are damaged are found among the store's other rows.
    if (!kept && kept.error().code == Errc::rolled_back)
      find("rolled_back", "", kept.error().message, "what is there is sound, but not all");
  }

  void check_belonging() {
    SQLite::Statement counts(
        connection_.db(),
        "SELECT (SELECT count(*) FROM events WHERE run NOT IN (SELECT run FROM runs)), "
        "(SELECT count(*) FROM runs WHERE flow NOT IN (SELECT flow FROM flows)), "
        "(SELECT value FROM meta WHERE key = 'epoch')");
    counts.executeStep();
    const char* const what[] = {"records of runs that are not there",
                                "runs of flows that are not there"};
    for (int i = 0; i < 2; ++i)
      if (const std::int64_t count = counts.getColumn(i).getInt64(); count > 0)
        find("orphans", "", std::to_string(count) + " " + what[i],
             "restore the store from a backup");
    epoch_ = counts.getColumn(2).getInt64();
  }

  void check_progress_belonging() {
    if (!connection_.has_progress()) return;  // an older pawl's
    SQLite::Statement count(
        connection_.db(), "SELECT count(*) FROM progress WHERE run NOT IN (SELECT run FROM runs)");
    count.executeStep();
    if (const std::int64_t progress = count.getColumn(0).getInt64(); progress > 0)
      find("orphans", "", std::to_string(progress) + " reports of runs that are not there",
           "restore the store from a backup");
  }

  /// The rows that no run is read from.
  void check_store_rows() {
    if (!connection_.checks_rows()) return;
    SQLite::Statement numbers(connection_.db(), "SELECT key, value, checksum FROM meta");
    while (numbers.executeStep())
      if (const std::string key = numbers.getColumn(0).getString();
          digest_from(numbers.getColumn(2)) != meta_checksum(key, numbers.getColumn(1).getInt64()))
        find("row_damaged", "", "the checksum of the store's number \"" + key + "\" does not fit",
             "restore the store from a backup");
    SQLite::Statement children(connection_.db(), "SELECT run, parent, checksum FROM children");
    while (children.executeStep())
      if (digest_from(children.getColumn(2)) !=
          child_checksum(children.getColumn(0).getInt64(), children.getColumn(1).getInt64()))
        find("row_damaged", "",
             "the checksum of what names the parent of run number " +
                 std::to_string(children.getColumn(0).getInt64()) + " does not fit",
             "restore the store from a backup; until then neither run is pruned");
  }

  void check_order() {
    SQLite::Statement rows(connection_.db(),
                           "SELECT seq, commit_seq, epoch, at_ms FROM events ORDER BY seq");
    std::int64_t commit_seq = 0;
    std::int64_t epoch = 0;
    std::int64_t at_ms = 0;
    while (rows.executeStep()) {
      const bool back = rows.getColumn(1).getInt64() < commit_seq ||
                        rows.getColumn(2).getInt64() < epoch ||
                        rows.getColumn(3).getInt64() < at_ms;
      if (back) {
        find("order_broken", "",
             "the log goes back at record " + std::to_string(rows.getColumn(0).getInt64()),
             "somebody else wrote to this file; restore it from a backup");
        return;
      }
      commit_seq = rows.getColumn(1).getInt64();
      epoch = rows.getColumn(2).getInt64();
      at_ms = rows.getColumn(3).getInt64();
    }
    if (epoch > epoch_)
      find("order_broken", "",
           "a record has epoch " + std::to_string(epoch) + ", the store only " +
               std::to_string(epoch_),
           "restore the store from a backup");
  }

  void check_run(const StoredRun& run, const std::string& id) {
    found_.records += static_cast<std::int64_t>(run.records.size());
    const Result<Flow> flow = flow_of(run);
    if (!flow) return find("flow_damaged", id, flow.error().message, remedy_of_run);
    const Result<json> input = parse_json(run.input, Limits::input_bytes_max);
    if (!input) return find("input_damaged", id, input.error().message, remedy_of_run);
    check_outputs(run, id);
    check_records(run, id, *flow, *input);
  }

  Result<Flow> flow_of(const StoredRun& run) {
    const auto known = flows_.find(run.flow_digest);
    if (known != flows_.end()) return known->second;
    Result<Flow> flow = parse_flow(*run.flow);
    if (flow) flows_.emplace(run.flow_digest, *flow);
    return flow;
  }

  void check_outputs(const StoredRun& run, const std::string& id) {
    for (const Record& record : run.records)
      if (record.kind == RecordKind::output && digest_of(record.body) != record.output_digest)
        find("output_damaged", id,
             "the output of step " + record.step + " is not what its digest says", remedy_of_run);
  }

  void check_records(const StoredRun& run, const std::string& id, const Flow& flow,
                     const json& input) {
    FlowMachine machine(flow.plan(), RunId::trusted(id), input);
    for (const Record& record : run.records)
      if (const Result<Commands> applied = machine.apply(Recorded{record}); !applied)
        return find("records_unlawful", id, applied.error().message, remedy_of_run);
    check_progress(run, id, machine);
    const bool ended = machine.outcome().has_value();
    if (is_ended(run.row.state) != ended || (ended && run.row.state != machine.outcome()->state))
      find("state_differs", id,
           "the run is noted as " + std::string(to_string(run.row.state)) + ", its records say " +
               std::string(to_string(machine.state())),
           remedy_of_run);
    if (ended && machine.outcome()->succeeded())
      for (std::size_t i = 0; i < machine.plan().steps.size(); ++i)
        if (!machine.step_output(i) && machine.step_state(i) != StepState::excluded)
          find("output_missing", id,
               "the run succeeded without an output of step " + machine.plan().steps[i].name.str(),
               remedy_of_run);
  }

  void check_progress(const StoredRun& run, const std::string& id, const FlowMachine& machine) {
    for (const Progress& progress : run.progress) {
      const std::optional<std::size_t> step = machine.find(progress.step);
      if (!step || progress.attempt < 1 || progress.attempt > machine.attempts(*step))
        find("progress_unlawful", id,
             "attempt " + std::to_string(progress.attempt) + " of step " + progress.step +
                 " has reported, and was never open",
             remedy_of_run);
      else if (!parse_json(progress.body, Limits::progress_bytes_max))
        find("progress_damaged", id,
             "what attempt " + std::to_string(progress.attempt) + " of step " + progress.step +
                 " reported is not readable; its next attempt is told nothing",
             remedy_of_run);
    }
  }

  SqliteConnection& connection_;
  const std::function<void(StoredRun)>& visit_;
  Verification found_;
  std::int64_t epoch_ = 0;  // the file's
  std::map<Digest, Flow> flows_;
};

}  // namespace

Result<Verification> verify_sqlite_store(const std::string& path, const std::string& vfs,
                                         const std::function<void(StoredRun)>& visit) {
  return guarded(path, [&]() -> Result<Verification> {
    if (vfs.empty() && ::access(path.c_str(), F_OK) != 0)
      return make_error(Errc::io, "there is no such store", path);
    const std::optional<HighWater> mark = HighWaterFile::read(path, vfs);
    auto connection = SqliteConnection::open_reader(path, vfs);
    if (!connection) return connection.error();
    accept_all_pages((*connection)->db().getHandle());
    SQLite::Transaction one_moment((*connection)->db());
    return Verifier(**connection, visit).run(mark, path);
  });
}

}  // namespace pawl
