// ./dev crash --kills N: kills the real command at random moments of a real job, and counts where
// the kills fell.
//
// Each round: the release flow of examples/flows runs on this project's sources and is killed by
// SIGKILL after a random time; the command is started again; the result must be that of an
// undisturbed run, and the effects must keep to the rules. Every step's program leaves a line in a
// ledger through a `sh` of ours that stands first in PATH.
#include <pawl/json.hpp>
#include <pawl/kill_points.hpp>

#include "crash/ledger.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <sys/stat.h>
#include <thread>

namespace {

using namespace pawl;
using Milliseconds = std::chrono::duration<double, std::milli>;

int violations = 0;

void demand(bool holds, const std::string& what) {
  if (holds) return;
  ++violations;
  std::cout << "VIOLATION: " << what << '\n';
}

/// One run of the flow in a folder of its own.
class Round {
 public:
  explicit Round(const std::string& sources) : sources_(sources) {
    std::filesystem::create_directory(folder_ / "witness");
    std::ofstream(folder_ / "witness/sh")
        << "#!/bin/sh\n[ -n \"$PAWL_KEY\" ] && echo \"$PAWL_KEY\" >> " << folder_ / "ledger"
        << "\nexec /bin/sh \"$@\"\n";
    ::chmod((folder_ / "witness/sh").c_str(), 0755);
  }

  std::unique_ptr<Process> start(const std::string& trace) {
    const char* path = std::getenv("PATH");
    return std::make_unique<Process>(
        std::vector<std::string>{PAWL_COMMAND, "run", PAWL_SOURCES "/examples/flows/release.json",
                                 "--store", folder_ / "store.db", "--id", "r1", "--json", "--input",
                                 json{{"dir", sources_}, {"out", folder_ / "dist"}}.dump()},
        folder_.path(),
        Process::Environment{
            {"PAWL_POINT_TRACE", folder_ / trace},
            {"PATH", (folder_ / "witness") + ":" + (path == nullptr ? "" : path)}});
  }

  /// The manifest without what differs from folder to folder: nothing does.
  std::string manifest() const { return file_text(folder_ / "dist/MANIFEST"); }

  Ledger ledger() const { return Ledger(folder_ / "ledger"); }

  std::vector<lab::PointVisit> visits(const std::string& trace) const {
    auto visits = lab::read_point_trace(folder_ / trace);
    return visits ? *visits : std::vector<lab::PointVisit>{};
  }

  bool verified() const {
    return run_process({PAWL_COMMAND, "verify", "--store", folder_ / "store.db"}, folder_.path())
               .code == 0;
  }

 private:
  std::string sources_;
  TempFolder folder_;
};

/// Where a kill fell, told by the points that the process had passed.
struct Place {
  std::string name;
  bool in_flight = false;
  std::set<std::string> completed;
};

Place place_of(const std::vector<lab::PointVisit>& visits) {
  Place place;
  std::set<std::string> under_way;
  bool started = false;
  bool ended = false;
  for (const lab::PointVisit& visit : visits) {
    started = started || visit.point == "start.after_write";
    ended = ended || visit.point == "run.before_end";
    if (visit.point == "step.before_body") under_way.insert(visit.step);
    if (visit.point == "step.after_write") under_way.erase(visit.step);
    if (visit.point == "step.after_completion") place.completed.insert(visit.step);
  }
  place.in_flight = !under_way.empty();
  if (!place.in_flight)
    place.name = !started ? "before the start was durable" : ended ? "at the end" : "between steps";
  for (const std::string& step : under_way)
    place.name += (place.name.empty() ? "in " : " + ") + step;
  return place;
}

void print_histogram(const std::map<std::string, int>& places) {
  for (const auto& [name, count] : places) {
    std::cout << "  " << name;
    for (std::size_t width = name.size(); width < 40; ++width) std::cout << ' ';
    std::cout << count << "  " << std::string(static_cast<std::size_t>(count), '#') << '\n';
  }
}

void check_round(const Round& round, const Place& place, const Ledger& before,
                 const ProcessEnd& end, const std::string& manifest,
                 const std::set<std::string>& keys) {
  demand(end.code == 0, "the resumed run did not succeed: " + end.err);
  demand(round.manifest() == manifest,
         "the manifest differs from the undisturbed one (killed " + place.name + ")");
  const Ledger after = round.ledger();
  demand(after.keys() == keys, "the keys differ from those of the undisturbed run");
  for (const auto& [key, count] : after.effects)
    demand(count <= 2, key + " happened " + std::to_string(count) + " times");
  for (const std::string& step : place.completed)
    demand(after.count("r1/" + step) == before.count("r1/" + step),
           step + " ran again although it was completed");
  demand(round.verified(), "pawl verify found something");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Kills the pawl command at random moments of a real job");
  int kills_wanted = 200;
  std::uint64_t seed = 1;
  app.add_option("--kills", kills_wanted, "How many kills (default: 200)");
  app.add_option("--seed", seed, "Picks the moments (default: 1)");
  CLI11_PARSE(app, argc, argv);

  // A copy: the sources may change while this runs.
  const TempFolder copy;
  const std::string sources = copy / "sources";
  if (run_process({"sh", "-ec",
                   "mkdir \"$2\"; cd \"$1\"; tar --exclude=./.git --exclude=./build "
                   "--exclude=./dist -cf - . | tar -xf - -C \"$2\"",
                   "copy", PAWL_SOURCES, sources},
                  copy.path())
          .code != 0) {
    std::cerr << "the sources cannot be copied\n";
    return 1;
  }
  std::string manifest;
  std::set<std::string> keys;
  Milliseconds duration{};
  {
    Round undisturbed(sources);
    const auto began = std::chrono::steady_clock::now();
    const ProcessEnd end = undisturbed.start("trace")->wait();
    duration = std::chrono::steady_clock::now() - began;
    demand(end.code == 0, "the undisturbed run did not succeed: " + end.err);
    manifest = undisturbed.manifest();
    keys = undisturbed.ledger().keys();
    demand(!manifest.empty() && keys.size() == 6, "the undisturbed run left no witness");
  }
  std::cout << "undisturbed: " << duration.count() << " ms, " << keys.size()
            << " witnessed steps, manifest of " << manifest.size() << " bytes; seed " << seed
            << '\n';

  std::mt19937_64 random(seed);
  std::map<std::string, int> places;
  int kills = 0;
  int in_flight = 0;
  int too_late = 0;
  while (kills < kills_wanted && violations < 10 && too_late < 10 * kills_wanted) {
    Round round(sources);
    const auto process = round.start("before");
    std::this_thread::sleep_for(duration * (static_cast<double>(random() % 100'000) / 100'000));
    process->signal(SIGKILL);
    if (!process->wait().killed()) {
      ++too_late;
      continue;
    }
    ++kills;
    const Place place = place_of(round.visits("before"));
    ++places[place.name];
    in_flight += place.in_flight ? 1 : 0;
    const Ledger before = round.ledger();
    check_round(round, place, before, round.start("after")->wait(), manifest, keys);
  }
  std::cout << kills << " kills (" << too_late << " more came after the end and do not count):\n";
  print_histogram(places);
  std::cout << in_flight << " of " << kills
            << " fell while a step was in flight; violations: " << violations << '\n';
  const bool telling = in_flight * 4 >= kills * 3;
  if (!telling) std::cout << "too few kills fell while a step was in flight to tell much\n";
  return violations == 0 && kills == kills_wanted && telling ? 0 : 1;
}
