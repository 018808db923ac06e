#include "tools/read_run.hpp"

#include <pawl/limits.hpp>
#include <pawl/sqlite_store.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace pawl::tools {

Result<ReadRun> understand(StoredRun stored) {
  Result<Flow> flow = parse_flow(*stored.flow);
  if (!flow)
    return make_error(Errc::corrupt, "the run's flow is not readable: " + flow.error().message,
                      stored.row.run);
  Result<json> input = parse_json(stored.input, Limits::input_bytes_max);
  if (!input)
    return make_error(Errc::corrupt, "the run's input is not readable: " + input.error().message,
                      stored.row.run);
  return ReadRun{std::move(stored), std::move(*flow), std::move(*input)};
}

Result<ReadRun> read_run(StoreView& store, const std::string& run) {
  Result<std::optional<StoredRun>> stored = store.load(run);
  if (!stored) return stored.error();
  if (!*stored) return make_error(Errc::unknown_run, "there is no such run in this store", run);
  return understand(std::move(**stored));
}

Result<ReadRun> read_run(const std::string& store_path, const std::string& run) {
  const Result<std::unique_ptr<StoreView>> store = open_sqlite_reader(store_path);
  if (!store) return store.error();
  return read_run(**store, run);
}

Result<RunView> view(const ReadRun& run) {
  return view_run(run.flow, run.stored.row.run, run.input, run.stored.records, run.stored.progress);
}

}  // namespace pawl::tools
