/// ExplorationLock: one exploration at a time in a process.
#pragma once

#include "lab/left_file.hpp"

#include <mutex>

namespace pawl::lab {

/// SQLite's random numbers and the points are the process's. While this lives they are the lab's.
class ExplorationLock {
 public:
  ExplorationLock() : lock_(mutex()) { forget_left_files(); }

  ~ExplorationLock() { seed_sqlite(0); }

  ExplorationLock(const ExplorationLock&) = delete;
  ExplorationLock& operator=(const ExplorationLock&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }

  std::lock_guard<std::mutex> lock_;
};

}  // namespace pawl::lab
