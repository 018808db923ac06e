// Commands that only look: list, show, why, doubts. They may look while an engine works on the
// store.
#include <pawl/doubts.hpp>
#include <pawl/limits.hpp>
#include <pawl/sqlite_store.hpp>

#include "tools/commands.hpp"
#include "tools/owner_note.hpp"
#include "tools/read_labels.hpp"
#include "tools/read_run.hpp"
#include "tools/when.hpp"

#include <algorithm>
#include <utility>

namespace pawl::tools {

namespace {

void show_step(Console& console, const std::string& name, const json& step) {
  console.data("  " + name + ": " + step["state"].get<std::string>());
  for (const json& attempt : step["attempts"]) {
    std::string line = "    attempt " + std::to_string(attempt["attempt"].get<int>()) + ": " +
                       attempt["end"].get<std::string>();
    if (attempt["duration_ms"].get<std::int64_t>() > 0)
      line += " after " + duration_text(attempt["duration_ms"].get<std::int64_t>());
    if (attempt.contains("error")) line += ": " + attempt["error"]["message"].get<std::string>();
    if (attempt.contains("due_ms"))
      line += " (next attempt due " + time_text(attempt["due_ms"].get<std::int64_t>()) + ")";
    console.data(line);
  }
  if (step.contains("progress") && step["output"].is_null())
    console.data("    progress at " + time_text(step["progress"]["at_ms"].get<std::int64_t>()) +
                 " (attempt " + std::to_string(step["progress"]["attempt"].get<int>()) +
                 "): " + printable_text(step["progress"]["value"].dump(), 300));
  if (!step["output"].is_null())
    console.data("    output: " + printable_text(step["output"].dump(), 300));
}

Result<RunFilter> filter_from(const ListArguments& arguments) {
  RunFilter filter;
  filter.limit = arguments.limit;
  filter.flow_name = arguments.flow;
  filter.id_prefix = arguments.id_prefix;
  filter.input_text = arguments.input_text;
  if (!arguments.state.empty()) {
    filter.state = run_state_from(arguments.state);
    if (!filter.state)
      return make_error(Errc::invalid_argument,
                        "no run is ever in the state \"" + arguments.state + "\"");
  }
  Result<Labels> labels = read_labels(arguments.labels);
  if (!labels) return labels.error();
  filter.labels = std::move(*labels);
  const std::int64_t now = now_ms();
  if (!arguments.since.empty()) {
    const Result<std::int64_t> from_ms = parse_moment("--since", arguments.since, now);
    if (!from_ms) return from_ms.error();
    filter.started_from_ms = *from_ms;
  }
  if (!arguments.until.empty()) {
    const Result<std::int64_t> before_ms = parse_moment("--until", arguments.until, now);
    if (!before_ms) return before_ms.error();
    filter.started_before_ms = *before_ms;
  }
  return filter;
}

}  // namespace

ExitCode list_command(const Settings& settings, const ListArguments& arguments) {
  Console console(settings);
  const Result<RunFilter> filter = filter_from(arguments);
  if (!filter) return console.error(filter.error());
  Result<std::unique_ptr<StoreView>> store = open_sqlite_reader(settings.store);
  if (!store) return console.error(store.error());
  const Result<std::vector<RunRow>> rows = (*store)->list(*filter);
  if (!rows) return console.error(rows.error());
  std::vector<std::vector<std::string>> lines{
      {"RUN", "FLOW", "STATE", "STARTED", "ENDED", "TOOK", "LABELS"}};
  ExitCode code = ExitCode::succeeded;
  const std::optional<StoreOwner> hindered = hindered_owner(settings.store);
  for (const RunRow& row : *rows) {
    if (console.json_wanted()) {
      Result<std::optional<StoredRun>> stored = (*store)->load(row.key);
      if (!stored) {
        code = console.error(stored.error());
        continue;
      }
      if (!*stored) continue;  // pruned meanwhile
      const Result<ReadRun> run = understand(std::move(**stored));
      Result<RunView> seen = run ? view(*run) : Result<RunView>(run.error());
      if (!seen) {
        code = console.error(seen.error());
        continue;
      }
      seen->document.erase("steps");
      note_in(seen->document, seen->state, hindered);
      console.document(seen->document);
    } else {
      if (!row.damage.empty()) code = console.error(make_error(Errc::corrupt, row.damage, row.run));
      lines.push_back({row.run, row.flow_name,
                       row.damage.empty() ? std::string(to_string(row.state)) : "damaged",
                       time_text(row.started_ms), row.ended_ms > 0 ? time_text(row.ended_ms) : "",
                       row.ended_ms > 0 ? duration_text(row.ended_ms - row.started_ms) : "",
                       labels_text(row.labels)});
    }
  }
  const bool labelled = std::any_of(rows->begin(), rows->end(),
                                    [](const RunRow& row) { return !row.labels.empty(); });
  if (!labelled)
    for (std::vector<std::string>& line : lines) line.pop_back();
  if (!console.json_wanted())
    for (const std::string& line : table(lines)) console.data(line);
  const bool anybody_waits = std::any_of(rows->begin(), rows->end(),
                                         [](const RunRow& row) { return !is_ended(row.state); });
  if (hindered && anybody_waits) console.words(text_of(*hindered));
  return code;
}

ExitCode show_command(const Settings& settings, const std::string& id) {
  Console console(settings);
  const Result<ReadRun> run = read_run(settings.store, id);
  if (!run) return console.error(run.error());
  Result<RunView> seen = view(*run);
  if (!seen) return console.error(seen.error());
  const std::optional<StoreOwner> hindered = hindered_owner(settings.store);
  note_in(seen->document, seen->state, hindered);
  const json& document = seen->document;
  if (console.json_wanted()) {
    console.document(document);
    return ExitCode::succeeded;
  }
  const RunRow& row = run->stored.row;
  console.data("run " + id + " (flow " + run->flow.name() +
               "): " + document["state"].get<std::string>());
  console.data("  started " + time_text(row.started_ms) + " in " + run->stored.folder +
               (row.ended_ms > 0 ? ", took " + duration_text(row.ended_ms - row.started_ms) : ""));
  if (!row.labels.empty()) console.data("  labels: " + labels_text(row.labels));
  if (document.contains("priority")) console.data("  priority " + document["priority"].dump());
  if (!row.parent.empty())
    console.data("  child of run " + row.parent + ", step " +
                 document["parent"]["step"].get<std::string>());
  if (const json& fork = document["forked_from"]; !fork.is_null())
    console.data("  forked from run " + fork["run"].get<std::string>() + ", from step " +
                 fork["step"].get<std::string>() + " on");
  if (!document["error"].is_null()) {
    const std::string step = document["error"]["step"].get<std::string>();
    console.data("  " + document["error"]["code"].get<std::string>() +
                 (step.empty() ? "" : ", step " + step) + ": " +
                 document["error"]["message"].get<std::string>());
  }
  if (hindered && !is_ended(seen->state)) console.data("  " + text_of(*hindered));
  for (const auto& [name, step] : document["steps"].items()) show_step(console, name, step);
  if (seen->state == RunState::succeeded)
    console.data("output: " + printable_text(document["output"].dump(2), 4000));
  return ExitCode::succeeded;
}

ExitCode why_command(const Settings& settings, const std::string& id, const std::string& step) {
  Console console(settings);
  const Result<ReadRun> run = read_run(settings.store, id);
  if (!run) return console.error(run.error());
  // A clock that was set back tells no owner the time either: see forward_clock.hpp.
  const std::vector<Record>& records = run->stored.records;
  const std::int64_t now = std::max(now_ms(), records.empty() ? 0 : records.back().at_ms);
  auto lines = explain_run(run->flow, id, run->input, records, step, now, run->stored.progress);
  if (!lines) return console.error(lines.error());
  const std::optional<StoreOwner> hindered = hindered_owner(settings.store);
  if (hindered && !is_ended(run->stored.row.state)) lines->push_back(text_of(*hindered));
  if (console.json_wanted()) {
    console.document(json{{"run", id}, {"step", step}, {"lines", *lines}});
    return ExitCode::succeeded;
  }
  for (const std::string& line : *lines) console.data(line);
  return ExitCode::succeeded;
}

ExitCode doubts_command(const Settings& settings, const std::string& id) {
  Console console(settings);
  const Result<std::unique_ptr<StoreView>> store = open_sqlite_reader(settings.store);
  if (!store) return console.error(store.error());
  std::size_t found = 0;
  const auto tell = [&](const StoredRun& run) {
    for (const Doubt& doubt : doubts_of(run.row.run, run.records)) {
      ++found;
      if (console.json_wanted())
        console.document(to_json_value(doubt));
      else
        console.data(doubt.key + ": " + doubt.message);
    }
  };
  if (!id.empty()) {
    const Result<std::optional<StoredRun>> run = (*store)->load(id);
    if (!run) return console.error(run.error());
    if (!*run)
      return console.error(make_error(Errc::unknown_run, "there is no such run in this store", id));
    tell(**run);
  }
  RunFilter page;
  ExitCode code = ExitCode::succeeded;
  for (bool more = id.empty(); more;) {
    const Result<std::vector<RunRow>> rows = (*store)->list(page);
    if (!rows) return console.error(rows.error());
    for (const RunRow& row : *rows) {
      const Result<std::optional<StoredRun>> run = (*store)->load(row.key);
      if (!run)
        code = console.error(run.error());  // the others' doubts are as good as ever
      else if (*run)
        tell(**run);
    }
    more = rows->size() == page.limit;
    if (more) page.before = rows->back().key;
  }
  if (found == 0 && !console.json_wanted() && code == ExitCode::succeeded)
    console.words("no doubts");
  return code;
}

}  // namespace pawl::tools
