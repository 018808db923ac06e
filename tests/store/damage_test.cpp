// Bits that change on the disk: nothing wrong is served, and what is sound goes on.
#include <pawl/repair.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/catch.hpp"
#include "support/figure.hpp"
#include "support/log_file.hpp"
#include "support/store_sql.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

namespace damage_test {

using namespace pawl;

namespace {

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
  const auto columns = column_of(sound.path, "SELECT name FROM pragma_table_info('" + table + "')");
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
    run_sql(path,
            "UPDATE " + table + " SET " + name + " = CASE typeof(" + name +
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
  run_sql(filled.path,
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

TEST_CASE("damage: a page that is damaged under an owner costs the runs whose rows are, no others",
          "[store]") {
  Filled filled(200);
  auto store = open_sqlite_store({filled.path}).value();
  std::string main;
  {
    std::ifstream file(filled.path, std::ios::binary);
    main.assign(std::istreambuf_iterator<char>(file), {});
  }
  // An output of some run, far from what the opening has read and keeps.
  const std::size_t body = main.find(std::string(50, 'a'), main.size() / 2);
  REQUIRE(body != std::string::npos);
  std::fstream(filled.path, std::ios::in | std::ios::out | std::ios::binary)
          .seekp(static_cast<std::streamoff>(body))
      << "bbb";  // more than a checksum puts right
  const RunRow row = [&] {
    const auto reader = open_sqlite_reader(filled.path).value();
    for (const RunRow& other : reader->list({}).value())
      if (!reader->load(other.run)) return other;
    return RunRow();
  }();
  REQUIRE_FALSE(row.run.empty());
  // Whatever meets the page first gets past it.
  const auto write = [&] {
    CHECK(put(*store, append(row.key, output_record("a", 1, 2))).error.code == Errc::corrupt);
  };
  const bool is_written_first = GENERATE(true, false);
  CAPTURE(is_written_first);
  if (is_written_first) write();
  for (const auto& [id, lines] : filled.runs) {
    CAPTURE(id);
    const auto run = store->load(id);
    REQUIRE(run.has_value() == (id != row.run));
    if (run) CHECK(lines_of(**run) == lines);
    if (!run) CHECK(run.error().where == id);
  }
  if (!is_written_first) write();
  CHECK(put(*store, append(filled.half, output_record("a", 2, "x"))).status ==
        WriteStatus::written);
}

TEST_CASE("damage: nothing is written to a run whose row is damaged", "[store]") {
  Filled filled;
  run_sql(filled.path, "UPDATE runs SET state = 7 WHERE id = 'half'");
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
  run_sql(filled.path, "UPDATE meta SET value = value + 1 WHERE key = 'epoch'");
  const Error error = open_sqlite_store({filled.path}).error();
  CHECK(error.code == Errc::corrupt);
  CHECK(error.message.find("\"epoch\" is damaged") != std::string::npos);
  run_sql(filled.path, "DELETE FROM meta WHERE key = 'epoch'");
  CHECK(open_sqlite_store({filled.path}).error().message.find("\"epoch\" is not there") !=
        std::string::npos);
}

namespace {

using Files = std::map<std::string, std::string>;  // by the ends of their names

constexpr const char* ends[] = {"", "-wal", "-mark"};

/// A store in use, half of it in its log.
struct InUse : Filled {
  InUse() : Filled(20) {
    auto store = open_sqlite_store({path}).value();
    const RunKey late = put(*store, start_run("late"), 2000).run;
    for (int i = 1; i <= 10; ++i)
      put(*store, append(late, receipt_record("a", i, AttemptEnd::failed)), 2000 + i);
    put(*store, append(half, output_record("a", 2, "x")), 3000);
    for (const RunRow& row : store->list({}).value())
      runs[row.run] = lines_of(*store->load(row.run).value());
    for (const char* end : ends) {
      std::ifstream file(path + end, std::ios::binary);
      files[end].assign(std::istreambuf_iterator<char>(file), {});
      REQUIRE_FALSE(files[end].empty());
    }
    files["-wal"].resize(log_end(files["-wal"]));
  }

  Files files;
};

/// What became of damaged stores.
struct Tally {
  explicit Tally(const InUse& sound) : sound_(sound) {}

  /// Looks at the store with `files`.
  void look(const Files& files) {
    const std::string path = folder_ / "damaged.db";
    std::filesystem::remove(path + "-shm");
    for (const auto& [end, bytes] : files)
      std::ofstream(path + end, std::ios::binary | std::ios::trunc) << bytes;
    const Seen seen = look_at(path, sound_.runs);
    CHECK(seen.wrong == 0);
    ++all;
    if (seen.refused) {
      ++refused;
    } else if (seen.set_aside > 0) {
      ++set_aside;
      // Only these have less to say.
      CHECK(seen.less == 0);
    } else if (seen.less > 0) {
      ++silent;
    } else {
      ++whole;
    }
  }

  std::string text() const {
    return std::to_string(all) + " damaged stores: " + std::to_string(refused) + " refused, " +
           std::to_string(set_aside) + " set a run aside, " + std::to_string(whole) +
           " are read as they were, " + std::to_string(silent) + " lack something silently";
  }

  std::string figure() const {
    return with_commas(all) + " damaged stores: " + with_commas(whole) +
           " are read as they were, " + with_commas(set_aside) + " set a run aside, " +
           with_commas(refused) + " are refused, 0 serve anything wrong, " + with_commas(silent) +
           " hide anything";
  }

  int all = 0, refused = 0, set_aside = 0, whole = 0, silent = 0;

 private:
  const InUse& sound_;
  TempFolder folder_;
};

int times(int otherwise) {
  const char* const wanted = std::getenv("PAWL_FLIPS");
  return wanted == nullptr ? otherwise : std::atoi(wanted);
}

void tell(const Tally& tally, const std::string& figure) {
  CHECK(tally.silent == 0);
  INFO(tally.text());
  if (std::getenv("PAWL_FLIPS") != nullptr) WARN(tally.text());
  CHECK(tally.all > 0);
  note_figure(figure, tally.figure());
}

}  // namespace

TEST_CASE(
    "damage: a bit that flips in the main file, the log or the mark serves nothing wrong and "
    "hides nothing",
    "[store]") {
  const InUse sound;
  std::size_t bytes = 0;
  for (const char* end : ends) bytes += sound.files.at(end).size();
  std::mt19937_64 random(7);
  std::map<std::string, Tally> tallies;
  for (const char* end : ends) tallies.emplace(end, sound);
  for (int i = 0; i < times(600); ++i) {
    // Every tenth in the mark, which is small.
    std::size_t bit = random() % (bytes * 8);
    const char* end = ends[0];
    if (i % 10 == 0) {
      end = "-mark";
      bit %= sound.files.at(end).size() * 8;
    } else if (bit >= sound.files.at("").size() * 8) {
      end = "-wal";
      bit = (bit - sound.files.at("").size() * 8) % (sound.files.at(end).size() * 8);
    }
    CAPTURE(std::string(end), bit);
    Files files = sound.files;
    files[end][bit / 8] = static_cast<char>(files[end][bit / 8] ^ (1 << (bit % 8)));
    tallies.at(end).look(files);
  }
  for (const char* end : ends) {
    CAPTURE(std::string(end));
    const std::string file = end == ends[0] ? "main" : std::string(end).substr(1);
    tell(tallies.at(end), "flips_" + (file == "wal" ? "log" : file));
  }
  // One bit of a page is put right; a log that ends early is refused; a mark is only a mark.
  CHECK(tallies.at("").whole == tallies.at("").all);
  CHECK(tallies.at("-wal").refused > tallies.at("-wal").all / 2);
  CHECK(tallies.at("-mark").whole == tallies.at("-mark").all);
}

TEST_CASE(
    "damage: bits, bytes and sectors of the main file that change serve nothing wrong and "
    "hide nothing",
    "[store]") {
  const InUse sound;
  Files closed;
  {
    TempFolder folder;
    const std::string path = folder / "pawl.db";
    for (const auto& [end, bytes] : sound.files)
      std::ofstream(path + end, std::ios::binary) << bytes;
    open_sqlite_store({path}).value();
    for (const char* end : {"", "-mark"}) {
      std::ifstream file(path + end, std::ios::binary);
      closed[end].assign(std::istreambuf_iterator<char>(file), {});
    }
  }
  std::mt19937_64 random(11);
  Tally tally(sound);
  const std::size_t size = closed[""].size();
  for (int i = 0; i < times(300); ++i) {
    Files files = closed;
    std::string& main = files[""];
    const std::size_t at = random() % size;
    const char kind = "bbBsSzpm"[random() % 8];
    CAPTURE(i, at, kind);
    const std::size_t sector = at / 512 * 512;
    if (kind == 'b') {  // two or more bits of a page
      for (std::size_t n = 2 + random() % 4; n > 0; --n) {
        char& byte = main[at / 4096 * 4096 + random() % 4096];
        byte = static_cast<char>(byte ^ (1 << (random() % 8)));
      }
    } else if (kind == 'B') {  // a byte
      main[at] = static_cast<char>(random());
    } else if (kind == 's' || kind == 'S') {  // a sector of garbage, or two
      for (std::size_t n = 0; n < (kind == 's' ? 512 : 1024) && sector + n < size; ++n)
        main[sector + n] = static_cast<char>(random());
    } else if (kind == 'z') {  // a sector of zeros
      std::fill_n(main.begin() + static_cast<std::ptrdiff_t>(sector), 512, '\0');
    } else if (kind == 'p') {  // a page in another's place
      main.replace(at / 4096 * 4096, 4096, closed[""], random() % (size / 4096) * 4096, 4096);
    } else {  // the end is missing
      main.resize(at / 512 * 512);
    }
    const int silent = tally.silent;
    tally.look(files);
    CHECK(tally.silent == silent);
  }
  tell(tally, "flips_many");
  CHECK(tally.refused > 0);
  CHECK(tally.set_aside > 0);
}

namespace {

/// What verify says of pages, and of SQLite's own structure: the runs of these tests are no lawful
/// ones.
std::vector<std::string> findings_of_file(const Verification& verified) {
  std::vector<std::string> found;
  for (const Finding& finding : verified.findings)
    if (finding.run.empty()) found.push_back(finding.code + ": " + finding.message);
  return found;
}

}  // namespace

TEST_CASE("damage: a bit that has flipped is told by verify, and written back by repair",
          "[store]") {
  Filled filled;
  std::string before;
  {
    std::ifstream file(filled.path, std::ios::binary);
    before.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::string flipped = before;
  flipped[3 * 4096 + 4000] ^= 4;
  flipped[5 * 4096 + 4090] ^= 1;  // of the checksum
  std::ofstream(filled.path, std::ios::binary | std::ios::trunc) << flipped;
  CHECK(look_at(filled.path, filled.runs).set_aside == 0);
  CHECK(findings_of_file(verify_sqlite_store(filled.path).value()) ==
        std::vector<std::string>{
            "page_corrected: a bit of page 4 has flipped; it is read as it was written",
            "page_corrected: a bit of page 6 has flipped; it is read as it was written"});
  const Repair repair = repair_sqlite_store(filled.path, {}).value();
  CHECK(repair.done == std::vector<std::string>{"a bit of page 4 that had flipped",
                                                "a bit of page 6 that had flipped"});
  CHECK(findings_of_file(repair.left).empty());
}

TEST_CASE("damage: another program may move the log into the main file", "[store]") {
  const InUse sound;
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  for (const auto& [end, bytes] : sound.files) std::ofstream(path + end, std::ios::binary) << bytes;
  // As the sqlite3 shell does when it looks into a store that was killed.
  CHECK(SQLite::Database(path, SQLite::OPEN_READWRITE)
            .execAndGet("SELECT count(*) FROM runs")
            .getInt() == static_cast<int>(sound.runs.size()));
  CHECK(findings_of_file(verify_sqlite_store(path).value()).empty());
  const Seen seen = look_at(path, sound.runs);
  CHECK_FALSE(seen.refused);
  CHECK(seen.set_aside + seen.wrong + seen.less == 0);
  CHECK(open_sqlite_store({path}).has_value());
}

}  // namespace damage_test
