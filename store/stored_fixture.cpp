#include <pawl/limits.hpp>
#include <pawl/stored_fixture.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace pawl {

Result<RunFixture> fixture_of(const StoredRun& stored) {
  Result<Flow> flow = parse_flow(*stored.flow);
  if (!flow)
    return make_error(Errc::corrupt, "the run's flow is not readable: " + flow.error().message,
                      stored.row.run);
  Result<json> input = parse_json(stored.input, Limits::input_bytes_max);
  if (!input)
    return make_error(Errc::corrupt, "the run's input is not readable: " + input.error().message,
                      stored.row.run);
  return RunFixture{std::move(*flow), stored.row.run, std::move(*input),
                    stored.folder,    stored.records, stored.progress};
}

Result<RunFixture> read_fixture(StoreView& store, const std::string& run) {
  const Result<std::optional<StoredRun>> stored = store.load(run);
  if (!stored) return stored.error();
  if (!*stored) return make_error(Errc::unknown_run, "there is no such run in this store", run);
  return fixture_of(**stored);
}

StartRun fork_start(const RunFork& fork, const std::string& id, bool interrupted) {
  StartRun start;
  start.run = id;
  start.flow_name = fork.flow.name();
  start.flow = std::make_shared<const std::string>(fork.flow.canonical());
  start.flow_digest = fork.flow.digest();
  start.input = fork.input.dump();
  start.folder = fork.folder;
  start.body = fork.body;
  for (const Record& record : fork.shared)
    start.records.push_back(std::make_shared<Record>(record));
  if (interrupted)
    for (const Record& record : fork.interrupted)
      start.records.push_back(std::make_shared<Record>(record));
  return start;
}

}  // namespace pawl
