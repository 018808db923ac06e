/// Process: one life of a process that runs pawl, from its start to its crash or its end, in a
/// world without threads.
#pragma once

#include <pawl/lab.hpp>

#include "actors/engine_core.hpp"
#include "lab/body_log.hpp"
#include "lab/chance.hpp"
#include "lab/course.hpp"
#include "lab/disk.hpp"
#include "lab/left_file.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pawl::lab {

/// What is known outside when a process starts.
struct Start {
  const Scenario& scenario;
  Steps steps;  ///< the user's
  std::set<std::string>
      started;  ///< runs whose start was acknowledged before: nobody starts them again
  std::set<std::string> ended;      ///< runs whose end was told before
  std::set<std::string> signalled;  ///< signals that were answered before: nobody sends them again
  std::set<std::string> paused;     ///< runs that somebody may have paused before
  std::int64_t now_ms = 0;
  std::uint64_t world = 0;  ///< names what user code has done to the world so far
  bool disk_lies = false;
  bool traced = false;  ///< whether `LifeEnd::trace` is wanted
};

/// How a life ended, and what it left.
struct LifeEnd {
  Course course;
  std::vector<std::pair<std::size_t, std::uint64_t>>
      worlds;                             ///< from which position on, which world
  std::shared_ptr<const BodyLog> bodies;  ///< what user code was called
  std::shared_ptr<const LeftFile> left;   ///< what is in the file after the end, if it was clean
  DiskImage image;                        ///< at the end, if it was clean
  std::int64_t now_ms = 0;
  std::int64_t virtual_ms = 0;
  std::size_t events = 0;
  Digest trace;  ///< of everything that happened, in order, if it was wanted
  std::vector<Disk::Operation> operations;  ///< of the disk
  bool opened = false;                      ///< whether it had a store
  bool clean = false;                       ///< neither crashed, nor without a store, nor gave up
  std::string stuck;                        ///< why the life was given up, if it was
  std::vector<std::int64_t> times;          ///< the clock's, at each position

  /// The world at a position: what user code had done when the entry there was about to happen.
  std::uint64_t world_at(std::size_t position) const;
};

/// Lives one life.
LifeEnd live(const Start& start, const Life& life, const DiskImage& image);

}  // namespace pawl::lab
