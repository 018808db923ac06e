// prune: removes ended runs, through the store's owner, or as its owner for a moment.
#include <pawl/control.hpp>
#include <pawl/retention.hpp>
#include <pawl/sqlite_store.hpp>

#include "tools/commands.hpp"
#include "tools/when.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pawl::tools {

namespace {

constexpr int owner_timeout_ms = 10'000;

/// How much an owner is asked for at once: others wait for its ear meanwhile.
constexpr std::size_t asked_at_once = 256;

/// How long an owner may be about to listen, or about to go.
constexpr std::chrono::seconds between_owners{1};
constexpr std::chrono::milliseconds look_again{20};

Result<PruneOptions> options_from(const PruneArguments& arguments) {
  PruneOptions options;
  if (!arguments.older_than.empty()) {
    const Result<std::int64_t> age_ms = parse_age("--older-than", arguments.older_than);
    if (!age_ms) return age_ms.error();
    options.ended_before_ms = now_ms() - *age_ms;
  }
  options.keep_newest = arguments.keep;
  if (const Result<void> checked = check(options); !checked)
    return make_error(Errc::invalid_argument,
                      "nothing says what may be removed; give --older-than AGE, --keep N, or both");
  return options;
}

/// Prunes as the store's owner, without an engine, which would go on with runs. Adds to `removed`.
///
/// Errors: Errc::in_use when there is another owner.
Result<void> prune_here(const Settings& settings, const PruneOptions& options,
                        std::size_t& removed) {
  SqliteStoreOptions store_options{settings.store};
  store_options.lock_wait_ms = 0;
  const Result<std::unique_ptr<Store>> store = open_sqlite_store(store_options);
  if (!store) return store.error();
  for (;;) {
    const Write portion = next_portion(options, 0);
    const Result<std::vector<WriteReply>> replies =
        (*store)->write({&portion}, std::max(now_ms(), (*store)->opened_at_ms()));
    if (!replies) return replies.error();
    removed += replies->front().pruned;
    if (!replies->front().more) return {};
  }
}

Result<void> ask_for_prune(const Settings& settings, PruneOptions options, std::size_t& removed) {
  options.limit = asked_at_once;
  for (;;) {
    const Result<Pruned> pruned = ask_owner_to_prune(settings.store, options, owner_timeout_ms);
    if (!pruned) return pruned.error();
    removed += pruned->runs;
    if (!pruned->more) return {};
  }
}

Result<void> prune(const Settings& settings, const PruneOptions& options, std::size_t& removed) {
  auto deadline = std::chrono::steady_clock::now() + between_owners;
  for (std::size_t before = 0;;) {
    Result<void> done = prune_here(settings, options, removed);
    if (!done && done.error().code == Errc::in_use)
      done = ask_for_prune(settings, options, removed);
    if (done) return done;
    // An owner that just opens the store, or closes it, has no ear.
    const bool deaf = done.error().code == Errc::io || done.error().code == Errc::closed ||
                      done.error().code == Errc::busy;
    if (std::exchange(before, removed) < removed)
      deadline = std::chrono::steady_clock::now() + between_owners;
    if (!deaf || std::chrono::steady_clock::now() >= deadline) return done;
    std::this_thread::sleep_for(look_again);
  }
}

/// All ended runs that would go, those that ended first before the others.
Result<std::vector<RunRow>> runs_to_go(const Settings& settings, const PruneOptions& options) {
  const Result<std::unique_ptr<StoreView>> store = open_sqlite_reader(settings.store);
  if (!store) return store.error();
  std::vector<RunRow> ended;
  for (RunFilter page;;) {
    const Result<std::vector<RunRow>> rows = (*store)->list(page);
    if (!rows) return rows.error();
    std::copy_if(rows->begin(), rows->end(), std::back_inserter(ended),
                 [](const RunRow& row) { return is_ended(row.state); });
    if (rows->size() < page.limit) break;
    page.before = rows->back().key;
  }
  return prunable(std::move(ended), next_portion(options, 0));
}

std::string count_text(std::size_t runs) {
  return std::to_string(runs) + (runs == 1 ? " run" : " runs");
}

ExitCode tell_dry_run(Console& console, const std::vector<RunRow>& runs) {
  if (console.json_wanted()) {
    json ids = json::array();
    for (const RunRow& run : runs) ids.push_back(run.run);
    console.document(json{{"dry_run", true}, {"removed", runs.size()}, {"runs", ids}});
    return ExitCode::succeeded;
  }
  std::vector<std::vector<std::string>> lines{{"RUN", "FLOW", "STATE", "ENDED"}};
  for (const RunRow& run : runs)
    lines.push_back(
        {run.run, run.flow_name, std::string(to_string(run.state)), time_text(run.ended_ms)});
  if (!runs.empty())
    for (const std::string& line : table(lines)) console.data(line);
  console.words(count_text(runs.size()) + " would be removed");
  return ExitCode::succeeded;
}

}  // namespace

ExitCode prune_command(const Settings& settings, const PruneArguments& arguments) {
  Console console(settings);
  const Result<PruneOptions> options = options_from(arguments);
  if (!options) return console.error(options.error());
  // Nothing can be removed from a store that is not there; pruning must not make one.
  if (::access(settings.store.c_str(), F_OK) != 0)
    return console.error(make_error(Errc::io, "there is no such store", settings.store));
  if (arguments.dry_run) {
    const Result<std::vector<RunRow>> runs = runs_to_go(settings, *options);
    return runs ? tell_dry_run(console, *runs) : console.error(runs.error());
  }
  std::size_t removed = 0;
  const Result<void> done = prune(settings, *options, removed);
  if (!done) {
    if (removed > 0) console.words(count_text(removed) + " removed before that");
    return console.error(done.error());
  }
  if (console.json_wanted())
    console.document(json{{"dry_run", false}, {"removed", removed}});
  else
    console.data(count_text(removed) + " removed");
  return ExitCode::succeeded;
}

}  // namespace pawl::tools
