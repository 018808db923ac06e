// Each kind of damage is found, and a sound store is not accused.
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "store/migration.hpp"
#include "support/catch.hpp"
#include "support/store_sql.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <fstream>

using namespace pawl;

namespace {

/// A store with a finished run, a run half-way, and a failed one.
struct Filled {
  Filled() {
    auto store = open_sqlite_store({path}).value();
    const RunKey done = put(*store, start_run("done"), 1000).run;
    put(*store, append(done, output_record("a", 1, 1)), 1001);
    put(*store, append(done, output_record("b", 1, 2)), 1002);
    put(*store, append(done, ended_record()), 1003);
    const RunKey half = put(*store, start_run("half", {{"n", 1}}), 1004).run;
    put(*store, append(half, receipt_record("a", 1, AttemptEnd::lost)), 1005);
    put(*store, append(half, output_record("a", 2, "x")), 1006);
    put(*store, NoteProgress{half, std::make_shared<Progress>(Progress{"b", 1, R"({"part":1})"})},
        1006);
    const RunKey failed = put(*store, start_run("failed"), 1007).run;
    put(*store, append(failed, receipt_record("a", 1, AttemptEnd::fatal)), 1008);
    put(*store, append(failed, ended_record(RunState::failed)), 1009);
  }

  void sql(const std::string& text) const { run_sql(path, text); }

  /// Gives every row the checksum of what it says now.
  void seal() const {
    SQLite::Database db = open_to_change(path);
    seal_rows(db);
  }

  /// `code:run` of each finding.
  std::string findings() const {
    std::string text;
    const Verification verification = verify_sqlite_store(path).value();
    for (const Finding& finding : verification.findings) {
      CHECK_FALSE(finding.message.empty());
      CHECK_FALSE(finding.remedy.empty());
      text += finding.code + ":" + finding.run + " ";
    }
    return text;
  }

  TempFolder folder;
  std::string path = folder / "pawl.db";
};

}  // namespace

TEST_CASE("verify: a sound store has no findings", "[store]") {
  Filled filled;
  const Verification verification = verify_sqlite_store(filled.path).value();
  CHECK(verification.findings.empty());
  CHECK(verification.runs == 3);
  CHECK(verification.records == 10);
}

TEST_CASE("verify: each kind of damage that has the right checksums is found and named",
          "[store]") {
  const auto [damage, expected] = GENERATE(table<std::string, std::string>({
      {"UPDATE events SET body = '3' WHERE step = 'b'", "output_damaged:done "},
      {"UPDATE runs SET input = '{\"n\":2}' WHERE id = 'half'", "run_unreadable:half "},
      {"UPDATE progress SET run = 99", "orphans: "},
      {"UPDATE progress SET step = 'z'", "progress_unlawful:half "},
      {"UPDATE progress SET attempt = 2", "progress_unlawful:half "},
      {"UPDATE progress SET body = '{'", "progress_damaged:half "},
      {"UPDATE flows SET spec = replace(spec, '\"x\"', '\"y\"')",
       "run_unreadable:done run_unreadable:half run_unreadable:failed "},
      {"DELETE FROM events WHERE step = 'a' AND kind = 3 AND run = (SELECT run FROM runs WHERE id "
       "= 'done')",
       "records_unlawful:done "},
      {"UPDATE events SET attempt = 5 WHERE attempt_end = 5", "records_unlawful:half "},
      {"UPDATE runs SET state = 8 WHERE id = 'done'", "state_differs:done "},
      {"UPDATE runs SET state = 7 WHERE id = 'half'", "state_differs:half "},
      {"DELETE FROM events WHERE kind = 7 AND run = (SELECT run FROM runs WHERE id = 'done')",
       "state_differs:done "},
      {"UPDATE events SET kind = 77 WHERE step = 'b'", "run_unreadable:done "},
      {"UPDATE runs SET state = 77 WHERE id = 'half'", "run_unreadable:half "},
      {"UPDATE events SET body = '[7]' WHERE kind = 1 AND run = 1", "run_unreadable:done "},
      {"DELETE FROM runs WHERE id = 'half'", "orphans: orphans: "},
      {"DELETE FROM events WHERE kind = 1 AND run = 1", "run_unreadable:done "},
      {"UPDATE events SET body = '{}' WHERE kind = 7 AND run = 1", "records_unlawful:done "},
      {"UPDATE events SET body = '{' WHERE kind = 3 AND step = 'a' AND run = 1",
       "output_damaged:done records_unlawful:done "},
      {"UPDATE events SET commit_seq = 1 WHERE seq = 5", "order_broken: "},
      {"UPDATE events SET at_ms = 1 WHERE seq = 9", "order_broken: "},
      {"UPDATE events SET epoch = 99 WHERE seq = 10", "order_broken: "},
  }));
  CAPTURE(damage);
  Filled filled;
  filled.sql(damage);
  filled.seal();
  CHECK(filled.findings() == expected);
}

TEST_CASE("verify: a row that has changed without its checksum is found", "[store]") {
  const auto [damage, expected] = GENERATE(table<std::string, std::string>({
      {"UPDATE events SET at_ms = at_ms + 1 WHERE seq = 1", "run_unreadable:done "},
      {"UPDATE runs SET due_ms = 7 WHERE id = 'half'", "run_unreadable:half "},
      {"UPDATE progress SET attempt = 2", "run_unreadable:half "},
      {"UPDATE flows SET name = 'g'",
       "run_unreadable:done run_unreadable:half run_unreadable:failed "},
      {"UPDATE meta SET value = value + 1 WHERE key = 'epoch'", "row_damaged: "},
      {"INSERT INTO children VALUES(2, 1, NULL)", "row_damaged: "},
  }));
  CAPTURE(damage);
  Filled filled;
  filled.sql(damage);
  CHECK(filled.findings() == expected);
}

TEST_CASE("verify: a page that is overwritten is found", "[store]") {
  Filled filled;
  filled.sql("PRAGMA wal_checkpoint(TRUNCATE)");
  {
    std::fstream file(filled.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(512, '\x5a');
  }
  const Result<Verification> verification = verify_sqlite_store(filled.path);
  CHECK((!verification || !verification->findings.empty()));
}

TEST_CASE("verify: a page that does not fit its checksum is named", "[store]") {
  Filled filled;
  filled.sql("PRAGMA wal_checkpoint(TRUNCATE)");
  {
    std::fstream file(filled.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096 + 2000);
    file << "not what was written";
  }
  CHECK(filled.findings().find("page_damaged: ") == 0);
}

TEST_CASE("verify: what cannot be read is an error", "[store]") {
  TempFolder folder;
  CHECK(verify_sqlite_store(folder / "none.db").error().code == Errc::io);
  std::ofstream(folder / "text.db") << std::string(5000, 'x');
  CHECK(verify_sqlite_store(folder / "text.db").error().code == Errc::foreign_file);
}

TEST_CASE("verify: it may look while an owner works", "[store]") {
  Filled filled;
  auto store = open_sqlite_store({filled.path}).value();
  put(*store, start_run("new"), 2000);
  CHECK(verify_sqlite_store(filled.path).value().runs == 4);
  put(*store, start_run("newer"), 2001);
  CHECK(verify_sqlite_store(filled.path).value().runs == 5);
}
