// The command beside others, and where a resource is scarce: what it says, and that it goes on.
#include <pawl/engine.hpp>
#include <pawl/json.hpp>
#include <pawl/sqlite_store.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/resource_limit.hpp"
#include "support/temp_folder.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <thread>

using namespace pawl;

namespace {

/// A flow whose steps leave an effect each, and the command under limits.
struct Scarce {
  /// Given: `steps`, each of which gives so many bytes of output.
  Scarce(int steps, int bytes) {
    json flow{{"flow", "scarce"}, {"steps", json::object()}};
    for (int i = 0; i < steps; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      json step{{"run", "shell"},
                {"with",
                 {{"argv",
                   {"sh", "-c",
                    "echo " + name + " >> effects.txt; head -c " + std::to_string(bytes) +
                        " /dev/zero | tr '\\0' x"}}}},
                {"retry", {{"max_attempts", 1000}, {"initial_ms", 10}, {"factor", 1}}}};
      if (i > 0) step["after"] = {std::string(1, static_cast<char>('a' + i - 1))};
      flow["steps"][name] = step;
      effects += name + "\n";
    }
    std::ofstream(folder / "flow.json") << flow.dump();
    std::ofstream(folder / "first.json") << R"({"flow": "first", "steps": {"a": {"run": "echo"}}})";
  }

  std::vector<std::string> command(std::vector<std::string> arguments,
                                   const std::string& limit = {}) const {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    if (limit.empty()) return arguments;
    const std::string script = "ulimit -S " + limit + "; exec \"$0\" \"$@\"";
    std::vector<std::string> all{"sh", "-c", script};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }

  ProcessEnd pawl(const std::vector<std::string>& arguments, const std::string& limit = {}) const {
    return run_process(command(arguments, limit), folder.path());
  }

  std::string text(const std::string& name) const { return file_text(folder / name); }

  TempFolder folder;
  std::string effects;
};

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void set_soft_limit(int process, decltype(RLIMIT_NOFILE) resource, rlim_t soft) {
  rlimit limit{};
  REQUIRE(::prlimit(process, resource, nullptr, &limit) == 0);
  limit.rlim_cur = soft == RLIM_INFINITY ? limit.rlim_max : soft;
  REQUIRE(::prlimit(process, resource, &limit, nullptr) == 0);
}

}  // namespace

TEST_CASE(
    "neighbours: a limit on the size of files stops a run until it is raised, and pawl list "
    "says so",
    "[tools]") {
  Scarce scarce(10, 20'000);
  REQUIRE(scarce.pawl({"run", "first.json", "--id", "r0"}).code == 0);
  // Room for the main file as it is, and for some of the outputs, in whole pages; sh counts in
  // blocks of 512 bytes.
  const auto size = [&] { return std::filesystem::file_size(scarce.folder / "pawl.db"); };
  const auto limit = size() + 10 * 4096;
  Process owner(
      scarce.command({"run", "flow.json", "--id", "r1"}, "-f " + std::to_string(limit / 512)),
      scarce.folder.path());
  const auto found = [&] { return find_store_owner(scarce.folder / "pawl.db").value(); };
  REQUIRE(wait_until([&] {
    // Before that a full log may still be moved into the main file.
    const auto current = found();
    return size() == limit && current && current->cannot_write;
  }));
  CHECK(found()->process == owner.id());
  CHECK(found()->cannot_write == Errc::full);
  const std::string words =
      "the store's owner, process " + std::to_string(owner.id()) + ", could not write when it last";
  const ProcessEnd listed = scarce.pawl({"list"});
  CHECK(listed.code == 0);
  CHECK(says(listed.err, words));
  CHECK(says(listed.err, "(full, since "));
  CHECK_FALSE(says(listed.out, "full"));
  for (const std::string command : {"show", "why"}) {
    CHECK(says(scarce.pawl({command, "r1"}).out, words));
    CHECK_FALSE(says(scarce.pawl({command, "r0"}).out, words));
  }
  const std::string documents = scarce.pawl({"list", "--json"}).out;
  const json waits = json::parse(documents.substr(0, documents.find('\n')));
  CHECK(waits["run"] == "r1");
  CHECK(waits["owner_cannot_write"]["code"] == "full");
  CHECK(waits["owner_cannot_write"]["process"] == owner.id());
  CHECK(waits["owner_cannot_write"]["since_ms"].get<std::int64_t>() > 1'600'000'000'000);
  const json ended = json::parse(documents.substr(documents.find('\n') + 1));
  CHECK_FALSE(ended.contains("owner_cannot_write"));

  set_soft_limit(owner.id(), RLIMIT_FSIZE, RLIM_INFINITY);
  const ProcessEnd end = owner.wait();
  CAPTURE(end.err);
  CHECK_FALSE(end.by_signal);
  CHECK(end.code == 0);
  CHECK(says(end.err, "warning: the store cannot write, and is tried again until it can: full: "));
  CHECK(says(end.err, "this process may make no file that large"));
  CHECK(says(end.err, "the store can write again"));
  CHECK(scarce.text("effects.txt") == scarce.effects);
  CHECK(scarce.pawl({"verify"}).code == 0);
  CHECK_FALSE(says(scarce.pawl({"list"}).err, "could not write"));
}

TEST_CASE("neighbours: programs that pawl starts die of their own too large files", "[tools]") {
  Scarce scarce(1, 1);
  std::ofstream(scarce.folder / "large.json")
      << R"({"flow": "large", "steps": {"a": {"run": "shell", "with": {"argv": ["sh", "-c",
             "ulimit -f 1; echo began > began.txt; head -c 9000 /dev/zero > large.txt"]},
             "retry": {"max_attempts": 1}}}})";
  const ProcessEnd end = scarce.pawl({"run", "large.json"});
  CHECK(end.code == 1);
  CHECK(scarce.text("began.txt") == "began\n");
  CHECK(says(end.err, "File size limit exceeded"));
}

