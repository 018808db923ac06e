#include "lab/left_file.hpp"

#include <pawl/flow.hpp>
#include <pawl/verify.hpp>

#include "lab/run_plan.hpp"
#include "lab/stored_facts.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace pawl::lab {

namespace {

/// Bounds the memory: a file of the lab is some 50 KiB of runs and records.
constexpr std::size_t files_max = 1024;

std::map<Digest, std::shared_ptr<const LeftFile>>& files_read() {
  static std::map<Digest, std::shared_ptr<const LeftFile>> files;
  return files;
}

/// Whether only a person can help the run on. What is noted of that is a hint, which a failing disk
/// may have lost.
bool is_left_to_a_person(const StoredRun& run) {
  if (is_ended(run.row.state)) return false;
  if (run.row.state == RunState::blocked) return true;
  const Result<Flow> flow = parse_flow(*run.flow);
  return flow && needs_a_person(*flow->plan(), facts_of(run));
}

LeftFile read(const std::string& store, const DiskImage& image) {
  LeftFile left;
  Course course;
  Disk disk(image, course);
  set_current_disk(&disk);
  const Result<Verification> verified = verify_sqlite_store(
      store, lab_vfs, [&](StoredRun run) { left.runs.push_back(std::move(run)); });
  set_current_disk(nullptr);
  if (!verified)
    left.unsound = verified.error().text();
  else if (!verified->findings.empty())
    left.unsound = verified->findings.front().code + ": " + verified->findings.front().run + ": " +
                   verified->findings.front().message;
  // Nobody had anything to do any more and no timer was left: then nothing may be unfinished but
  // what needs a person.
  const auto is_blocked = [&](const std::string& id) {
    return std::any_of(left.runs.begin(), left.runs.end(), [&](const StoredRun& run) {
      return (run.row.run == id || is_below(run.row.run, id)) && is_left_to_a_person(run);
    });
  };
  for (const StoredRun& run : left.runs)
    if (!is_ended(run.row.state) && left.unfinished.empty() && !is_blocked(run.row.run))
      left.unfinished = run.row.run + " is unfinished, and nobody has anything to do for it";
  return left;
}

}  // namespace

std::shared_ptr<const LeftFile> read_left_file(const std::string& store, const DiskImage& image) {
  auto& files = files_read();
  const Digest digest = digest_of_image(image);
  const auto known = files.find(digest);
  if (known != files.end()) return known->second;
  if (files.size() >= files_max) files.clear();
  return files.emplace(digest, std::make_shared<const LeftFile>(read(store, image))).first->second;
}

void forget_left_files() {
  files_read().clear();
}

}  // namespace pawl::lab
