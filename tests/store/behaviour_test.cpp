// What a store does when many look at once, with values that nobody thought of, and with a damaged
// log.
#include <pawl/json.hpp>
#include <pawl/limits.hpp>
#include <pawl/memory_store.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "lab/chance.hpp"
#include "support/catch.hpp"
#include "support/log_file.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <future>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <thread>

using namespace pawl;

namespace {

// --- many readers

/// What one reader saw.
struct Looks {
  std::set<std::string> outputs;  ///< of the run that does not change
  std::int64_t unfinished = 0;    ///< runs, when the owner had written its last
};

constexpr int looks_max = 100'000;  // whatever goes wrong, no reader looks for ever

Looks look_on(const std::string& path, std::atomic<int>& looks, const std::atomic<bool>& written) {
  auto reader = open_sqlite_reader(path).value();
  Looks seen;
  for (int i = 0; i < looks_max && !written; ++i) {
    const auto run = reader->load("still");
    ++looks;
    if (!run)
      seen.outputs.insert(run.error().text());
    else if (!run->has_value() || (*run)->records.size() != 2)
      seen.outputs.insert("not the run that was written");
    else
      seen.outputs.insert((*run)->records.at(1).body);
  }
  while (!written) std::this_thread::yield();
  seen.unfinished = reader->count_unfinished().value();
  return seen;
}

// --- any value

constexpr std::uint64_t values = 400;

std::string random_text(lab::Chance& chance) {
  static const std::vector<std::string> pieces{
      "",     "a",    "\"",     "\\",     "/",          "\b\f\n\r\t", std::string(1, '\0'),
      "\x1f", "\x7f", "\u00fc", "\u2028", "\U0001f600", "{{x}}",      "null"};
  std::string text;
  for (std::uint64_t more = chance.below(6); more > 0; --more)
    text += pieces[chance.below(pieces.size())];
  return text;
}

json random_number(lab::Chance& chance) {
  switch (chance.below(6)) {
    case 0: return chance.next();
    case 1: return static_cast<std::int64_t>(chance.next());
    case 2: return chance.below(10);
    case 3: return std::numeric_limits<std::int64_t>::min();
    case 4: return std::numeric_limits<std::uint64_t>::max();
    default: break;
  }
  const std::uint64_t bits = chance.next();
  double number = 0;
  std::memcpy(&number, &bits, sizeof number);
  return std::isfinite(number) ? json(number) : json(-0.0);
}

json random_value(lab::Chance& chance, int depth) {
  const std::uint64_t kind = chance.below(depth > 0 ? 8 : 4);
  if (kind == 0) return nullptr;
  if (kind == 1) return chance.below(2) == 0;
  if (kind == 2) return random_number(chance);
  if (kind == 3) return random_text(chance);
  json made = kind < 6 ? json::array() : json::object();
  for (std::uint64_t more = chance.below(5); more > 0; --more) {
    json element = random_value(chance, depth - 1);
    if (made.is_array())
      made.push_back(std::move(element));
    else
      made[random_text(chance)] = std::move(element);
  }
  return made;
}

json value_of(std::uint64_t seed) {
  lab::Chance chance(seed);
  return random_value(chance, 5);
}

std::string run_of(std::uint64_t seed) {
  return "r" + std::to_string(seed);
}

std::vector<WriteReply> put_all(Store& store, const std::vector<Write>& writes) {
  std::vector<const Write*> batch;
  for (const Write& write : writes) batch.push_back(&write);
  return store.write(batch, 1000).value();
}

void put_values(Store& store) {
  std::vector<Write> starts;
  for (std::uint64_t seed = 0; seed < values; ++seed) starts.push_back(start_run(run_of(seed)));
  const std::vector<WriteReply> started = put_all(store, starts);
  std::vector<Write> outputs;
  for (std::uint64_t seed = 0; seed < values; ++seed)
    outputs.push_back(append(started.at(seed).run, output_record("a", 1, value_of(seed))));
  for (const WriteReply& reply : put_all(store, outputs))
    REQUIRE(reply.status == WriteStatus::written);
}

void check_values(StoreView& store) {
  for (std::uint64_t seed = 0; seed < values; ++seed) {
    CAPTURE(seed);
    const json value = value_of(seed);
    const std::string text = canonical_json(value, Limits::output_bytes_max).value();
    const StoredRun run = store.load(run_of(seed)).value().value();
    REQUIRE(run.records.size() == 2);
    const Record& record = run.records.at(1);
    REQUIRE(record.body == text);
    REQUIRE(record.output_digest == digest_of(text));
    REQUIRE(parse_json(record.body, Limits::output_bytes_max).value() == value);
  }
}

// --- a damaged log

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Every record of a store in the order of its log, as text.
std::vector<std::string> log_of(StoreView& store) {
  std::map<std::int64_t, std::string> by_seq;
  for (const RunRow& row : store.list({}).value()) {
    const StoredRun run = store.load(row.key).value().value();
    for (const Record& record : run.records)
      by_seq[record.seq] = row.run + " " + std::string(to_string(record.kind)) + " " + record.step +
                           " " + record.body;
  }
  std::vector<std::string> log;
  for (const auto& [seq, text] : by_seq) log.push_back(text);
  return log;
}

}  // namespace

