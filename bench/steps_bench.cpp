// How many durable steps a second, and how near that is to what the disk and the store can do.
// `./dev bench [FOLDER]`
//
// In the same minute, on the same disk:
//   flush    4 KiB are appended to a file and synced, again and again: the disk's own rate
//   store    the store alone, the same rows in batches as large as the engine's: the limit
//   engine   1,000 runs of 10 sequential steps at once; and one run of 1,000 steps
// Each three times, in turns, so that a busy moment shows as such.
#include <pawl/engine.hpp>
#include <pawl/flow.hpp>
#include <pawl/sqlite_store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace pawl;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

const json step_output{{"text", std::string(80, 'x')}, {"n", 1}};

std::string chain_of(int steps) {
  json members = json::object();
  for (int i = 0; i < steps; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "s%05d", i);
    members[name] = {{"run", "step"}};
    if (i == 0) continue;
    char before[16];
    std::snprintf(before, sizeof before, "s%05d", i - 1);
    members[name]["after"] = {before};
  }
  return json{{"flow", "bench"}, {"steps", members}}.dump();
}

class Folder {
 public:
  explicit Folder(const std::string& parent) : path_(parent + "/pawl-bench-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
      std::fprintf(stderr, "bench: cannot make a folder in %s\n", parent.c_str());
      std::exit(1);
    }
  }

  ~Folder() {
    for (const char* name :
         {"flush", "bench.db", "bench.db-wal", "bench.db-shm", "bench.db.lock", "bench.db.sock"})
      ::unlink((path_ + "/" + name).c_str());
    ::rmdir(path_.c_str());
  }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Flush {
  double per_second;
  double p50_us;
  double p99_us;
};

Flush measure_flush(const std::string& parent) {
  const Folder folder(parent);
  const int fd = ::open((folder / "flush").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string page(4096, 'p');
  std::vector<double> us;
  const auto began = Clock::now();
  while (seconds_since(began) < 1.0) {
    const auto one = Clock::now();
    if (::write(fd, page.data(), page.size()) != static_cast<ssize_t>(page.size()) ||
        ::fdatasync(fd) != 0)
      std::exit(1);
    us.push_back(seconds_since(one) * 1e6);
  }
  ::close(fd);
  std::sort(us.begin(), us.end());
  return {static_cast<double>(us.size()) / seconds_since(began), us[us.size() / 2],
          us[us.size() * 99 / 100]};
}

/// Steps per second of the store alone: the rows that a step writes, `batch` at once.
double measure_store(const std::string& parent, int batch, int steps) {
  const Folder folder(parent);
  auto store = open_sqlite_store({folder / "bench.db"}).value();
  const Flow flow = parse_flow(chain_of(1)).value();
  std::vector<RunKey> runs;
  for (int i = 0; i < batch; ++i) {
    const Write start = StartRun{
        "r" + std::to_string(i), flow.name(), std::make_shared<std::string>(flow.canonical()),
        flow.digest(),           "{}",        "/"};
    runs.push_back(store->write({&start}, 1).value().at(0).run);
  }
  const std::string body = step_output.dump();
  int written = 0;
  const auto began = Clock::now();
  while (written < steps) {
    std::vector<Write> writes;
    for (int i = 0; i < batch; ++i) {
      auto record = std::make_shared<Record>();
      record->kind = RecordKind::output;
      record->end = AttemptEnd::succeeded;
      record->step = "s" + std::to_string(written / batch);
      record->attempt = 1;
      record->body = body;
      record->output_digest = digest_of(body);
      record->input_digest = record->output_digest;
      writes.push_back(AppendRecord{runs[static_cast<std::size_t>(i)], std::move(record)});
    }
    std::vector<const Write*> pointers;
    for (const Write& write : writes) pointers.push_back(&write);
    if (!store->write(pointers, 1)) std::exit(1);
    written += batch;
  }
  return written / seconds_since(began);
}

struct EngineRate {
  double steps_per_second;
  double batch;
  double commit_p50_us;
  double cpu_us_per_step;
};

EngineRate measure_engine(const std::string& parent, int runs, int steps) {
  const Folder folder(parent);
  const Flow flow = parse_flow(chain_of(steps)).value();
  Engine engine = Engine::open(folder / "bench.db",
                               {{"step", [](const StepCall&) { return done(step_output); }}})
                      .value();
  const double cpu_before = cpu_seconds();
  const auto began = Clock::now();
  std::vector<Run> handles;
  for (int i = 0; i < runs; ++i) handles.push_back(engine.submit(flow, "r" + std::to_string(i)));
  for (const Run& run : handles)
    if (!run.wait().succeeded()) {
      std::fprintf(stderr, "bench: a run did not succeed\n");
      std::exit(1);
    }
  const double seconds = seconds_since(began);
  const double count = static_cast<double>(runs) * steps;
  const EngineStats stats = engine.stats();
  return {count / seconds, static_cast<double>(stats.writes) / static_cast<double>(stats.commits),
          static_cast<double>(stats.commit_us_p50), (cpu_seconds() - cpu_before) / count * 1e6};
}

void print_machine(const std::string& parent) {
  utsname system{};
  ::uname(&system);
  std::string processor = "unknown";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.compare(0, 10, "model name") == 0) {
      processor = line.substr(line.find(':') + 2);
      break;
    }
  std::printf("machine   %s, %u cores, %s %s\n", processor.c_str(),
              std::thread::hardware_concurrency(), system.sysname, system.release);
  std::printf(
      "settings  WAL, synchronous=FULL, page 4096, checkpoint every 4000 pages; a step's output: "
      "%zu bytes; in %s\n",
      step_output.dump().size(), parent.c_str());
}

void measure(const std::string& parent, const char* name, int runs, int steps) {
  for (int round = 1; round <= 3; ++round) {
    const Flush flush = measure_flush(parent);
    const EngineRate engine = measure_engine(parent, runs, steps);
    const int batch = std::max(1, static_cast<int>(engine.batch + 0.5));
    const double limit = measure_store(parent, batch, std::min(runs * steps, batch * 2000));
    std::printf(
        "%-28s %9.0f steps/s  %5.2f of the store alone (%.0f/s in batches of %d)  flushes %.0f/s "
        "p50 %.0f us "
        "p99 %.0f us  commit p50 %.0f us  cpu %.1f us/step\n",
        name, engine.steps_per_second, engine.steps_per_second / limit, limit, batch,
        flush.per_second, flush.p50_us, flush.p99_us, engine.commit_p50_us, engine.cpu_us_per_step);
    std::printf("%s\n", json{{"bench", name},
                             {"runs", runs},
                             {"steps", steps},
                             {"steps_per_s", engine.steps_per_second},
                             {"store_alone_steps_per_s", limit},
                             {"batch", engine.batch},
                             {"flush_per_s", flush.per_second},
                             {"flush_us_p50", flush.p50_us},
                             {"flush_us_p99", flush.p99_us},
                             {"cpu_us_per_step", engine.cpu_us_per_step}}
                            .dump()
                            .c_str());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string parent = argc > 1 ? argv[1] : ".";
  print_machine(parent);
  measure(parent, "1,000 runs of 10 steps", 1000, 10);
  measure(parent, "1 run of 1,000 steps", 1, 1000);
}
