#include "lab/left_file.hpp"

#include <pawl/verify.hpp>

#include "lab/disk.hpp"

#include <utility>

namespace pawl::lab {

void read_left_file(const std::string& store, LifeEnd& end) {
  Course course;
  Disk disk(end.image, course);
  set_current_disk(&disk);
  const Result<Verification> verified = verify_sqlite_store(
      store, lab_vfs, [&](StoredRun run) { end.runs.push_back(std::move(run)); });
  set_current_disk(nullptr);
  if (!verified)
    end.unsound = verified.error().text();
  else if (!verified->findings.empty())
    end.unsound = verified->findings.front().code + ": " + verified->findings.front().run + ": " +
                  verified->findings.front().message;
  // Nobody had anything to do any more and no timer was left: then nothing may be unfinished but
  // what needs a person.
  for (const StoredRun& run : end.runs)
    if (!is_ended(run.row.state) && run.row.state != RunState::blocked && end.stuck.empty())
      end.stuck = run.row.run + " is unfinished, and nobody has anything to do for it";
}

}  // namespace pawl::lab