TEST_CASE(
    "sqlite: readers on threads of their own all see one run's output while others are written",
    "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  auto store = open_sqlite_store({path}).value();
  const json output{{"text", std::string(20'000, 'x')}, {"n", 7}};
  const RunKey still = put(*store, start_run("still")).run;
  put(*store, append(still, output_record("a", 1, output)));
  std::atomic<int> looks{0};
  std::atomic<bool> written{false};
  std::vector<std::future<Looks>> readers;
  for (int i = 0; i < 6; ++i)
    readers.push_back(
        std::async(std::launch::async, [&] { return look_on(path, looks, written); }));
  int runs = 0;
  // Until there was much to see, and much was seen.
  while (runs < 5000 && (runs < 50 || looks < 600)) {
    const RunKey key = put(*store, start_run("r" + std::to_string(runs++))).run;
    put(*store, append(key, output_record("a", 1, runs)));
  }
  written = true;
  for (std::future<Looks>& reader : readers) {
    const Looks seen = reader.get();
    CHECK(seen.outputs == std::set<std::string>{output.dump()});
    CHECK(seen.unfinished == runs + 1);
  }
  CHECK(looks >= 600);
}

TEST_CASE("memory: hundreds of random JSON values come back byte for byte", "[store]") {
  const auto file = make_memory_file();
  put_values(*open_memory_store(file));
  check_values(*open_memory_view(file));
}

TEST_CASE("sqlite: hundreds of random JSON values come back byte for byte, after a reopen too",
          "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  {
    auto store = open_sqlite_store({path}).value();
    put_values(*store);
    check_values(*store);
  }
  check_values(*open_sqlite_store({path}).value());
  check_values(*open_sqlite_reader(path).value());
  CHECK(verify_sqlite_store(path).value().findings.empty());
}

TEST_CASE("sqlite: a bit that flips in the log costs the commits from there on, and none before it",
          "[store]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  auto store = open_sqlite_store({path}).value();
  const auto end = [&] { return log_end(file_bytes(path + "-wal")); };
  const std::size_t begin = end();
  std::vector<std::size_t> ends;  // the log's, after each commit
  for (int i = 0; i < 6; ++i) {
    const RunKey key = put(*store, start_run("r" + std::to_string(i)), 1000 + i).run;
    ends.push_back(end());
    put(*store, append(key, output_record("a", 1, std::string(5000, 'x'))), 1000 + i);
    ends.push_back(end());
  }
  const std::vector<std::string> whole = log_of(*store);
  REQUIRE(whole.size() == ends.size());
  // Copied while the store is open: closing it moves the log into the main file.
  const std::string main_file = file_bytes(path);
  const std::string wal = file_bytes(path + "-wal");
  const std::size_t frame = frame_bytes(wal);
  for (std::size_t at = begin; at < ends.back(); at += frame) {
    CAPTURE(at, frame);
    std::string damaged = wal;
    char& byte = damaged.at(at + frame_header_bytes + 1000);
    byte = static_cast<char>(byte ^ 0x10);
    TempFolder other;
    const std::string copy_path = other / "pawl.db";
    write_bytes(copy_path, main_file);
    write_bytes(copy_path + "-wal", damaged);

    const auto left = std::count_if(ends.begin(), ends.end(),
                                    [&](std::size_t commit_end) { return commit_end <= at; });
    {
      auto copy = open_sqlite_store({copy_path}).value();
      REQUIRE(log_of(*copy) == std::vector<std::string>(whole.begin(), whole.begin() + left));
      REQUIRE(put(*copy, start_run("next"), 2000).status == WriteStatus::written);
    }
    const Verification verification = verify_sqlite_store(copy_path).value();
    REQUIRE(verification.findings.empty());
    REQUIRE(verification.records == left + 1);
  }
}
