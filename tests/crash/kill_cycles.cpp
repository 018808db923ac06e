// ./dev kill --cycles N: a real process with real threads on a real disk is killed by SIGKILL, over
// and over, on the store that the killed ones before it left.
//
// Each cycle: a child opens an engine on the store, goes on with what there is, starts a run, and
// tells through a pipe what was answered: that a start is durable, and how runs ended. It dies at a
// random moment, by its parent, or at a named point of the protocol, by itself. Every step leaves a
// line in a ledger. The parent looks at the store after each kill, and compares:
//
// - a start that was answered is there, for ever
// - an end that was told stands, with the output that belongs to the run's input
// - a step whose output is durable leaves no more lines
// - a step leaves one line, and one more for each kill of its run's life at most
// - at the end of each store, all runs have succeeded and `verify` finds nothing
#include <pawl/engine.hpp>
#include <pawl/kill_points.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "support/figure.hpp"
#include "support/temp_folder.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace pawl;
using SteadyClock = std::chrono::steady_clock;

const char* const flow_text = R"({"flow": "cycle", "input": {"n": 0}, "steps": {
  "a": {"run": "effect", "with": {"add": "{{input.n}}"}},
  "b": {"run": "effect", "with": {"add": "{{steps.a.output}}", "fails_first": true},
        "retry": {"initial_ms": 1}},
  "c": {"run": "effect", "with": {"add": "{{steps.a.output}}"}},
  "d": {"run": "effect", "with": {"add": "{{steps.c.output}}", "also": "{{steps.b.output}}"}}},
  "output": "{{steps.d.output}}"})";

/// What the flow gives: each step adds one to what it is given.
std::int64_t output_of(std::int64_t n) {
  return (n + 3) + (n + 2) + 0;
}

int violations = 0;

void demand(bool holds, const std::string& what) {
  if (holds) return;
  ++violations;
  std::cout << "VIOLATION: " << what << std::endl;
}

