#include <pawl/memory_store.hpp>
#include <pawl/retention.hpp>
#include <pawl/run_document.hpp>

#include "runtime/start_facts.hpp"
#include "store/record_slot.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace pawl {

class MemoryFile {
 public:
  struct ModelRun {
    StoredRun stored;
    std::map<std::pair<std::string, std::int64_t>, std::shared_ptr<const Record>> slots;
  };

  std::map<RunKey, ModelRun> runs;
  RunKey last_key = 0;
  std::int64_t last_seq = 0;
  std::int64_t last_at_ms = 0;
  std::int64_t epoch = 0;
};

namespace {

using ModelRun = MemoryFile::ModelRun;

bool is_wanted(const StoredRun& run, const RunFilter& filter) {
  const RunRow& row = run.row;
  return row.key < filter.before && (!filter.state || row.state == *filter.state) &&
         !(filter.unfinished_only && is_ended(row.state)) &&
         (filter.flow_name.empty() || row.flow_name == filter.flow_name) &&
         row.run.compare(0, filter.id_prefix.size(), filter.id_prefix) == 0 &&
         has_labels(row.labels, filter.labels) &&
         run.input.find(filter.input_text) != std::string::npos &&
         row.started_ms >= filter.started_from_ms.value_or(row.started_ms) &&
         !(filter.started_before_ms && row.started_ms >= *filter.started_before_ms);
}

class MemoryStore final : public Store {
 public:
  MemoryStore(std::shared_ptr<MemoryFile> file, std::int64_t epoch)
      : file_(std::move(file)),
        runs_(file_->runs),
        epoch_(epoch),
        opened_at_ms_(file_->last_at_ms) {}

  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& batch,
                                        std::int64_t now_ms) override {
    if (file_->epoch != epoch_) return make_error(Errc::fenced, "the store has a newer owner");
    std::vector<WriteReply> replies;
    for (const Write* write : batch)
      replies.push_back(std::visit([&](const auto& what) { return apply(what, now_ms); }, *write));
    return replies;
  }

  std::int64_t epoch() const override { return epoch_; }

  std::int64_t opened_at_ms() const override { return opened_at_ms_; }

  std::int64_t wal_bytes() const override { return 0; }

  Result<std::optional<StoredRun>> load(const std::string& run) override {
    for (const auto& [key, model] : runs_)
      if (model.stored.row.run == run) return std::optional(model.stored);
    return std::optional<StoredRun>();
  }

  Result<std::optional<StoredRun>> load(RunKey key) override {
    const auto found = runs_.find(key);
    return found == runs_.end() ? std::optional<StoredRun>() : std::optional(found->second.stored);
  }

  Result<std::vector<RunRow>> list(const RunFilter& filter) override {
    std::vector<RunRow> rows;
    for (auto at = runs_.rbegin(); at != runs_.rend() && rows.size() < filter.limit; ++at)
      if (is_wanted(at->second.stored, filter)) rows.push_back(at->second.stored.row);
    return rows;
  }

  Result<std::vector<RunRow>> due(std::int64_t now_ms, std::size_t limit,
                                  const DuePlace& after) override {
    std::vector<RunRow> rows;
    for (const auto& [key, model] : runs_)
      if (!is_ended(model.stored.row.state) && model.stored.row.due_ms <= now_ms &&
          after < DuePlace{model.stored.row.due_ms, key})
        rows.push_back(model.stored.row);
    std::sort(rows.begin(), rows.end(), [](const RunRow& a, const RunRow& b) {
      return std::pair(a.due_ms, a.key) < std::pair(b.due_ms, b.key);
    });
    if (rows.size() > limit) rows.resize(limit);
    return rows;
  }

  Result<std::optional<std::int64_t>> next_due_ms(std::int64_t now_ms) override {
    std::optional<std::int64_t> next;
    for (const auto& [key, model] : runs_) {
      const RunRow& row = model.stored.row;
      if (!is_ended(row.state) && row.due_ms > now_ms && (!next || row.due_ms < *next))
        next = row.due_ms;
    }
    return next;
  }

  Result<std::int64_t> count_unfinished() override {
    return std::count_if(runs_.begin(), runs_.end(),
                         [](const auto& run) { return !is_ended(run.second.stored.row.state); });
  }

