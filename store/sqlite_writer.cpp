#include "store/sqlite_writer.hpp"

#include <pawl/assert.hpp>
#include <pawl/run_document.hpp>

#include "runtime/mutant.hpp"
#include "runtime/start_facts.hpp"
#include "store/meta.hpp"
#include "store/record_slot.hpp"
#include "store/row_checksum.hpp"
#include "store/sqlite_progress.hpp"
#include "store/sqlite_reads.hpp"
#include "store/writer_sql.hpp"

#include <tuple>
#include <utility>

namespace pawl {

namespace {

/// So many runs are remembered at most, and then forgotten together.
constexpr std::size_t noted_max = 16'384;

WriteReply refused(Error error) {
  WriteReply reply;
  reply.error = std::move(error);
  return reply;
}

}  // namespace

SqliteWriter::SqliteWriter(SqliteConnection& connection, std::int64_t epoch)
    : connection_(connection), epoch_(epoch) {
  const LogEnd end = read_log_end(connection_);
  const bool skips = end.seq > 0 && mutant("log_numbers_skip_at_restart");
  seq_ = skips ? end.seq + 1 : end.seq;
  commit_seq_ = end.commit_seq;
  last_at_ms_ = end.at_ms;
  quiet_commits_ = read_meta(connection_, quiet_commits).value_or(0);
  StatementUse last_run(connection_.statement(writer_sql::select_last_run));
  last_run->executeStep();
  last_run_ = last_run->getColumn(0).getInt64();
}

void SqliteWriter::begin(std::int64_t now_ms) {
  now_ms_ = now_ms;
  ++commit_seq_;
  seq_before_ = seq_;
  changes_before_ = connection_.db().getTotalChanges();
}

void SqliteWriter::end() {
  // The last record's number tells of all other transactions, and costs no page of its own.
  if (seq_ > seq_before_ || connection_.db().getTotalChanges() == changes_before_) return;
  write_meta(connection_, quiet_commits, ++quiet_commits_);
}

WriteReply SqliteWriter::apply(const StartRun& start) {
  const Digest input_digest = digest_of(start.input);
  const Result<std::optional<RunHead>> same = read_head(connection_, start.run);
  if (!same) return refused(same.error());
  if (*same) return same_or_refused(start, input_digest, **same);
  const Result<std::int64_t> flow = flow_key(start);
  if (!flow) return refused(flow.error());
  WriteReply reply;
  if (start.opens && !opens_too(*start.opens, reply)) return reply;
  reply.status = WriteStatus::written;
  reply.run = insert_run(start, *flow, input_digest);
  if (start.opens) note_child(reply.run, start.opens->run);
  auto started = std::make_shared<Record>();
  started->kind = RecordKind::started;
  started->body = start.body;
  insert_event(reply.run, *started);
  reply.stored = std::move(started);
  for (const auto& record : start.records) {
    if (record == start.records.back() && mutant("fork_without_its_last_record")) break;
    const bool inserted = insert_event(reply.run, *record);
    PAWL_ASSERT(inserted);  // the run is new, and each record has a place of its own
  }
  return reply;
}

/// Writes a child's record in its parent. Gives false, and the refusal, if it cannot be.
bool SqliteWriter::opens_too(const AppendRecord& opens, WriteReply& reply) {
  if (mutant("child_not_opened")) return true;
  WriteReply opened = apply(opens);
  if (opened.status == WriteStatus::refused) {
    reply = std::move(opened);
    return false;
  }
  reply.opened = std::move(opened.stored);
  return true;
}

WriteReply SqliteWriter::same_or_refused(const StartRun& start, const Digest& input_digest,
                                         const RunHead& same) {
  const RunKey key = same.row.key;
  const bool same_flow_and_input =
      same.flow_digest == start.flow_digest && same.input_digest == input_digest;
  auto started = read_record(connection_, key, "", RecordSlot::started);
  if (!started) return refused(started.error());
  if (!*started)
    return refused(make_error(Errc::corrupt, "the run's first record is not there", start.run));
  const std::string other_origin = explain_origins((*started)->body, start.body);
  if ((same_flow_and_input && other_origin.empty()) || mutant("any_start_is_the_same")) {
    WriteReply reply;
    if (start.opens && !opens_too(*start.opens, reply)) return reply;
    reply.status = WriteStatus::already_exists;
    reply.run = key;
    reply.stored = *started;
    reply.state = same.row.state;
    return reply;
  }
  Result<std::optional<StoredRun>> stored = read_run(connection_, key);
  if (!stored) return refused(stored.error());
  if (!*stored) return refused(make_error(Errc::corrupt, "the run's row is not there", start.run));
  const auto parsed = [](const std::string& text) { return json::parse(text, nullptr, false); };
  return refused(
      make_error(Errc::run_differs,
                 "this run was started otherwise: " +
                     (other_origin.empty()
                          ? explain_difference(parsed(*(*stored)->flow), parsed((*stored)->input),
                                               parsed(*start.flow), parsed(start.input))
                          : other_origin) +
                     "; choose another id, or repeat the first start",
                 start.run));
}

void SqliteWriter::note_child(RunKey run, RunKey parent) {
  StatementUse child(connection_.statement(writer_sql::insert_child));
  child->bind(1, run);
  child->bind(2, parent);
  const Digest checksum = child_checksum(run, parent);
  bind_digest(*child, 3, checksum);
  child->exec();
}

Result<std::int64_t> SqliteWriter::flow_key(const StartRun& start) {
  {
    StatementUse found(connection_.statement(writer_sql::select_flow));
    bind_digest(*found, 1, start.flow_digest);
    if (found->executeStep()) {
      const std::int64_t flow = found->getColumn(0).getInt64();
      if (digest_from(found->getColumn(2)) !=
          flow_checksum(flow, start.flow_digest, found->getColumn(1).getString()))
        return make_error(Errc::corrupt,
                          "the row of the run's flow is damaged: its checksum does not fit; "
                          "restore the store from a backup",
                          start.run);
      return flow;
    }
  }
  StatementUse flow(connection_.statement(writer_sql::insert_flow));
  bind_digest(*flow, 1, start.flow_digest);
  flow->bindNoCopy(2, start.flow_name);
  flow->bindNoCopy(3, *start.flow);
  flow->exec();
  const std::int64_t key = connection_.db().getLastInsertRowid();
  const Digest checksum = flow_checksum(key, start.flow_digest, start.flow_name);
  StatementUse seal(connection_.statement(writer_sql::seal_flow));
  bind_digest(*seal, 1, checksum);
  seal->bind(2, key);
  seal->exec();
  return key;
}

RunKey SqliteWriter::insert_run(const StartRun& start, std::int64_t flow,
                                const Digest& input_digest) {
  const RunKey key = last_run_ + 1;
  constexpr auto state = static_cast<std::int64_t>(RunState::running);
  const Digest birth = run_birth(key, start.run, flow, input_digest, start.folder, now_ms_);
  const Digest checksum = run_checksum(birth, state, 0, 0);
  StatementUse run(connection_.statement(writer_sql::insert_run));
  run->bind(1, key);
  run->bindNoCopy(2, start.run);
  run->bind(3, flow);
  run->bindNoCopy(4, start.input);
  bind_digest(*run, 5, input_digest);
  run->bindNoCopy(6, start.folder);
  run->bind(7, state);
  run->bind(8, now_ms_);
  bind_digest(*run, 9, checksum);
  run->exec();
  last_run_ = key;
  remember(key, {RunState::running, 0, birth, start.records.empty()});
  return key;
}

WriteReply SqliteWriter::apply(const AppendRecord& append) {
  if (!ends_attempt(*append.record) || mutant("progress_not_handed_on")) return add(append);
  auto progress = read_progress(connection_, append.run, append.record->step);
  if (!progress) return refused(progress.error());
  WriteReply reply = add(append);
  if (reply.status != WriteStatus::refused) reply.progress = std::move(*progress);
  return reply;
}

WriteReply SqliteWriter::add(const AppendRecord& append) {
  Record& record = *append.record;
  Result<Noted> noted = what_is_noted(append.run);
  if (!noted) return refused(noted.error());
  const Objection why_not =
      mutant("nothing_objected") ? Objection::none : objection(append, *noted);
  if (mutant("output_overwritten") && record.kind == RecordKind::output) {
    StatementUse old(connection_.statement(writer_sql::delete_slot));
    old->bind(1, append.run);
    old->bindNoCopy(2, record.step);
    old->bind(3, RecordSlot::output);
    old->exec();
  }
  if (why_not == Objection::none && insert_event(append.run, record)) {
    if (ends_attempt(record) && noted->is_unbroken && !mutant("ended_attempts_not_remembered")) {
      noted->is_unbroken = false;
      remember(append.run, *noted);
    }
    if (record.kind == RecordKind::ended && !mutant("end_not_noted"))
      note_end(append.run, *noted, record);
    if (record.kind != RecordKind::ended && makes_due(record) && !is_ended(noted->state) &&
        noted->state != RunState::running && !mutant("parked_run_stays_parked"))
      note(append.run, *noted, RunState::running, 0,
           noted->ended_ms);  // it goes on: whoever looks must find it
    return {WriteStatus::written, append.run, append.record, false, RunState::running, {}};
  }
  // It may be a repetition of what was lawful when it was written first.
  const auto slot = slot_of(record);
  if (slot && is_taken(append.run, record.step, *slot))
    return existing(append.run, record.step, *slot, record);
  switch (why_not) {
    case Objection::step_has_output:
      return existing(append.run, record.step, RecordSlot::output, record);
    case Objection::attempt_ended:
      return refused(make_error(Errc::attempt_ended, "the attempt had ended before"));
    case Objection::run_ended: return refused(make_error(Errc::run_ended, "the run has ended"));
    case Objection::none: break;
  }
  return refused(
      make_error(Errc::internal, "an event was not inserted and nothing stands in its place"));
}

SqliteWriter::Objection SqliteWriter::objection(const AppendRecord& append, const Noted& noted) {
  const Record& record = *append.record;
  if (ends_attempt(record) && is_taken(append.run, record.step, RecordSlot::output))
    return Objection::step_has_output;
  if (record.kind == RecordKind::output && !noted.is_unbroken &&
      is_taken(append.run, record.step, RecordSlot::end(record.attempt)))
    return Objection::attempt_ended;
  if (is_ended(noted.state) && !lawful_after_end(record)) return Objection::run_ended;
  return Objection::none;
}

WriteReply SqliteWriter::existing(RunKey run, const std::string& step, std::int64_t slot,
                                  const Record& record) {
  auto found = read_record(connection_, run, step, slot);
  if (!found) return refused(found.error());
  const Record& stored = **found;
  WriteReply reply{WriteStatus::already_exists, run, *found, !same_fact(stored, record),
                   RunState::running,           {}};
  if (mutant("stored_output_ignored")) reply.stored = std::make_shared<const Record>(record);
  if (record.kind != RecordKind::output) return reply;
  reply.diverged = stored.output_digest != record.output_digest;
  if (!same_fact(stored, record)) {
    Record receipt = receipt_beside_output(stored, record);
    insert_event(run, receipt);
  }
  return reply;
}

void SqliteWriter::note_end(RunKey run, const Noted& noted, const Record& record) {
  // The writer is the machine: what it wrote is readable.
  const Result<Outcome> outcome = outcome_of(record);
  PAWL_ASSERT(outcome.has_value());
  note(run, noted, outcome->state, 0, now_ms_);
}

WriteReply SqliteWriter::apply(const NoteProgress& note) {
  Progress& progress = *note.progress;
  const Result<Noted> noted = what_is_noted(note.run);
  if (!noted) return refused(noted.error());
  if (is_ended(noted->state)) return refused(make_error(Errc::run_ended, "the run has ended"));
  const auto read = read_progress(connection_, note.run, progress.step);
  if (!read) return refused(read.error());
  const std::shared_ptr<const Progress>& before = *read;
  const bool is_late = is_taken(note.run, progress.step, RecordSlot::output) ||
                       is_taken(note.run, progress.step, RecordSlot::end(progress.attempt)) ||
                       (before && before->attempt > progress.attempt);
  if (is_late && !mutant("late_progress_stored"))
    return refused(make_error(Errc::attempt_ended, "the attempt had ended before"));
  progress.epoch = epoch_;
  progress.at_ms = now_ms_;
  put_progress(connection_, note.run, progress);
  return {WriteStatus::written, note.run, nullptr, false, RunState::running, {}};
}

WriteReply SqliteWriter::apply(const ParkRun& park) {
  const Result<Noted> noted = what_is_noted(park.run);
  if (!noted) return refused(noted.error());
  if (is_ended(noted->state)) return refused(make_error(Errc::run_ended, "the run has ended"));
  note(park.run, *noted, park.state,
       mutant("due_time_forgotten") ? park.due_ms + 1'000'000'000'000 : park.due_ms,
       noted->ended_ms);
  return {WriteStatus::written, park.run, nullptr, false, park.state, {}};
}

WriteReply SqliteWriter::apply(const PruneRuns& prune) {
  const Pruned pruned =
      prune_runs(connection_, prune, prune_boundary_, {seq_, commit_seq_, now_ms_});
  WriteReply reply;
  reply.status = WriteStatus::written;
  reply.pruned = pruned.runs;
  reply.more = pruned.more;
  return reply;
}

void SqliteWriter::note(RunKey run, const Noted& noted, RunState state, std::int64_t due_ms,
                        std::int64_t ended_ms) {
  const auto number = static_cast<std::int64_t>(state);
  const Digest checksum = run_checksum(noted.birth, number, due_ms, ended_ms);
  StatementUse row(connection_.statement(writer_sql::note_run));
  row->bind(1, number);
  row->bind(2, due_ms);
  row->bind(3, ended_ms);
  bind_digest(*row, 4, checksum);
  row->bind(5, run);
  row->exec();
  if (is_ended(state))
    noted_.erase(run);
  else
    remember(run, {state, ended_ms, noted.birth, noted.is_unbroken});
}

void SqliteWriter::remember(RunKey run, const Noted& noted) {
  if (noted_.size() >= noted_max) noted_.clear();
  noted_.insert_or_assign(run, noted);
}

Result<SqliteWriter::Noted> SqliteWriter::what_is_noted(RunKey run) {
  if (const auto known = noted_.find(run); known != noted_.end()) return known->second;
  StatementUse row(connection_.statement(writer_sql::select_noted));
  row->bind(1, run);
  if (!row->executeStep()) return make_error(Errc::unknown_run, "no run has this key");
  const int state = row->getColumn(6).getInt();
  if (!is_run_state(state) || digest_from(row->getColumn(9)) != checksum_of_run(*row))
    return make_error(Errc::corrupt,
                      "the run's row is damaged: its checksum does not fit; restore the store "
                      "from a backup, or start the run again under another id",
                      row->getColumn(1).getString());
  const Noted noted{static_cast<RunState>(state), row->getColumn(8).getInt64(), birth_of_run(*row),
                    false};
  if (!is_ended(noted.state)) remember(run, noted);
  return noted;
}

bool SqliteWriter::is_taken(RunKey run, const std::string& step, std::int64_t slot) {
  StatementUse found(connection_.statement(writer_sql::select_slot));
  found->bind(1, run);
  found->bindNoCopy(2, step);
  found->bind(3, slot);
  return found->executeStep();
}

bool SqliteWriter::insert_event(RunKey run, Record& record) {
  const auto slot = slot_of(record);
  StatementUse event(connection_.statement(writer_sql::insert_event));
  event->bind(1, seq_ + 1);
  event->bind(2, run);
  event->bindNoCopy(3, record.step);
  if (slot) event->bind(4, *slot);
  event->bind(5, static_cast<int>(record.kind));
  event->bind(6, static_cast<int>(record.end));
  event->bind(7, record.attempt);
  event->bind(8, epoch_);
  event->bind(9, commit_seq_);
  event->bind(10, now_ms_);
  event->bind(11, record.started_ms);
  event->bind(12, record.duration_ms);
  event->bind(13, record.due_ms);
  bind_digest(*event, 14, record.input_digest);
  bind_digest(*event, 15, record.output_digest);
  if (!record.body.empty()) event->bindNoCopy(16, record.body);
  const std::tuple before(record.seq, record.epoch, record.at_ms);
  record.seq = seq_ + 1;
  record.epoch = epoch_;
  record.at_ms = now_ms_;
  const Digest checksum = event_checksum(run, slot, commit_seq_, record);
  bind_digest(*event, 17, checksum);
  if (event->exec() == 0) {
    std::tie(record.seq, record.epoch, record.at_ms) = before;
    return false;
  }
  ++seq_;
  return true;
}

}  // namespace pawl
