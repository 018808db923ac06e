// SQLite's way to the simulated disk.
#include "lab/disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace pawl::lab {

namespace {

using Operation = Disk::Operation;

Disk* current_disk = nullptr;

constexpr sqlite3_int64 page_bytes = 4096;  // of the system

/// What SQLite allocates for an open file, and this VFS constructs in it.
struct Handle {
  sqlite3_file base;  // first: SQLite sees only this
  std::shared_ptr<DiskFile> file;
  int level;              // of SQLite's locks
  unsigned shared_slots;  // of the shared memory's locks, as bits
  unsigned exclusive_slots;
  bool uses_shared_memory;
  int failed_syncs;  // that it was told of, or that were before it was opened
};

Handle& handle(sqlite3_file* file) {
  return *reinterpret_cast<Handle*>(file);
}

DiskFile& content(sqlite3_file* file) {
  return *handle(file).file;
}

int unlock(sqlite3_file* file, int level) {
  Handle& mine = handle(file);
  DiskFile& all = *mine.file;
  if (mine.level <= level) return SQLITE_OK;
  if (mine.level == SQLITE_LOCK_EXCLUSIVE) --all.exclusive;
  if (mine.level == SQLITE_LOCK_PENDING) --all.pending;
  if (mine.level == SQLITE_LOCK_RESERVED) --all.reserved;
  if (level == SQLITE_LOCK_NONE) --all.readers;
  mine.level = level;
  return SQLITE_OK;
}

int lock(sqlite3_file* file, int level) {
  Handle& mine = handle(file);
  DiskFile& all = *mine.file;
  if (mine.level >= level) return SQLITE_OK;
  if (const int code = current_disk->begin(Operation::lock); code != SQLITE_OK) return code;
  if (level == SQLITE_LOCK_SHARED) {
    if (all.pending > 0 || all.exclusive > 0) return SQLITE_BUSY;
    ++all.readers;
  } else if (level == SQLITE_LOCK_RESERVED) {
    if (all.reserved > 0 || all.pending > 0 || all.exclusive > 0) return SQLITE_BUSY;
    ++all.reserved;
  } else {
    if (mine.level < SQLITE_LOCK_PENDING) {
      if (all.pending > 0 || all.exclusive > 0 ||
          (all.reserved > 0 && mine.level != SQLITE_LOCK_RESERVED))
        return SQLITE_BUSY;
      if (mine.level == SQLITE_LOCK_RESERVED) --all.reserved;
      ++all.pending;
      mine.level = SQLITE_LOCK_PENDING;
    }
    if (all.readers > 1) return SQLITE_BUSY;
    --all.pending;
    ++all.exclusive;
  }
  mine.level = level;
  return SQLITE_OK;
}

void unlock_slots(Handle& mine, int first, int count) {
  for (int slot = first; slot < first + count; ++slot) {
    const unsigned bit = 1u << slot;
    const auto at = static_cast<std::size_t>(slot);
    if ((mine.exclusive_slots & bit) != 0) --mine.file->exclusive_locks[at];
    if ((mine.shared_slots & bit) != 0) --mine.file->shared_locks[at];
    mine.exclusive_slots &= ~bit;
    mine.shared_slots &= ~bit;
  }
}

int lock_slots(sqlite3_file* file, int first, int count, int flags) {
  Handle& mine = handle(file);
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    unlock_slots(mine, first, count);
    return SQLITE_OK;
  }
  if (const int code = current_disk->begin(Operation::lock); code != SQLITE_OK) return code;
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (int slot = first; slot < first + count; ++slot) {
    const auto at = static_cast<std::size_t>(slot);
    const int own = (mine.shared_slots >> slot & 1u) != 0 ? 1 : 0;
    const bool own_exclusive = (mine.exclusive_slots >> slot & 1u) != 0;
    if (mine.file->exclusive_locks[at] > 0 && !own_exclusive) return SQLITE_BUSY;
    if (exclusive && mine.file->shared_locks[at] > own) return SQLITE_BUSY;
  }
  for (int slot = first; slot < first + count; ++slot) {
    const auto at = static_cast<std::size_t>(slot);
    unsigned& slots = exclusive ? mine.exclusive_slots : mine.shared_slots;
    if ((slots >> slot & 1u) != 0) continue;
    slots |= 1u << slot;
    ++(exclusive ? mine.file->exclusive_locks[at] : mine.file->shared_locks[at]);
  }
  return SQLITE_OK;
}

int close(sqlite3_file* file) {
  Handle& mine = handle(file);
  unlock(file, SQLITE_LOCK_NONE);
  unlock_slots(mine, 0, SQLITE_SHM_NLOCK);
  mine.~Handle();
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  if (const int code = current_disk->begin(Operation::read); code != SQLITE_OK) {
    if (code == SQLITE_IOERR_SHORT_READ) std::memset(to, 0, static_cast<std::size_t>(size));
    return code;
  }
  const std::string& bytes = content(file).bytes;
  const auto wanted = static_cast<std::size_t>(size);
  const auto from = static_cast<std::size_t>(offset);
  const std::size_t have = from < bytes.size() ? std::min(wanted, bytes.size() - from) : 0;
  if (have > 0) bytes.copy(static_cast<char*>(to), have, from);
  if (have == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(to) + have, 0, wanted - have);
  return SQLITE_IOERR_SHORT_READ;
}

