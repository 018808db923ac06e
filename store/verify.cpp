#include <pawl/limits.hpp>
#include <pawl/run_document.hpp>
#include <pawl/verify.hpp>

#include "runtime/flow_machine.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"
#include "store/sqlite_reads.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Transaction.h>

#include <map>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

const char* const restore =
    "restore the store from a backup, or start the run again under another id";

class Verifier {
 public:
  explicit Verifier(SqliteConnection& connection) : connection_(connection) {}

  Verification run() {
    check_file();
    check_belonging();
    check_order();
    SQLite::Statement runs(connection_.db(), "SELECT run, id FROM runs ORDER BY run");
    while (runs.executeStep())
      check_run(runs.getColumn(0).getInt64(), runs.getColumn(1).getString());
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

  void check_belonging() {
    const std::pair<const char*, const char*> orphans[] = {
        {"SELECT count(*) FROM events WHERE run NOT IN (SELECT run FROM runs)",
         "records of runs that are not there"},
        {"SELECT count(*) FROM runs WHERE flow NOT IN (SELECT flow FROM flows)",
         "runs of flows that are not there"}};
    for (const auto& [sql, what] : orphans)
      if (const std::int64_t count = connection_.db().execAndGet(sql).getInt64(); count > 0)
        find("orphans", "", std::to_string(count) + " " + what, "restore the store from a backup");
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
        find("order_broken", "", "the log goes back at record " + rows.getColumn(0).getString(),
             "somebody else wrote to this file; restore it from a backup");
        return;
      }
      commit_seq = rows.getColumn(1).getInt64();
      epoch = rows.getColumn(2).getInt64();
      at_ms = rows.getColumn(3).getInt64();
    }
    const std::int64_t current =
        connection_.db().execAndGet("SELECT value FROM meta WHERE key = 'epoch'").getInt64();
    if (epoch > current)
      find("order_broken", "",
           "a record has epoch " + std::to_string(epoch) + ", the store only " +
               std::to_string(current),
           "restore the store from a backup");
  }

  void check_run(RunKey key, const std::string& id) {
    ++found_.runs;
    const Result<std::optional<StoredRun>> loaded = read_run(connection_, key);
    if (!loaded) return find("run_unreadable", id, loaded.error().message, restore);
    if (!*loaded) return;  // told as an orphan
    const StoredRun& run = **loaded;
    found_.records += static_cast<std::int64_t>(run.records.size());
    if (digest_of(*run.flow) != run.flow_digest)
      return find("flow_damaged", id, "the flow is not what its digest says", restore);
    const Result<Flow> flow = flow_of(run);
    if (!flow) return find("flow_damaged", id, flow.error().message, restore);
    const Result<json> input = parse_json(run.input, Limits::input_bytes_max);
    if (!input) return find("input_damaged", id, input.error().message, restore);
    check_digests(run, id);
    check_records(run, id, *flow, *input);
  }

  Result<Flow> flow_of(const StoredRun& run) {
    const auto known = flows_.find(run.flow_digest);
    if (known != flows_.end()) return known->second;
    Result<Flow> flow = parse_flow(*run.flow);
    if (flow) flows_.emplace(run.flow_digest, *flow);
    return flow;
  }

  void check_digests(const StoredRun& run, const std::string& id) {
    SQLite::Statement digest(connection_.db(), "SELECT input_digest FROM runs WHERE run = ?");
    digest.bind(1, run.row.key);
    if (digest.executeStep() && digest_from(digest.getColumn(0)) != digest_of(run.input))
      find("input_damaged", id, "the input is not what its digest says", restore);
    for (const Record& record : run.records)
      if (record.kind == RecordKind::output && digest_of(record.body) != record.output_digest)
        find("output_damaged", id,
             "the output of step " + record.step + " is not what its digest says", restore);
  }

  void check_records(const StoredRun& run, const std::string& id, const Flow& flow,
                     const json& input) {
    FlowMachine machine(flow.plan(), RunId::trusted(id), input);
    for (const Record& record : run.records)
      if (const Result<Commands> applied = machine.apply(Recorded{record}); !applied)
        return find("records_unlawful", id, applied.error().message, restore);
    const bool ended = machine.outcome().has_value();
    if (is_ended(run.row.state) != ended || (ended && run.row.state != machine.outcome()->state))
      find("state_differs", id,
           "the run is noted as " + std::string(to_string(run.row.state)) + ", its records say " +
               std::string(to_string(machine.state())),
           restore);
    if (ended && machine.outcome()->succeeded())
      for (std::size_t i = 0; i < machine.plan().steps.size(); ++i)
        if (!machine.step_output(i))
          find("output_missing", id,
               "the run succeeded without an output of step " + machine.plan().steps[i].name.str(),
               restore);
  }

  SqliteConnection& connection_;
  Verification found_;
  std::map<Digest, Flow> flows_;
};

}  // namespace

Result<Verification> verify_sqlite_store(const std::string& path, const std::string& vfs) {
  return guarded(path, [&]() -> Result<Verification> {
    if (vfs.empty() && ::access(path.c_str(), F_OK) != 0)
      return make_error(Errc::io, "there is no such store", path);
    auto connection = SqliteConnection::open_reader(path, vfs);
    if (!connection) return connection.error();
    SQLite::Transaction one_moment((*connection)->db());
    return Verifier(**connection).run();
  });
}

}  // namespace pawl
