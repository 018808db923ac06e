/// LeftFile: what a life that ended cleanly left in its file, read as a stranger would: all of
/// `pawl verify`.
#pragma once

#include <pawl/store.hpp>

#include "lab/disk.hpp"

#include <memory>
#include <string>
#include <vector>

namespace pawl::lab {

struct LeftFile {
  std::vector<StoredRun> runs;
  std::string unsound;     ///< what `pawl verify` finds in it
  std::string unfinished;  ///< a run that waits for nothing, and has not ended
};

/// Reads the file `store` of a disk. Equal disks are read once: most crashes of an exploration
/// come to an end that is known already, byte for byte.
///
/// Threads: one at a time.
std::shared_ptr<const LeftFile> read_left_file(const std::string& store, const DiskImage& image);

/// Forgets what was read. For those who change how files are read (seeded bugs), and for memory.
void forget_left_files();

}  // namespace pawl::lab