/// A step's effect, and one line about it.
StepResult effect(const StepCall& call, int ledger) {
  if (call.with.value("fails_first", false) && call.attempt == 1) return retry("not yet");
  const std::string line = call.key + "\n";
  if (::write(ledger, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return fail("the ledger cannot be written");
  call.progress(call.attempt);
  return done(call.with["add"].get<std::int64_t>() + 1 + call.with.value("also", std::int64_t{0}));
}

/// What the parent knows of a run.
struct Known {
  std::int64_t n = 0;
  int kills = 0;  ///< of processes that knew of it
  bool started = false;
  bool ended = false;
};

/// How a child is to die.
struct Death {
  std::string visit;                  ///< a point's, or empty
  std::chrono::microseconds after{};  ///< else, by its parent
  bool comes = true;
};

/// One store, with all that came to pass on it.
class World {
 public:
  /// One child. Gives whether it was killed.
  bool cycle(const Death& death, const std::string& trace = {}) {
    const std::string id = "r" + std::to_string(runs_.size());
    runs_[id].n = static_cast<std::int64_t>(runs_.size());
    int pipe_ends[2];
    if (::pipe(pipe_ends) != 0) return false;
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe_ends[0]);
      live(pipe_ends[1], death, trace);
    }
    ::close(pipe_ends[1]);
    if (death.comes && death.visit.empty()) {
      std::this_thread::sleep_for(death.after);
      ::kill(child, SIGKILL);
    }
    const std::string told = read_all(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    demand(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0),
           "a child came to another end: " + std::to_string(status) + ", after: " + told);
    if (killed)
      for (auto& [run, known] : runs_)
        if (!known.ended) ++known.kills;
    take(told);
    look(told);
    return killed;
  }

  /// Nobody is killed any more: everything must come to its end.
  void finish() {
    cycle({{}, {}, false});
    const auto verified = verify_sqlite_store(store());
    if (!verified) demand(false, "verify: " + verified.error().text());
    if (verified && !verified->findings.empty())
      demand(false, "verify: " + verified->findings.front().message);
    for (const auto& [id, known] : runs_)
      if (known.started) demand(known.ended, id + " was started, and has not ended");
  }

  std::string where_it_died() const { return where_; }

  std::size_t effects() const { return effects_; }

  std::string trace(const std::string& name) const { return folder_ / name; }

  static std::string read_all(int fd) {
    std::string all;
    char part[4096];
    for (ssize_t size = 0; (size = ::read(fd, part, sizeof part)) > 0;)
      all.append(part, static_cast<std::size_t>(size));
    ::close(fd);
    return all;
  }

 private:
  std::string store() const { return folder_ / "pawl.db"; }

  [[noreturn]] void live(int pipe_end, const Death& death, const std::string& trace) {
    const auto tell = [&](const std::string& line) {
      const std::string whole = line + "\n";
      if (::write(pipe_end, whole.data(), whole.size()) < 0) ::_exit(3);
    };
    if (!death.visit.empty()) ::setenv("PAWL_KILL_AT", death.visit.c_str(), 1);
    if (!trace.empty()) ::setenv("PAWL_POINT_TRACE", this->trace(trace).c_str(), 1);
    if (!lab::arm_points_from_environment()) ::_exit(4);
    const int ledger =
        ::open((folder_ / "ledger").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const Flow flow = parse_flow(flow_text).value();
    EngineOptions options;
    options.step_threads = 2;
    options.checkpoint_pages = 30;  // so that kills fall into checkpoints as well
    options.lock_wait_ms = 5000;
    {
      auto engine = Engine::open(
          store(), {{"effect", [=](const StepCall& call) { return effect(call, ledger); }}},
          options);
      if (!engine) {
        tell("X the store cannot be opened: " + engine.error().text());
        ::_exit(0);
      }
      tell("O");
      std::vector<Run> waited;
      const auto go_on_with = [&](const std::string& run, std::int64_t n) {
        const auto started = engine->start(flow, run, json{{"n", n}});
        if (!started) return tell("X " + run + " cannot be started: " + started.error().text());
        tell("S " + run);
        waited.push_back(*started);
      };
      for (const auto& [run, known] : runs_)  // the new one is among them
        if (!known.ended) go_on_with(run, known.n);
      for (const Run& run : waited) {
        std::optional<Outcome> end = run.wait_for(60'000);
        // Ten kills in a row at one step: a person is asked, and says that it is to go on.
        if (end && end->error && end->error->code == Errc::crash_loop) {
          tell("B " + run.id());
          if (const auto unblocked = engine->unblock(run.id()); !unblocked)
            tell("X " + run.id() + " cannot be unblocked: " + unblocked.error().text());
          end = run.wait_for(60'000);
        }
        tell(!end               ? "X " + run.id() + " has not ended within a minute"
             : end->succeeded() ? "E " + run.id() + " " + end->output.dump()
                                : "X " + run.id() + " does not succeed");
      }
    }  // closed, with all that can be killed in that
    tell("C");
    ::_exit(0);
  }

  /// What the child was answered.
  void take(const std::string& told) {
    std::istringstream lines(told);
    where_ = "while opening";
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line.substr(1));
      std::string id;
      words >> id;
      if (line[0] == 'X') demand(false, line.substr(2));
      if (line[0] == 'O') where_ = "before an answer to a start";
      if (line[0] == 'C') where_ = "after closing";
      if (line[0] == 'S') {
        runs_[id].started = true;
        where_ = "while runs go on";
      }
      if (line[0] == 'E') {
        std::int64_t output = 0;
        words >> output;
        demand(output == output_of(runs_[id].n), id + " gave " + std::to_string(output));
        runs_[id].ended = true;
        where_ = "after an end";
      }
    }
  }

  /// What the store and the ledger say now.
  void look(const std::string& told) {
    std::map<std::string, int> lines;
    std::ifstream ledger(folder_ / "ledger");
    effects_ = 0;
    for (std::string key; std::getline(ledger, key); ++effects_) ++lines[key];
    for (const auto& [key, count] : frozen_)
      demand(lines[key] == count, key + " was done again although its output was durable");
    for (const auto& [key, count] : lines) {
      const Known& known = runs_[key.substr(0, key.find('/'))];
      demand(count <= 1 + known.kills, key + " happened " + std::to_string(count) + " times in " +
                                           std::to_string(known.kills) + " kills");
    }
    if (::access(store().c_str(), F_OK) != 0) return;
    const auto reader = open_sqlite_reader(store());
    // Killed before the store had tables, or while it was being made.
    const bool nothing_told =
        told.empty() && std::none_of(runs_.begin(), runs_.end(),
                                     [](const auto& run) { return run.second.started; });
    if (!reader && nothing_told &&
        (reader.error().code == Errc::foreign_file ||
         reader.error().message.find("while the store was being made") != std::string::npos))
      return;
    if (!reader) return demand(false, "the store cannot be read: " + reader.error().text());
    for (auto& [id, known] : runs_) {
      if (looked_at_.count(id) > 0) continue;
      const auto run = (*reader)->load(id);
      if (!run || !*run) {
        demand(run.has_value(), id + " cannot be read");
        demand(!known.started, id + " was answered, and is not there");
        continue;
      }
      for (const Record& record : (*run)->records)
        if (record.kind == RecordKind::output) {
          const std::string key = id + "/" + record.step;
          demand(lines[key] >= 1, key + " has an output without an effect");
          frozen_[key] = lines[key];
        }
      demand(!known.ended || (*run)->row.state == RunState::succeeded,
             id + " has ended, and the store says " + std::string(to_string((*run)->row.state)));
      if (known.ended) looked_at_.insert(id);
    }
  }

  TempFolder folder_;
  std::map<std::string, Known> runs_;
  std::map<std::string, int> frozen_;  ///< lines of steps whose outputs are durable
  std::set<std::string> looked_at_;
  std::string where_;
  std::size_t effects_ = 0;
};

/// Every point that a life passes that goes on with a killed one's run.
std::vector<std::string> known_visits() {
  std::set<std::string> visits;
  World world;
  world.cycle({"step.after_write/a/1/1", {}, true}, "killed");
  world.cycle({{}, {}, false}, "trace");
  for (const char* name : {"killed", "trace"})
    for (const lab::PointVisit& visit : lab::read_point_trace(world.trace(name)).value())
      visits.insert(visit.text());
  return {visits.begin(), visits.end()};
}

/// How long a life takes that nobody disturbs.
std::int64_t undisturbed_us() {
  World world;
  world.cycle({{}, {}, false});
  const auto began = SteadyClock::now();
  world.cycle({{}, {}, false});
  return std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began).count();
}

