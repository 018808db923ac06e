// Bits that change on the disk: nothing wrong is served, and what is sound goes on.
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

using namespace pawl;

namespace {

void sql(const std::string& path, const std::string& text) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  char* why = nullptr;
  const int code = sqlite3_exec(db, text.c_str(), nullptr, nullptr, &why);
  CAPTURE(text, why == nullptr ? std::string() : std::string(why));
  REQUIRE(code == SQLITE_OK);
  sqlite3_close(db);
}

/// One column of each row, as text.
std::vector<std::string> column(const std::string& path, const std::string& query) {
  std::vector<std::string> values;
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  const auto take = [](void* to, int, char** row, char**) {
    static_cast<std::vector<std::string>*>(to)->push_back(row[0] == nullptr ? "" : row[0]);
    return 0;
  };
  REQUIRE(sqlite3_exec(db, query.c_str(), take, &values, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  return values;
}

/// What a run says: a line for its row, one for each record, and one for each report.
using Lines = std::vector<std::string>;

Lines lines_of(const StoredRun& run) {
  Lines lines;
  std::ostringstream text;
  const auto end_line = [&] {
    lines.push_back(text.str());
    text.str({});
  };
  text << run.row.run << ' ' << run.row.key << ' ' << run.row.flow_name << ' ' << run.row.state
       << ' ' << run.row.due_ms << ' ' << run.row.started_ms << ' ' << run.row.ended_ms << ' '
       << run.row.parent << ' ' << *run.flow << ' ' << run.flow_digest.hex() << ' ' << run.input
       << ' ' << run.folder;
  end_line();
  for (const Record& record : run.records) {
    text << record.seq << ' ' << record.kind << ' ' << record.end << ' ' << record.step << ' '
         << record.attempt << ' ' << record.epoch << ' ' << record.at_ms << ' ' << record.started_ms
         << ' ' << record.duration_ms << ' ' << record.due_ms << ' ' << record.input_digest.hex()
         << ' ' << record.output_digest.hex() << ' ' << record.body;
    end_line();
  }
  for (const Progress& progress : run.progress) {
    text << progress.step << ' ' << progress.attempt << ' ' << progress.epoch << ' '
         << progress.at_ms << ' ' << progress.body;
    end_line();
  }
  return lines;
}

/// Whether `some` are lines of `all`, in their order.
bool is_part_of(const Lines& some, const Lines& all) {
  auto next = all.begin();
  for (const std::string& line : some) {
    next = std::find(next, all.end(), line);
    if (next == all.end()) return false;
    ++next;
  }
  return true;
}

/// Runs in every table: ended ones, one half-way that has reported, and a parent with its child.
struct Filled {
  explicit Filled(int more_runs = 0) {
    auto store = open_sqlite_store({path}).value();
    const RunKey old = put(*store, start_run("old"), 990).run;
    put(*store, append(old, ended_record(RunState::cancelled)), 990);
    put(*store, PruneRuns{}, 990);  // so that meta has its numbers
    half = put(*store, start_run("half", {{"n", 1}}), 1000).run;
    put(*store, append(half, receipt_record("a", 1, AttemptEnd::lost)), 1001);
    put(*store, NoteProgress{half, std::make_shared<Progress>(Progress{"a", 2, R"({"part":1})"})},
        1002);
    put(*store, ParkRun{half, RunState::waiting, 5000}, 1002);
    parent = put(*store, start_run("parent"), 1003).run;
    put(*store, append(parent, output_record("a", 1, "x")), 1004);
    StartRun child = std::get<StartRun>(start_run("parent.b"));
    child.body = R"({"parent":{"attempt":1,"depth":1,"run":"parent","step":"b"}})";
    Record opened;
    opened.kind = RecordKind::opened;
    opened.step = "b";
    opened.attempt = 1;
    child.opens = AppendRecord{parent, std::make_shared<Record>(opened)};
    put(*store, child, 1005);
    for (int i = 0; i < more_runs + 1; ++i) {
      const RunKey run = put(*store, start_run("done-" + std::to_string(i), {{"i", i}}), 1006).run;
      put(*store, append(run, output_record("a", 1, std::string(50, 'a'))), 1006);
      put(*store, append(run, output_record("b", 1, i)), 1006);
      put(*store, append(run, ended_record()), 1006);
    }
    for (const RunRow& row : store->list({}).value())
      runs[row.run] = lines_of(*store->load(row.run).value());
  }

  TempFolder folder;
  std::string path = folder / "pawl.db";
  RunKey half = 0;
  RunKey parent = 0;
  std::map<std::string, Lines> runs;
};

/// What reading everything of a damaged file came to.
struct Seen {
  bool refused = false;  ///< the file, or a list of it
  int set_aside = 0;     ///< runs that were refused by name
  int wrong = 0;         ///< runs that say what was never written
  int less = 0;          ///< runs of which less is said than was written, or nothing
};

Seen look_at(const std::string& path, const std::map<std::string, Lines>& runs) {
  Seen seen;
  auto store = open_sqlite_reader(path);
  if (!store) return seen.refused = true, seen;
  const auto rows = (*store)->list({});
  if (!rows) return seen.refused = true, seen;
  std::map<std::string, bool> listed;
  for (const RunRow& row : *rows)
    if (!(listed[row.run] = row.damage.empty())) ++seen.set_aside;
  for (const auto& [id, lines] : runs) {
    const auto run = (*store)->load(id);
    if (!run) {
      ++seen.set_aside;
      continue;
    }
    const Lines found = *run ? lines_of(**run) : Lines();
    if (!is_part_of(found, lines))
      ++seen.wrong;
    else if (found.size() < lines.size())
      ++seen.less;
  }
  return seen;
}

}  // namespace

TEST_CASE("damage: no column of any row can change unseen", "[store]") {
  Filled sound;
  REQUIRE(look_at(sound.path, sound.runs).set_aside == 0);
  const std::string table =
      GENERATE(as<std::string>(), "flows", "runs", "events", "progress", "children", "meta");
  const auto columns = column(sound.path, "SELECT name FROM pragma_table_info('" + table + "')");
  REQUIRE(columns.size() >= 3);
  for (const std::string& name : columns) {
    CAPTURE(table, name);
    TempFolder folder;
    const std::string path = folder / "pawl.db";
    std::filesystem::copy_file(sound.path, path);
    // Another value of the same kind, or one where there was none, in one row. Which one: the last,
    // for its numbers can grow without meeting others.
    const std::string key = table == "children" || table == "progress" ? "run"
                            : table == "meta"                          ? "key"
                                                                       : "rowid";
    sql(path, "UPDATE " + table + " SET " + name + " = CASE typeof(" + name +
                  ") WHEN 'integer' THEN " + name + " + 1 WHEN 'text' THEN " + name +
                  " || '0' WHEN 'blob' THEN x'00112233445566778899aabbccddeeff' ELSE (SELECT CASE "
                  "type WHEN 'INTEGER' THEN 1 WHEN 'TEXT' THEN '0' ELSE "
                  "x'00112233445566778899aabbccddeeff' END FROM pragma_table_info('" +
                  table + "') WHERE name = '" + name + "') END WHERE " + key + " = (SELECT max(" +
                  key + ") FROM " + table + ")");
    const auto verified = verify_sqlite_store(path);
    CHECK((!verified || !verified->findings.empty()));
    CHECK(look_at(path, sound.runs).wrong == 0);
  }
}

TEST_CASE("damage: a run with a damaged row is set aside by name, and the others go on",
          "[store]") {
  Filled filled;
  sql(filled.path,
      "UPDATE events SET body = '\"y\"' WHERE step = 'a' AND run = "
      "(SELECT run FROM runs WHERE id = 'parent') AND kind = 3");
  auto store = open_sqlite_store({filled.path}).value();
  const Error error = store->load("parent").error();
  CHECK(error.code == Errc::corrupt);
  CHECK(error.where == "parent");
  CHECK(error.message.find("checksum does not fit; restore the store from a backup") !=
        std::string::npos);
  CHECK(lines_of(*store->load("half").value()) == filled.runs["half"]);
  // What was written of it before is not answered again, either.
  CHECK(put(*store, append(filled.parent, output_record("a", 1, "x"))).error.code == Errc::corrupt);
  CHECK(put(*store, append(filled.half, output_record("a", 2, "x"))).status ==
        WriteStatus::written);
}

TEST_CASE("damage: nothing is written to a run whose row is damaged", "[store]") {
  Filled filled;
  sql(filled.path, "UPDATE runs SET state = 7 WHERE id = 'half'");
  auto store = open_sqlite_store({filled.path}).value();
  CHECK(put(*store, append(filled.half, output_record("a", 2, 1))).error.code == Errc::corrupt);
  CHECK(put(*store, ParkRun{filled.half, RunState::waiting, 1}).error.code == Errc::corrupt);
  CHECK(put(*store, NoteProgress{filled.half, std::make_shared<Progress>(Progress{"a", 2, "1"})})
            .error.code == Errc::corrupt);
  CHECK(put(*store, start_run("half", {{"n", 1}})).error.code == Errc::corrupt);
  // Nor is it pruned, although it says that it has ended; its neighbours are.
  CHECK(put(*store, PruneRuns{}).pruned == 1);
  bool listed = false;
  for (const RunRow& row : store->list({}).value())
    if (row.run == "half") listed = !row.damage.empty();
  CHECK(listed);
}

TEST_CASE("damage: a store whose own numbers are damaged is refused", "[store]") {
  Filled filled;
  sql(filled.path, "UPDATE meta SET value = value + 1 WHERE key = 'epoch'");
  const Error error = open_sqlite_store({filled.path}).error();
  CHECK(error.code == Errc::corrupt);
  CHECK(error.message.find("\"epoch\" is damaged") != std::string::npos);
  sql(filled.path, "DELETE FROM meta WHERE key = 'epoch'");
  CHECK(open_sqlite_store({filled.path}).error().message.find("\"epoch\" is not there") !=
        std::string::npos);
}

TEST_CASE("damage: bits that flip in the main file serve nothing wrong", "[store]") {
  const char* const wanted = std::getenv("PAWL_FLIPS");
  const int flips = wanted == nullptr ? 500 : std::atoi(wanted);
  Filled filled(20);
  sql(filled.path, "PRAGMA wal_checkpoint(TRUNCATE)");
  std::string bytes;
  {
    std::ifstream file(filled.path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::mt19937_64 random(7);
  int refused = 0;
  int set_aside = 0;
  int harmless = 0;
  int less = 0;
  TempFolder folder;
  const std::string path = folder / "flipped.db";
  for (int i = 0; i < flips; ++i) {
    const std::size_t bit = random() % (bytes.size() * 8);
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    std::ofstream(path, std::ios::binary | std::ios::trunc) << flipped;
    const Seen seen = look_at(path, filled.runs);
    CAPTURE(bit);
    CHECK(seen.wrong == 0);
    if (seen.refused) {
      ++refused;
    } else if (seen.set_aside > 0) {
      ++set_aside;
    } else if (seen.less > 0) {
      // An index that leads astray: no row says so, but the whole file does.
      ++less;
      const auto verified = verify_sqlite_store(path);
      CHECK((!verified || !verified->findings.empty()));
    } else {
      ++harmless;
    }
  }
  const std::string figures = std::to_string(flips) + " flips: " + std::to_string(refused) +
                              " refused, " + std::to_string(set_aside) + " set a run aside, " +
                              std::to_string(harmless) + " harmless, " + std::to_string(less) +
                              " hide something that only verify finds";
  INFO(figures);
  if (wanted != nullptr) WARN(figures);
  CHECK(set_aside > flips / 20);
}