 private:
  WriteReply apply(const StartRun& start, std::int64_t now_ms) {
    WriteReply reply;
    for (auto& [key, model] : runs_) {
      const StoredRun& stored = model.stored;
      if (stored.row.run != start.run) continue;
      const auto started = model.slots.at({"", RecordSlot::started});
      std::string difference = explain_origins(started->body, start.body);
      if (stored.flow_digest != start.flow_digest || stored.input != start.input)
        difference = explain_difference(json::parse(*stored.flow), json::parse(stored.input),
                                        json::parse(*start.flow), json::parse(start.input));
      if (!difference.empty()) return refused(make_error(Errc::run_differs, difference, start.run));
      if (start.opens && !opens_too(*start.opens, now_ms, reply)) return reply;
      reply.status = WriteStatus::already_exists;
      reply.run = key;
      reply.stored = started;
      reply.state = stored.row.state;
      return reply;
    }
    if (start.opens && !opens_too(*start.opens, now_ms, reply)) return reply;
    const RunKey key = ++file_->last_key;
    ModelRun& model = runs_[key];
    model.stored.row = {key, start.run, start.flow_name, RunState::running, 0, now_ms, 0};
    model.stored.flow = start.flow;
    model.stored.flow_digest = start.flow_digest;
    model.stored.input = start.input;
    model.stored.folder = start.folder;
    auto started = std::make_shared<Record>();
    started->kind = RecordKind::started;
    started->body = start.body;
    // The starter is the engine: what it wrote is readable.
    if (const Result<StartFacts> facts = start_facts_from(start.body)) {
      model.stored.row.labels = facts->labels;
      if (facts->parent) model.stored.row.parent = facts->parent->run;
    }
    reply.status = WriteStatus::written;
    reply.run = key;
    reply.stored = add(model, started, now_ms);
    for (const auto& record : start.records) add(model, record, now_ms);
    return reply;
  }

  bool opens_too(const AppendRecord& opens, std::int64_t now_ms, WriteReply& reply) {
    WriteReply opened = apply(opens, now_ms);
    if (opened.status == WriteStatus::refused) {
      reply = std::move(opened);
      return false;
    }
    reply.opened = std::move(opened.stored);
    return true;
  }

  WriteReply apply(const AppendRecord& append, std::int64_t now_ms) {
    WriteReply reply = add(append, now_ms);
    if (ends_attempt(*append.record) && reply.status != WriteStatus::refused)
      reply.progress = progress_of(runs_.at(append.run).stored, append.record->step);
    return reply;
  }

  WriteReply apply(const NoteProgress& note, std::int64_t now_ms) {
    const auto found = runs_.find(note.run);
    if (found == runs_.end()) return refused(make_error(Errc::unknown_run, "no run has this key"));
    ModelRun& model = found->second;
    Progress& progress = *note.progress;
    if (is_ended(model.stored.row.state))
      return refused(make_error(Errc::run_ended, "the run has ended"));
    const auto before = progress_of(model.stored, progress.step);
    if (find(model, progress.step, RecordSlot::output) ||
        find(model, progress.step, RecordSlot::end(progress.attempt)) ||
        (before && before->attempt > progress.attempt))
      return refused(make_error(Errc::attempt_ended, "the attempt had ended before"));
    progress.epoch = epoch_;
    progress.at_ms = now_ms;
    std::vector<Progress>& all = model.stored.progress;
    const auto place =
        std::lower_bound(all.begin(), all.end(), progress,
                         [](const Progress& a, const Progress& b) { return a.step < b.step; });
    if (before)
      *place = progress;
    else
      all.insert(place, progress);
    return {WriteStatus::written, note.run, nullptr, false, RunState::running, {}};
  }

  static std::shared_ptr<const Progress> progress_of(const StoredRun& run,
                                                     const std::string& step) {
    for (const Progress& progress : run.progress)
      if (progress.step == step) return std::make_shared<const Progress>(progress);
    return nullptr;
  }

  WriteReply add(const AppendRecord& append, std::int64_t now_ms) {
    const auto found = runs_.find(append.run);
    if (found == runs_.end()) return refused(make_error(Errc::unknown_run, "no run has this key"));
    ModelRun& model = found->second;
    const Record& record = *append.record;
    if (const auto stored = find(model, record.step, slot_of(record)))
      return existing(model, stored, record, now_ms);
    if (ends_attempt(record))
      if (const auto output = find(model, record.step, RecordSlot::output))
        return {WriteStatus::already_exists, append.run, output, true, RunState::running, {}};
    if (record.kind == RecordKind::output &&
        find(model, record.step, RecordSlot::end(record.attempt)))
      return refused(make_error(Errc::attempt_ended, "the attempt had ended before"));
    if (is_ended(model.stored.row.state) && !lawful_after_end(record))
      return refused(make_error(Errc::run_ended, "the run has ended"));
    WriteReply reply{WriteStatus::written, append.run, add(model, append.record, now_ms), false,
                     RunState::running,    {}};
    if (record.kind == RecordKind::ended) {
      model.stored.row.state = outcome_from(json::parse(record.body))->state;
      model.stored.row.ended_ms = now_ms;
    } else if (makes_due(record) && !is_ended(model.stored.row.state) &&
               model.stored.row.state != RunState::running) {
      model.stored.row.state = RunState::running;  // it goes on: whoever looks must find it
      model.stored.row.due_ms = 0;
    }
    return reply;
  }

