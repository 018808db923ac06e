/// Course: everything that one life of a simulated process did to its disk and to its history, in
/// one order.
#pragma once

#include <pawl/lab_history.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace pawl::lab {

/// One thing that happened. What changes the disk is told by inode, for a name that is removed and
/// made again is another file.
struct Entry {
  enum class Kind : std::uint8_t { create, write, truncate, remove, sync, failed_sync, mark };

  Kind kind = Kind::mark;
  std::uint32_t inode = 0;
  std::int64_t offset =
      0;  ///< of a write; the size after a truncate; with remove: whether the folder is synced too
  std::string bytes;      ///< what was written; the name with create and remove
  std::size_t event = 0;  ///< with mark: the index in `Course::history`
};

/// Thrown through a user's function when the process dies at a point inside it. No std::exception,
/// so that what catches those does not catch this.
struct ProcessDied {};

/// Invariants:
/// 1. A position is an index in `entries`. A life that is to die at position p has the entries
/// before p and no other:
///    it dies when entry p is about to happen.
/// 2. Once dead, nothing is added: what the process still does on its way down was never seen by
/// anybody.
class Course {
 public:
  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

  explicit Course(std::size_t die_at = never) : die_at_(die_at) {}

  /// Adds what happens next; false if the process dies instead, or is dead.
  bool add(Entry entry) {
    if (dead_ || entries_.size() == die_at_) {
      dead_ = true;
      return false;
    }
    entries_.push_back(std::move(entry));
    return true;
  }

  bool mark(HistoryEvent event) {
    Entry entry;
    entry.event = history_.size();
    if (!add(std::move(entry))) return false;
    history_.push_back(std::move(event));
    return true;
  }

  void die() { dead_ = true; }

  bool dead() const { return dead_; }

  const std::vector<Entry>& entries() const { return entries_; }

  const std::vector<HistoryEvent>& history() const { return history_; }

 private:
  std::size_t die_at_;
  bool dead_ = false;
  std::vector<Entry> entries_;
  std::vector<HistoryEvent> history_;
};

}  // namespace pawl::lab