struct Wanted {
  int kills = 1000;
  int kills_per_store = 100;
  std::uint64_t seed = 1;
};

/// What one process of killers saw.
json campaign(const Wanted& wanted) {
  violations = 0;
  const std::vector<std::string> visits = known_visits();
  demand(visits.size() > 20, "too few points are known");
  const std::int64_t life_us = undisturbed_us();
  std::mt19937_64 random(wanted.seed);
  std::map<std::string, int> places;
  int killed = 0, missed = 0, stores = 0, tenths_told = 0;
  std::size_t effects = 0;
  while (killed < wanted.kills && violations < 10 && missed < 10 * wanted.kills) {
    World world;
    ++stores;
    for (int on_this = 0;
         on_this < wanted.kills_per_store && killed < wanted.kills && violations < 10; ++on_this) {
      Death death;
      if (random() % 2 == 0)
        death.visit = visits[random() % visits.size()];
      else
        death.after = std::chrono::microseconds(
            random() % static_cast<std::uint64_t>(std::max<std::int64_t>(1, life_us)));
      if (!world.cycle(death)) {
        ++missed;
        continue;
      }
      ++killed;
      ++places[death.visit.empty() ? "at a random moment, " + world.where_it_died()
                                   : "at " + death.visit.substr(0, death.visit.find('/'))];
    }
    world.finish();
    effects += world.effects();
    const int tenths = 10 * killed / wanted.kills;
    if (wanted.kills >= 5000 && tenths > tenths_told) {
      tenths_told = tenths;
      std::fprintf(stderr, "seed %llu: %d of %d kills\n",
                   static_cast<unsigned long long>(wanted.seed), killed, wanted.kills);
    }
  }
  return {{"places", places},   {"killed", killed},   {"missed", missed},        {"stores", stores},
          {"effects", effects}, {"life_us", life_us}, {"violations", violations}};
}