TEST_CASE("neighbours: however few descriptors there are, the command says so and does not crash",
          "[tools]") {
  if (is_sanitized) return;  // which needs descriptors itself
  Scarce scarce(1, 1);
  REQUIRE(scarce.pawl({"run", "first.json", "--id", "r0"}).code == 0);
  for (const std::string command : {"list", "resume"}) {
    int refused = 0;
    for (int limit = 4; limit < 16; ++limit) {
      const ProcessEnd end = scarce.pawl({command}, "-n " + std::to_string(limit));
      CAPTURE(command, limit, end.code, end.err);
      CHECK_FALSE(end.by_signal);
      if (end.code == 0 || end.code == 127) continue;  // 127: not even the program's libraries
      ++refused;
      CHECK(end.code == 3);
      CHECK(
          (says(end.err, "no file descriptors are left") || says(end.err, "Too many open files")));
    }
    CHECK(refused > 0);
  }
}

TEST_CASE("neighbours: a step that finds no descriptors is tried again until there are some",
          "[tools]") {
  if (is_sanitized) return;  // which needs descriptors itself
  Scarce scarce(3, 10);
  json flow = json::parse(scarce.text("flow.json"));
  flow["steps"]["a"]["with"]["argv"] = {
      "sh", "-c", "echo a >> effects.txt; until [ -e go.txt ]; do sleep 0.01; done"};
  std::ofstream(scarce.folder / "flow.json") << flow.dump();
  Process owner(scarce.command({"run", "flow.json", "--id", "r1"}), scarce.folder.path());
  REQUIRE(wait_until([&] { return !scarce.text("effects.txt").empty(); }));
  set_soft_limit(owner.id(), RLIMIT_NOFILE, 4);
  std::ofstream(scarce.folder / "go.txt") << "x";
  const auto refusals = [&] {
    const auto reader = open_sqlite_reader(scarce.folder / "pawl.db").value();
    const auto run = reader->load("r1").value();
    int count = 0;
    for (const Record& record : run->records)
      if (record.kind == RecordKind::receipt && says(record.body, "Too many open files")) ++count;
    return count;
  };
  REQUIRE(wait_until([&] { return refusals() >= 2; }));
  set_soft_limit(owner.id(), RLIMIT_NOFILE, 1024);
  const ProcessEnd end = owner.wait();
  CAPTURE(end.err);
  CHECK(end.code == 0);
  CHECK(says(end.err, "cannot run \"sh\": "));
  CHECK(scarce.text("effects.txt") == "a\nb\nc\n");
}

TEST_CASE("neighbours: backups that are made while an engine writes are whole, and go on",
          "[tools]") {
  TempFolder folder;
  const Steps steps{{"x", [](const StepCall& call) { return done(call.step); }}};
  const Flow flow = parse_flow(R"({"flow": "two", "steps": {"a": {"run": "x"},
    "b": {"run": "x", "after": ["a"]}}})")
                        .value();
  const auto ended_runs = [](StoreView& store) {
    RunFilter filter;
    filter.state = RunState::succeeded;
    filter.limit = 1'000'000;
    return store.list(filter).value().size();
  };
  constexpr int copies = 3;
  std::vector<std::size_t> acknowledged;
  std::size_t all = 0;
  {
    Engine engine = Engine::open(folder / "pawl.db", steps).value();
    std::atomic<std::size_t> ended{0};
    std::atomic<bool> enough{false};
    std::thread writer([&] {
      for (int i = 0; !enough; ++i) {
        const Run run = engine.submit(flow, "r" + std::to_string(i));
        run.on_end([&](const Outcome&) { ++ended; });
        if (i % 20 == 0) run.wait();
      }
    });
    for (int copy = 0; copy < copies; ++copy) {
      const std::size_t before = ended;
      REQUIRE(wait_until([&] { return ended > before; }));
      acknowledged.push_back(ended);
      const ProcessEnd made = run_process(
          {PAWL_COMMAND, "backup", "copy" + std::to_string(copy) + ".db"}, folder.path());
      CAPTURE(made.err, made.out);
      CHECK(made.code == 0);
      CHECK(wait_until([&] { return ended > acknowledged.back(); }));  // the engine went on
    }
    enough = true;
    writer.join();
    engine.close(10'000);
    all = ended;
  }
  for (int copy = 0; copy < copies; ++copy) {
    const std::string name = "copy" + std::to_string(copy) + ".db";
    CHECK(run_process({PAWL_COMMAND, "verify", "--store", name}, folder.path()).code == 0);
    const std::size_t there = ended_runs(*open_sqlite_reader(folder / name).value());
    CHECK(there >= acknowledged[static_cast<std::size_t>(copy)]);
    CHECK(there <= all);
    Engine engine = Engine::open(folder / name, steps).value();
    RunFilter unfinished;
    unfinished.unfinished_only = true;
    unfinished.limit = 1'000'000;
    for (const RunRow& row : engine.list(unfinished).value())
      CHECK(engine.find(row.run).value().wait().succeeded());
  }
}