/// Page by page, as a system does: a process that is killed meanwhile leaves a part, and so does a
/// disk that fails.
int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  const auto* bytes = static_cast<const char*>(from);
  for (const sqlite3_int64 end = offset + size; offset < end;) {
    const sqlite3_int64 next = std::min(end, (offset / page_bytes + 1) * page_bytes);
    if (const int code = current_disk->begin(Operation::write); code != SQLITE_OK) return code;
    const auto count = static_cast<std::size_t>(next - offset);
    if (!current_disk->write(content(file), offset, bytes, count)) return SQLITE_IOERR_WRITE;
    bytes += count;
    offset = next;
  }
  return SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = current_disk->begin(Operation::truncate); code != SQLITE_OK) return code;
  return current_disk->truncate(content(file), size) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int sync(sqlite3_file* file, int) {
  if (const int code = current_disk->begin(Operation::sync); code != SQLITE_OK) {
    current_disk->fail_sync(content(file));
    handle(file).failed_syncs = content(file).failed_syncs;
    return code;
  }
  if (std::exchange(handle(file).failed_syncs, content(file).failed_syncs) !=
      content(file).failed_syncs)
    return SQLITE_IOERR_FSYNC;
  return current_disk->sync(content(file)) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(content(file).bytes.size());
  return current_disk->begin(Operation::look) == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_FSTAT;
}

int is_reserved(sqlite3_file* file, int* reserved) {
  const DiskFile& all = content(file);
  *reserved = all.reserved + all.pending + all.exclusive > 0 ? 1 : 0;
  return SQLITE_OK;
}

int map_shared_memory(sqlite3_file* file, int region, int size, int extend, void volatile** to) {
  *to = nullptr;
  if (current_disk->course().dead()) return SQLITE_IOERR;
  Handle& mine = handle(file);
  if (!std::exchange(mine.uses_shared_memory, true)) ++mine.file->shared_memory_users;
  auto& regions = mine.file->shared_memory;
  while (static_cast<int>(regions.size()) <= region) {
    if (extend == 0) return SQLITE_OK;
    regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
  }
  *to = regions[static_cast<std::size_t>(region)].get();
  return SQLITE_OK;
}

/// What nobody uses any more is gone: SQLite's unix layer empties the file when its next first user
/// comes, and the log is read anew.
int unmap_shared_memory(sqlite3_file* file, int) {
  Handle& mine = handle(file);
  if (std::exchange(mine.uses_shared_memory, false) && --mine.file->shared_memory_users == 0)
    mine.file->shared_memory.clear();
  return SQLITE_OK;
}

const sqlite3_io_methods& file_methods() {
  static const sqlite3_io_methods methods = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = close;
    m.xRead = read;
    m.xWrite = write;
    m.xTruncate = truncate;
    m.xSync = sync;
    m.xFileSize = file_size;
    m.xLock = lock;
    m.xUnlock = unlock;
    m.xCheckReservedLock = is_reserved;
    m.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
    m.xSectorSize = [](sqlite3_file*) { return static_cast<int>(page_bytes); };
    // What SQLite's unix layer says of every file system.
    m.xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; };
    m.xShmMap = map_shared_memory;
    m.xShmLock = lock_slots;
    m.xShmBarrier = [](sqlite3_file*) {};
    m.xShmUnmap = unmap_shared_memory;
    return m;
  }();
  return methods;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // pawl's statements need no temporary files
  if (const int code = current_disk->begin(Operation::open); code != SQLITE_OK) return code;
  std::shared_ptr<DiskFile> found = current_disk->find(name);
  if (!found && (flags & SQLITE_OPEN_CREATE) != 0) found = current_disk->create(name);
  if (!found) return SQLITE_CANTOPEN;
  auto* const opened = new (file) Handle{};
  opened->file = std::move(found);
  opened->failed_syncs = opened->file->failed_syncs;
  opened->base.pMethods = &file_methods();
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs*, const char* name, int sync_folder) {
  if (const int code = current_disk->begin(Operation::remove); code != SQLITE_OK) return code;
  if (!current_disk->find(name)) return SQLITE_IOERR_DELETE_NOENT;
  return current_disk->remove(name, sync_folder != 0) ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

int look(sqlite3_vfs*, const char* name, int, int* there) {
  *there = current_disk->find(name) ? 1 : 0;
  return current_disk->begin(Operation::look);
}

int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs*, int size, char* out) {
  std::memset(out, 0, static_cast<std::size_t>(size));
  return size;
}

void register_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs v{};
    v.iVersion = 1;
    v.szOsFile = static_cast<int>(sizeof(Handle));
    v.mxPathname = 512;
    v.zName = lab_vfs;
    v.xOpen = open;
    v.xDelete = remove;
    v.xAccess = look;
    v.xFullPathname = full_name;
    v.xRandomness = randomness;
    v.xSleep = [](sqlite3_vfs*, int us) { return us; };  // nobody waits in a world of one thread
    v.xCurrentTime = [](sqlite3_vfs*, double* days) {
      *days = 2460000.5;
      return SQLITE_OK;
    };
    v.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
    return v;
  }();
  static const bool once = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  static_cast<void>(once);
}

}  // namespace

void set_current_disk(Disk* disk) {
  register_vfs();
  current_disk = disk;
}

void seed_sqlite(std::uint32_t seed) {
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed), nullptr);
}

}  // namespace pawl::lab