/// So many at once: most of a life is waiting for the disk.
std::vector<json> campaigns(const Wanted& all, int processes) {
  std::vector<int> pipes;
  for (int i = 0; i < processes; ++i) {
    int ends[2];
    if (::pipe(ends) != 0) return {};
    if (::fork() == 0) {
      ::close(ends[0]);
      Wanted mine = all;
      mine.kills = all.kills / processes + (i < all.kills % processes ? 1 : 0);
      mine.seed = all.seed + static_cast<std::uint64_t>(i) * 1'000'000;
      const std::string text = campaign(mine).dump();
      const bool told =
          ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
      ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    pipes.push_back(ends[0]);
  }
  std::vector<json> seen;
  for (const int pipe : pipes) seen.push_back(json::parse(World::read_all(pipe), nullptr, false));
  while (::wait(nullptr) > 0) {
  }
  return seen;
}

#ifdef PAWL_MUTANTS
/// Each bug must be seen: 0 if all are. That runs are forgotten is not: whoever is killed here asks
/// for its runs again.
int show_seeded_bugs(const Wanted& wanted) {
  int unseen = 0;
  for (const char* const bug : {"start_told_before_write", "rerun_completed_step_at_restart",
                                "end_told_before_write", "complete_before_write"}) {
    ::setenv("PAWL_MUTANT", bug, 1);
    std::printf("--- seeded bug %s\n", bug);
    std::fflush(stdout);
    const std::vector<json> seen = campaigns(wanted, 1);
    if (seen.size() != 1 || !seen[0].is_object() || seen[0]["violations"] == 0) {
      ++unseen;
      std::printf("NOT SEEN: %s\n", bug);
    } else {
      std::printf("seen after %d kills\n", seen[0]["killed"].get<int>());
    }
  }
  ::unsetenv("PAWL_MUTANT");
  return unseen;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Kills a process over and over, on the store that the killed ones left");
  Wanted wanted;
  int processes = 4;
  bool seeded_bugs = false;
  app.add_option("--cycles", wanted.kills, "Kills that land (default: 1000)");
  app.add_option("--per-store", wanted.kills_per_store, "Of these on one store (default: 100)");
  app.add_option("--seed", wanted.seed, "Picks the moments and points (default: 1)");
  app.add_option("--processes", processes, "How many stores at once (default: 4)");
#ifdef PAWL_MUTANTS
  app.add_flag("--seeded-bugs", seeded_bugs, "Show that bugs are seen");
#endif
  CLI11_PARSE(app, argc, argv);
#ifdef PAWL_MUTANTS
  if (seeded_bugs) return show_seeded_bugs(wanted);
#endif
  static_cast<void>(seeded_bugs);

  const auto began = SteadyClock::now();
  const std::vector<json> seen = campaigns(wanted, processes);
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - began).count();
  std::map<std::string, int> places;
  std::map<std::string, std::int64_t> sums;
  bool complete = static_cast<int>(seen.size()) == processes;
  for (const json& one : seen) {
    if (!one.is_object()) {
      complete = false;
      continue;
    }
    for (const auto& [place, count] : one["places"].items()) places[place] += count.get<int>();
    for (const auto& [name, value] : one.items())
      if (value.is_number()) sums[name] += value.get<std::int64_t>();
  }
  int points = 0, at_points = 0;
  for (const auto& [place, count] : places) {
    std::printf("  %-48s %d\n", place.c_str(), count);
    if (place.rfind("at a random", 0) == 0) continue;
    ++points;
    at_points += count;
  }
  std::printf(
      "%lld kills on %lld stores in %.0f s (%.0f per second, %d stores at once); %d at %d "
      "points, the others at random moments; %lld lives ended before their kill; %lld "
      "effects; an undisturbed life takes %.1f ms; seed %llu; violations: %lld%s\n",
      static_cast<long long>(sums["killed"]), static_cast<long long>(sums["stores"]), seconds,
      static_cast<double>(sums["killed"]) / seconds, processes, at_points, points,
      static_cast<long long>(sums["missed"]), static_cast<long long>(sums["effects"]),
      static_cast<double>(sums["life_us"]) / 1000 / processes,
      static_cast<unsigned long long>(wanted.seed), static_cast<long long>(sums["violations"]),
      complete ? "" : "; NOT ALL: a process of killers did not tell what it saw");
  note_figure("kills", with_commas(sums["killed"]) +
                           " kills of a real process with threads on a real disk, " +
                           with_commas(at_points) + " at " + std::to_string(points) +
                           " points, the others at random moments: " +
                           with_commas(sums["violations"]) + " violations");
  return complete && sums["violations"] == 0 && sums["killed"] == wanted.kills ? 0 : 1;
}
