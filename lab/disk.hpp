/// The simulated disk: what is on it, what of it would survive a crash, and what goes wrong with
/// it.
#pragma once

#include <pawl/digest.hpp>
#include <pawl/lab_case.hpp>

#include "lab/course.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pawl::lab {

/// What lies on a disk: names and bytes.
using DiskImage = std::map<std::string, std::string>;

Digest digest_of_image(const DiskImage& image);

/// A file's content and SQLite's locks on it. Shared by the handles that are open on it; outlives
/// its name.
struct DiskFile {
  std::string bytes;
  std::uint32_t inode = 0;
  int failed_syncs = 0;
  std::vector<std::unique_ptr<char[]>> shared_memory;
  int shared_memory_users = 0;
  std::array<int, 8> shared_locks{};
  std::array<int, 8> exclusive_locks{};
  int readers = 0;  // SQLite's SHARED, RESERVED, PENDING and EXCLUSIVE
  int reserved = 0;
  int pending = 0;
  int exclusive = 0;
};

/// The fault model, in words. A process that dies leaves everything that it wrote, and of a write
/// that is under way its first pages (`kill`). A power loss leaves what was synced; of what was
/// not, nothing (`power`), or any subset of the 512-byte sectors, each as written or as garbage
/// (`torn`). Files that were made or removed since the folder was last synced are there or not in
/// their order: a prefix of these changes survives. A sync of a file makes its bytes durable, and
/// the folder's changes before it, for SQLite's unix layer syncs the folder when it syncs a file
/// that it made. What was written before a sync that failed is dropped by the system: the process
/// goes on seeing it, and no later sync makes it durable; only what is written again reaches the
/// disk. Each handle that was open then is told by its next sync, and none that is opened later.
///
/// Operations are counted in their order, reads and locks included. A `Fault` makes the n-th one
/// fail, or the first one after it that can fail in its way: only a write finds the disk full, only
/// a lock is busy (SQLite takes a busy write for a busy reader, and no file system has such), only
/// a read is short.
///
/// Threads: one at a time.
class Disk {
 public:
  /// Given: `image`, what lies on the disk at first; `course`, which is told of every change and
  /// outlives this.
  Disk(const DiskImage& image, Course& course, std::vector<Fault> faults = {},
       bool lies_about_sync = false);

  /// What SQLite's result code is when the next operation begins; SQLITE_OK if it may go on.
  enum class Operation : std::uint8_t { open, read, write, truncate, sync, remove, look, lock };
  int begin(Operation operation);

  /// The file of that name; null if there is none.
  std::shared_ptr<DiskFile> find(const std::string& name) const;

  // Changes. False: the process died before this one happened.
  std::shared_ptr<DiskFile> create(const std::string& name);
  bool write(DiskFile& file, std::int64_t offset, const char* bytes, std::size_t size);
  bool truncate(DiskFile& file, std::int64_t size);
  bool sync(DiskFile& file);
  void fail_sync(DiskFile& file);
  bool remove(const std::string& name, bool sync_folder);

  DiskImage image() const;

  const Course& course() const { return course_; }

  /// The number of operations begun so far: the place of the next fault.
  std::int64_t operations() const { return static_cast<std::int64_t>(operations_.size()); }

  /// All of them, in their order.
  std::vector<Operation> take_operations() { return std::move(operations_); }

  /// Whether such an operation can fail in that way.
  static bool can_fail(Operation operation, FaultKind kind);

  /// Makes the next operation fail.
  void fail_next() { faults_.push_back({operations(), FaultKind::io, false}); }

  /// Whether a fault has made an operation fail.
  bool failed() const { return failed_; }

 private:
  Course& course_;
  std::map<std::string, std::shared_ptr<DiskFile>> files_;
  std::uint32_t last_inode_ = 0;
  std::vector<Fault> faults_;  // those still to come
  bool lies_about_sync_;
  std::vector<Operation> operations_;
  bool failed_ = false;
};

/// Follows a course, entry by entry, and knows what a crash would leave.
class DiskReplay {
 public:
  explicit DiskReplay(const DiskImage& image);

  void follow(const Entry& entry);

  /// The disk after a crash here.
  ///
  /// Given: `torn_seed`, which picks the sectors with `Loss::torn`.
  DiskImage after(Loss loss, std::uint64_t torn_seed) const;

  /// Whether anything is written and not synced: if not, all losses leave the same.
  bool settled() const { return pending_.empty() && pending_names_.empty() && !has_dropped_; }

 private:
  struct State {
    std::map<std::uint32_t, std::string> bytes;  // by inode
    std::map<std::string, std::uint32_t> names;
  };

  static void apply_to_bytes(std::map<std::uint32_t, std::string>& all, const Entry& entry);
  static void apply_to_names(State& state, const Entry& entry);
  void sync_names();

  State durable_;
  std::map<std::uint32_t, std::string> seen_;  // bytes by inode, as the process sees them
  bool has_dropped_ = false;                   // whether some of them may never reach the disk
  std::vector<const Entry*> pending_;          // writes and truncates
  std::vector<const Entry*> pending_names_;    // creates and removes
};

/// The disk that SQLite uses through the VFS named `lab_vfs`, on this process's one simulated
/// world; null for none. Registers the VFS at the first call; it never becomes SQLite's default.
void set_current_disk(Disk* disk);

inline constexpr const char* lab_vfs = "pawl-lab";

/// Makes SQLite's own random numbers, of which a WAL's salts are made, follow from `seed`; 0 gives
/// them back to chance.
void seed_sqlite(std::uint32_t seed);

}  // namespace pawl::lab
