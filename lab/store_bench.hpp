/// Bench: where one check of a store is at work, and the writes that checks are made of.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/store_conformance.hpp>

#include "runtime/start_facts.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl::lab {

/// One check at work: its place, and what it found.
class Bench {
 public:
  explicit Bench(StoreUnderTest under_test)
      : under_test_(std::move(under_test)), store_(under_test_.open()) {}

  void open_again() {
    older_ = std::move(store_);
    store_ = under_test_.open();
  }

  Store& store() { return *store_; }

  Store& older() { return *older_; }

  WriteReply put(const Write& write, std::int64_t now_ms = 1000) {
    return put_in(*store_, write, now_ms);
  }

  WriteReply put_in(Store& store, const Write& write, std::int64_t now_ms = 1000) {
    Result<std::vector<WriteReply>> replies = store.write({&write}, now_ms);
    if (replies && replies->size() == 1) return replies->front();
    WriteReply none;
    none.error =
        replies ? make_error(Errc::internal, "not one reply for one write") : replies.error();
    return none;
  }

  StoredRun load(const std::string& run) {
    Result<std::optional<StoredRun>> loaded = store_->load(run);
    if (loaded && *loaded) return **loaded;
    demand(false, "the run " + run + " cannot be loaded");
    return {};
  }

  void demand(bool holds, const std::string& message) {
    if (!holds && complaint_.empty()) complaint_ = message;
  }

  void demand_status(const WriteReply& reply, WriteStatus status, const std::string& what) {
    static constexpr const char* names[] = {"written", "already_exists", "refused"};
    demand(reply.status == status, what + " was answered with " +
                                       names[static_cast<int>(reply.status)] + " instead of " +
                                       names[static_cast<int>(status)]);
  }

  void check_soundness() {
    if (!under_test_.damage) return;
    for (const std::string& damage : under_test_.damage()) demand(false, damage);
  }

  const std::string& complaint() const { return complaint_; }

 private:
  StoreUnderTest under_test_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Store> older_;
  std::string complaint_;
};

inline Write start(const std::string& run, const std::string& input = "{}",
                   const std::string& type = "x") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {"a": {"run": ")" + type +
                               R"("}, "b": {"run": "x", "after": ["a"]}}})")
                        .value();
  return StartRun{run,           flow.name(), std::make_shared<const std::string>(flow.canonical()),
                  flow.digest(), input,       "/folder"};
}

/// The start of a child for the step `step` of `parent`, whose key is given.
inline Write child_start(const std::string& run, const std::string& parent, RunKey key,
                         const std::string& step) {
  Write child = start(run);
  auto opened = std::make_shared<Record>();
  opened->kind = RecordKind::opened;
  opened->step = step;
  opened->attempt = 1;
  std::get<StartRun>(child).body = start_body({{}, ParentStep{parent, step, 1}});
  std::get<StartRun>(child).opens = AppendRecord{key, std::move(opened)};
  return child;
}

inline Write append(RunKey run, Record record) {
  return AppendRecord{run, std::make_shared<Record>(std::move(record))};
}

inline Record output(const std::string& step, int attempt, const std::string& body) {
  Record record;
  record.kind = RecordKind::output;
  record.end = AttemptEnd::succeeded;
  record.step = step;
  record.attempt = attempt;
  record.body = body;
  record.output_digest = digest_of(body);
  return record;
}

inline Record receipt(const std::string& step, int attempt, AttemptEnd end) {
  Record record;
  record.kind = RecordKind::receipt;
  record.end = end;
  record.step = step;
  record.attempt = attempt;
  record.body = error_body(Errc::step_failed, "why");
  return record;
}

inline Record about_run(RecordKind kind) {
  Record record;
  record.kind = kind;
  return record;
}

inline Record ended() {
  Record record = about_run(RecordKind::ended);
  record.body = to_json_value(Outcome{RunState::succeeded, nullptr, std::nullopt}).dump();
  return record;
}

}  // namespace pawl::lab
