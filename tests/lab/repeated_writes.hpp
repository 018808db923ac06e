// A disk fails for a moment, the same batch is written until it is answered, and the power goes.
#pragma once

#include <pawl/sqlite_store.hpp>

#include "lab/disk.hpp"
#include "lab/free_lock.hpp"
#include "support/store_writes.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl::lab {

inline SqliteStoreOptions on_simulated_disk() {
  SqliteStoreOptions options;
  options.path = "pawl.db";
  options.vfs = lab_vfs;
  options.take_lock = &FreeLock::take;
  return options;
}

/// For each operation of a write, so many in a row fail, the first time it is tried and when it is
/// repeated. Gives what was answered and lost; nothing if nothing was.
///
/// Given: `cases`, to which those that were tried are added.
inline std::optional<std::string> lost_by_repeated_writes(std::int64_t& cases) {
  Course making;
  Disk empty({}, making);
  set_current_disk(&empty);
  open_sqlite_store(on_simulated_disk()).value();
  const DiskImage closed = empty.image();
  std::optional<std::string> lost;
  std::int64_t opening = 0;
  for (const std::int64_t in_a_row : {0, 1, 3, 6, 12})
    for (std::int64_t first = 0; first < (in_a_row == 0 ? 1 : 40) && !lost; ++first) {
      ++cases;
      Course course;
      std::vector<Fault> faults;
      for (std::int64_t i = 0; i < in_a_row; ++i)
        faults.push_back({opening + first + i, FaultKind::io, false});
      Disk disk(closed, course, faults);
      set_current_disk(&disk);
      const auto store = open_sqlite_store(on_simulated_disk()).value();
      if (in_a_row == 0) opening = disk.operations();
      const Write start = start_run("r1");
      bool is_answered = false;
      for (int tries = 0; tries < 40 && !is_answered; ++tries)
        is_answered = store->write({&start}, 1000).has_value();
      DiskReplay replay(closed);
      for (const Entry& entry : course.entries()) replay.follow(entry);
      Course after;
      Disk left(replay.after(Loss::power, 0), after);
      set_current_disk(&left);
      const auto found = open_sqlite_store(on_simulated_disk()).value()->load("r1");
      if (!is_answered || !found || !*found)
        lost = std::to_string(in_a_row) + " operations from the " + std::to_string(first) +
               ". of a write fail: it is " +
               (is_answered ? "answered, and not there after a power loss" : "never answered");
      set_current_disk(&disk);  // on which the store is closed
    }
  set_current_disk(nullptr);
  return lost;
}

}  // namespace pawl::lab