  WriteReply apply(const ParkRun& park, std::int64_t) {
    const auto found = runs_.find(park.run);
    if (found == runs_.end()) return refused(make_error(Errc::unknown_run, "no run has this key"));
    RunRow& row = found->second.stored.row;
    if (is_ended(row.state)) return refused(make_error(Errc::run_ended, "the run has ended"));
    row.state = park.state;
    row.due_ms = park.due_ms;
    return {WriteStatus::written, park.run, nullptr, false, row.state, {}};
  }

  WriteReply apply(const PruneRuns& prune, std::int64_t) {
    std::vector<RunRow> rows;
    for (const auto& [key, model] : runs_) rows.push_back(model.stored.row);
    WriteReply reply;
    reply.status = WriteStatus::written;
    std::size_t records = 0;
    for (const RunRow& row : prunable(std::move(rows), prune)) {
      reply.more = reply.pruned == prune.runs_max || records >= prune.records_max;
      if (reply.more) break;
      records += erase_with_children(row.key);
      ++reply.pruned;
    }
    return reply;
  }

  std::size_t erase_with_children(RunKey key) {
    const StoredRun& stored = runs_.at(key).stored;
    const std::string run = stored.row.run;
    std::size_t records = stored.records.size();
    runs_.erase(key);
    std::vector<RunKey> children;
    for (const auto& [other, model] : runs_)
      if (model.stored.row.parent == run) children.push_back(other);
    for (const RunKey child : children) records += erase_with_children(child);
    return records;
  }

  WriteReply existing(ModelRun& model, const std::shared_ptr<const Record>& stored,
                      const Record& record, std::int64_t now_ms) {
    WriteReply reply{WriteStatus::already_exists, model.stored.row.key, stored,
                     !same_fact(*stored, record), RunState::running,    {}};
    if (record.kind != RecordKind::output) return reply;
    reply.diverged = stored->output_digest != record.output_digest;
    if (same_fact(*stored, record)) return reply;
    auto receipt = std::make_shared<Record>(receipt_beside_output(*stored, record));
    if (!find(model, receipt->step, slot_of(*receipt))) add(model, receipt, now_ms);
    return reply;
  }

  std::shared_ptr<const Record> find(const ModelRun& model, const std::string& step,
                                     std::optional<std::int64_t> slot) const {
    if (!slot) return nullptr;
    const auto found = model.slots.find({step, *slot});
    return found == model.slots.end() ? nullptr : found->second;
  }

  std::shared_ptr<const Record> add(ModelRun& model, const std::shared_ptr<Record>& record,
                                    std::int64_t now_ms) {
    record->seq = ++file_->last_seq;
    record->epoch = epoch_;
    record->at_ms = now_ms;
    file_->last_at_ms = now_ms;
    model.stored.records.push_back(*record);
    model.stored.records.back().value.reset();  // a real store gives bytes back, nothing parsed
    if (const auto slot = slot_of(*record)) model.slots[{record->step, *slot}] = record;
    return record;
  }

  static WriteReply refused(Error error) {
    WriteReply reply;
    reply.error = std::move(error);
    return reply;
  }

  std::shared_ptr<MemoryFile> file_;
  std::map<RunKey, ModelRun>& runs_;
  std::int64_t epoch_;
  std::int64_t opened_at_ms_;
};

}  // namespace

std::shared_ptr<MemoryFile> make_memory_file() {
  return std::make_shared<MemoryFile>();
}

std::unique_ptr<Store> open_memory_store(std::shared_ptr<MemoryFile> file) {
  const std::int64_t epoch = ++file->epoch;
  return std::make_unique<MemoryStore>(std::move(file), epoch);
}

std::unique_ptr<StoreView> open_memory_view(std::shared_ptr<MemoryFile> file) {
  return std::make_unique<MemoryStore>(std::move(file), 0);  // of no epoch: it could write nothing
}

}  // namespace pawl
