/// The store in one SQLite file.
#pragma once

#include <pawl/store.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace pawl {

/// Holds a store's ownership as long as it lives.
class OwnerLock {
 public:
  virtual ~OwnerLock() = default;

  /// Notes for whoever looks at the store what keeps its owner from writing: the store itself
  /// cannot be told. Needs no space on the disk; what cannot be noted is left out.
  ///
  /// Given: `why`, nothing once it can write again.
  virtual void note_cannot_write(std::optional<Errc> /*why*/, std::int64_t /*since_ms*/) noexcept {}
};

using TakeOwnerLock =
    std::function<Result<std::unique_ptr<OwnerLock>>(const std::string& store_path)>;

/// Takes ownership by an open-file-description lock on `STORE.lock`: the system drops it when the
/// process dies, and children that the process starts do not keep it. The file holds the owner's
/// pid and when it began.
///
/// Given:  `take_over`: an owner that does not go away within `wait_ms` is killed by SIGKILL, if it
///         is the process that the lock file names, with that beginning, on this machine.
/// Errors: Errc::in_use, naming the process, when the owner does not go away within `wait_ms`, or
///         why it cannot be taken over; Errc::io.
/// Source: fcntl(2), "Open file description locks".
Result<std::unique_ptr<OwnerLock>> take_file_lock(const std::string& store_path, int wait_ms,
                                                  bool take_over = false);

/// What a store's lock file tells of its owner.
struct StoreOwner {
  std::int64_t process = 0;  ///< its pid, on its machine; 0 if it does not say
  /// What kept it from writing when it last tried; nothing if it could.
  std::optional<Errc> cannot_write = {};
  std::int64_t since_ms = 0;  ///< with `cannot_write`: since when
};

/// Who owns a store at this moment; nothing if nobody does, whatever the last one has left there.
///
/// Errors: those of `canonical_store_path`; Errc::io.
Result<std::optional<StoreOwner>> find_store_owner(const std::string& path);

struct SqliteStoreOptions {
  std::string path;

  /// How long to wait for another owner to go away. A killed owner is gone at once.
  int lock_wait_ms = 300;

  /// Whether an owner that does not go away within that time, because it hangs, is killed. Whatever
  /// it was answered is there; the attempts that it had under way are `lost`.
  bool take_over = false;

  /// Takes the ownership; `take_file_lock` if empty. For simulated disks.
  TakeOwnerLock take_lock = {};

  /// The name of a registered SQLite VFS; the system's if empty. For simulated disks.
  std::string vfs = {};

  /// WAL pages after which a commit also moves the log into the main file (SQLite's
  /// wal_autocheckpoint). More makes such commits rarer and longer. No effect on what survives a
  /// crash.
  int checkpoint_pages = 4000;

  /// Opens a store that has less than it once acknowledged as it is: what is lost is lost. Every
  /// run goes on from what is there, so steps that had been done are done again, under their keys.
  bool accepts_loss = false;
};

/// Opens the store, or makes one where there is no file, and takes its ownership: a new epoch.
///
/// WAL with synchronous=FULL, always: whatever is answered survives power loss.
///
/// Errors: Errc::in_use, Errc::rolled_back, Errc::foreign_file, Errc::newer_format, Errc::corrupt,
/// Errc::full,
///         Errc::busy, Errc::io; those of `canonical_store_path`.
/// Source: docs/durability.md; https://sqlite.org/wal.html;
///         https://sqlite.org/pragma.html#pragma_synchronous
Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteStoreOptions& options);

/// Opens a store to look at it, while an owner works on it or not. Writes no SQL and never
/// checkpoints; what it shows was durable at some moment after the call. Close it soon: an open
/// reader lets the owner's log grow.
///
/// Errors: Errc::io when there is no such file; Errc::rolled_back, Errc::foreign_file,
///         Errc::newer_format, Errc::corrupt.
Result<std::unique_ptr<StoreView>> open_sqlite_reader(const std::string& path,
                                                      const std::string& vfs = {});

/// The store's own file name: absolute, symbolic links resolved. One store, one name.
///
/// Errors: Errc::invalid_argument for what is no file name; Errc::io when its folder cannot be
/// entered, or for a symbolic link that leads to no file.
Result<std::string> canonical_store_path(const std::string& path);

}  // namespace pawl
