#include "bench/workloads.hpp"

#include <pawl/engine.hpp>
#include <pawl/flow.hpp>

#include "bench/flows.hpp"
#include "bench/folder.hpp"
#include "bench/limit.hpp"
#include "bench/usage.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <spawn.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pawl::bench {

namespace {

/// Of the whole machine: a parent and its child may compare.
double now_s() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// W1, W2, W3: `flows` runs of `flow`, which has `steps` steps.
json measure(const char* workload, const Flow& flow, int flows, int steps) {
  const Folder folder;
  Engine engine =
      open_engine(folder / "bench.db", [](const StepCall&) { return done(step_output()); });
  run_all(engine, chain(3), "warm", 5);
  const EngineStats before = engine.stats();
  const double cpu_before_s = cpu_s();
  const double began_s = now_s();
  std::vector<Run> runs;
  runs.reserve(static_cast<std::size_t>(flows));
  for (int i = 0; i < flows; ++i) runs.push_back(engine.submit(flow, number("r", i)));
  const double submitted_s = now_s();
  for (const Run& run : runs)
    if (const Result<void> started = run.started(); !started) die(started.error().text());
  const double acknowledged_s = now_s();
  int ended_well = 0;
  for (const Run& run : runs) ended_well += run.wait().succeeded() ? 1 : 0;
  const double seconds = now_s() - began_s;
  const double cpu_used_s = cpu_s() - cpu_before_s;
  const EngineStats after = engine.stats();
  engine.close(10'000);
  const double flush_us = flush_us_p50(folder / "");
  const Limit limit = write_again(folder / "bench.db", folder / "limit.db");
  const double count = static_cast<double>(flows) * steps;
  const bool ok = ended_well == flows && after.steps_completed - before.steps_completed ==
                                             static_cast<std::int64_t>(count);
  json line{{"peer", "pawl"},
            {"w", workload},
            {"steps", count},
            {"seconds", seconds},
            {"steps_per_s", count / seconds},
            {"mean_ms_per_step", seconds * 1e3 / count},
            {"ok", ok},
            {"rss_mib", peak_rss_mib()},
            {"cpu_us_per_step", cpu_used_s * 1e6 / count},
            {"records_per_commit", static_cast<double>(after.writes - before.writes) /
                                       static_cast<double>(after.commits - before.commits)},
            {"limit_steps_per_s", limit.steps_per_s()},
            {"of_limit", count / seconds / limit.steps_per_s()},
            {"limit_cpu_us_per_step", limit.cpu_us_per_step()},
            {"flush_us_p50", flush_us}};
  if (std::strcmp(workload, "W2") == 0) {
    line["flows"] = flows;
    line["flows_per_s"] = flows / seconds;
    line["flows_ok"] = ended_well;
    line["submit_s"] = submitted_s - began_s;
    line["acknowledged_s"] = acknowledged_s - began_s;
  }
  return line;
}

// --- W4

struct KillFiles {
  std::string store;
  std::string ledger;  // a line for each time that a step ran: RUN/STEP
  std::string notes;   // what a life tells: NAME VALUE, a line each
};

void note(int fd, const std::string& text) {
  const std::string line = text + "\n";
  if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    die(std::string("cannot write: ") + std::strerror(errno));
}

int open_to_append(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) die(path + ": " + std::strerror(errno));
  return fd;
}

/// What the child does, in both of its lives: whoever got no answer starts again under the same id.
int live(const KillFiles& files, int flows, int steps) {
  const int ledger = open_to_append(files.ledger);
  const int notes = open_to_append(files.notes);
  std::atomic<bool> has_run{false};
  Engine engine = open_engine(files.store, [&](const StepCall& call) {
    if (call.run.rfind("warm", 0) == 0) return done(step_output());
    if (!has_run.exchange(true)) note(notes, "first_step_s " + std::to_string(now_s()));
    note(ledger, call.run + "/" + call.step);
    return done(step_output());
  });
  run_all(engine, chain(3), "warm", 5);
  note(notes, "ready_s " + std::to_string(now_s()));
  const Flow flow = chain(steps);
  std::vector<Run> runs;
  for (int i = 0; i < flows; ++i) runs.push_back(engine.submit(flow, number("r", i)));
  int ended_well = 0;
  for (const Run& run : runs) ended_well += run.wait().succeeded() ? 1 : 0;
  note(notes, "ended_s " + std::to_string(now_s()));
  note(notes, "ended_well " + std::to_string(ended_well));
  engine.close(10'000);
  return 0;
}

pid_t spawn_life(const KillFiles& files, int flows, int steps) {
  std::vector<std::string> words{"pawl-bench",         "life",      files.store,
                                 files.ledger,         files.notes, std::to_string(flows),
                                 std::to_string(steps)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0)
    die("cannot start a child process");
  return child;
}

std::map<std::string, double> read_notes(const std::string& path) {
  std::map<std::string, double> notes;
  std::ifstream file(path);
  std::string name;
  for (double value = 0; file >> name >> value;) notes.emplace(name, value);
  return notes;
}

/// Reads what has come to a file since.
class Lines {
 public:
  explicit Lines(std::string path) : path_(std::move(path)) {}

  std::int64_t count() {
    std::ifstream file(path_);
    file.seekg(at_);
    for (std::string line; std::getline(file, line) && !file.eof(); ++lines_) at_ = file.tellg();
    return lines_;
  }

 private:
  std::string path_;
  std::ifstream::pos_type at_ = 0;
  std::int64_t lines_ = 0;
};

json measure_kill(int flows, int steps) {
  const Folder folder;
  const KillFiles files{folder / "bench.db", folder / "ledger", folder / "notes"};
  const std::int64_t all = static_cast<std::int64_t>(flows) * steps;
  const pid_t first = spawn_life(files, flows, steps);
  Lines lines(files.ledger);
  int status = 0;
  while (lines.count() < all / 2) {
    if (::waitpid(first, &status, WNOHANG) == first) die("the first life ended before its kill");
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  ::kill(first, SIGKILL);
  ::waitpid(first, &status, 0);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) die("the first life was not killed");
  const std::int64_t run_before = lines.count();
  std::filesystem::remove(files.notes);

  const double restarted_s = now_s();
  const pid_t second = spawn_life(files, flows, steps);
  if (::waitpid(second, &status, 0) != second || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    die("the second life did not end well");
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const std::map<std::string, double> notes = read_notes(files.notes);
  std::map<std::string, int> times;
  std::ifstream ledger(files.ledger);
  for (std::string line; std::getline(ledger, line);) ++times[line];
  std::int64_t repeated = 0;
  for (const auto& [step, count] : times) repeated += count > 1 ? 1 : 0;
  const double recovered_s = notes.at("ended_s") - restarted_s;
  const auto never = all - static_cast<std::int64_t>(times.size());
  const auto lost = flows - static_cast<int>(notes.at("ended_well"));
  return json{{"peer", "pawl"},
              {"w", "W4"},
              {"steps", all},
              {"flows", flows},
              {"seconds", recovered_s},
              {"steps_per_s", static_cast<double>(all - run_before) / recovered_s},
              {"mean_ms_per_step", recovered_s * 1e3 / static_cast<double>(all - run_before)},
              {"ok", never == 0 && lost == 0},
              {"rss_mib", static_cast<double>(usage.ru_maxrss) / 1024},
              {"recover_seconds", recovered_s},
              {"first_step_after_restart_s", notes.at("first_step_s") - restarted_s},
              {"ready_after_restart_s", notes.at("ready_s") - restarted_s},
              {"steps_run_before_kill", run_before},
              {"steps_run_more_than_once", repeated},
              {"steps_never_run", never},
              {"flows_lost", lost}};
}

}  // namespace

json run_workload(const std::string& workload, int n, int steps) {
  if (workload == "W1") return measure("W1", chain(n), 1, n);
  if (workload == "values") return measure("values", chain_of_values(n), 1, n);
  if (workload == "W2") return measure("W2", chain(steps), n, steps);
  if (workload == "W3") {
    const auto [flow, count] = fan(n);
    return measure("W3", flow, 1, count);
  }
  if (workload == "W4") return measure_kill(n, steps);
  return nullptr;
}

int run_life(const std::vector<std::string>& arguments) {
  return live({arguments.at(0), arguments.at(1), arguments.at(2)}, std::stoi(arguments.at(3)),
              std::stoi(arguments.at(4)));
}

}  // namespace pawl::bench
