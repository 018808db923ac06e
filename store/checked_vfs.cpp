#include "store/checked_vfs.hpp"

#include "runtime/mutant.hpp"
#include "store/page_checksum.hpp"
#include "store/sqlite_error.hpp"
#include "store/unsynced_log.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace pawl {

namespace {

constexpr int header_bytes = 100;

/// What is known of a main file beside SQLite's own.
struct Pages {
  bool checked = false;  ///< whether its pages have checksums
  std::vector<DamagedPage> damaged;
  std::vector<DamagedPage> accepted;
  bool accepts_all = false;
  std::array<unsigned char, page_bytes> page;  // for work on one
};

/// A file. The base's file lies behind it.
struct CheckedFile {
  sqlite3_file file;  // first: SQLite sees only this
  Pages* pages;       // of main files
  UnsyncedLog* log;   // of logs
};

// The base's file needs the alignment of any object.
constexpr std::size_t base_at = (sizeof(CheckedFile) + alignof(std::max_align_t) - 1) /
                                alignof(std::max_align_t) * alignof(std::max_align_t);

Pages& pages_of(sqlite3_file* file) {
  return *reinterpret_cast<CheckedFile*>(file)->pages;
}

UnsyncedLog* log_of(sqlite3_file* file) {
  return reinterpret_cast<CheckedFile*>(file)->log;
}

sqlite3_file* base_of(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + base_at);
}

const sqlite3_io_methods& base_methods(sqlite3_file* file) {
  return *base_of(file)->pMethods;
}

bool is_whole_page(int size, sqlite3_int64 at) {
  return size == page_bytes && at % page_bytes == 0;
}

bool is_among(const std::vector<DamagedPage>& pages, const DamagedPage& page) {
  return std::any_of(pages.begin(), pages.end(), [&](const DamagedPage& other) {
    return other.page == page.page && other.content == page.content;
  });
}

void note(Pages& pages, const DamagedPage& page) {
  if (!is_among(pages.damaged, page)) pages.damaged.push_back(page);
}

/// SQLite takes a short read for the file's end, which it is not if the file is longer. A journal
/// whose first byte was not read is none to SQLite: it would be rolled back by the next process,
/// over all that was written since.
int read_base(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  const int code = base_methods(file).xRead(base_of(file), to, size, at);
  if (code != SQLITE_IOERR_SHORT_READ || mutant("short_reads_believed")) return code;
  sqlite3_int64 bytes = 0;
  const int told = base_methods(file).xFileSize(base_of(file), &bytes);
  return told != SQLITE_OK || bytes >= at + size ? SQLITE_IOERR_READ : code;
}

/// Looks at the page that was read; false if it cannot be believed.
bool check_page(Pages& pages, unsigned char* page, std::int64_t number) {
  DamagedPage found;
  found.page = number;
  switch (open_page(page, number)) {
    case PageState::sound: return true;
    case PageState::corrected:
      found.corrected = true;
      note(pages, found);
      return true;
    case PageState::without_checksum: found.is_unsealed = true; break;
    case PageState::damaged: break;
  }
  if (!pages.checked) return true;
  constexpr unsigned char index_leaf = 0x0a;
  constexpr unsigned char index_interior = 0x02;
  found.is_of_index = page[0] == index_leaf || page[0] == index_interior;
  found.content = page_hash(page, number);
  note(pages, found);
  if (!pages.accepts_all && !is_among(pages.accepted, found) && !mutant("page_checksum_ignored"))
    return false;
  open_unchecked(page);
  return true;
}

/// The first page tells what the others have. Where it does not fit its checksum it may be
/// half-written, and the log have all of it: that is no error here.
int read_first(sqlite3_file* file, void* to, int size) {
  Pages& pages = pages_of(file);
  const int code = read_base(file, pages.page.data(), page_bytes, 0);
  if (code == SQLITE_IOERR_SHORT_READ) return read_base(file, to, size, 0);
  if (code != SQLITE_OK) return code;
  if (open_page(pages.page.data(), 1) == PageState::corrected) {
    DamagedPage first;
    first.page = 1;
    first.corrected = true;
    note(pages, first);
  }
  pages.checked = has_checksums(pages.page.data());
  std::copy_n(pages.page.data(), size, static_cast<unsigned char*>(to));
  return SQLITE_OK;
}

int read_checked(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  if (at == 0 && size >= header_bytes && size < page_bytes) return read_first(file, to, size);
  const int code = read_base(file, to, size, at);
  if (code != SQLITE_OK || !is_whole_page(size, at)) return code;
  const std::int64_t number = at / page_bytes + 1;
  return check_page(pages_of(file), static_cast<unsigned char*>(to), number) ? SQLITE_OK
                                                                             : SQLITE_IOERR_DATA;
}

/// SQLite knows no exceptions.
int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) noexcept {
  try {
    return read_checked(file, to, size, at);
  } catch (const std::bad_alloc&) {
    return SQLITE_IOERR_NOMEM;
  }
}

int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  Pages& pages = pages_of(file);
  const auto* const bytes = static_cast<const unsigned char*>(from);
  if (at == 0 && size >= header_bytes) pages.checked = has_checksums(bytes);
  if (!pages.checked || !is_whole_page(size, at))
    return base_methods(file).xWrite(base_of(file), from, size, at);
  std::copy_n(bytes, page_bytes, pages.page.data());
  seal_page(pages.page.data(), at / page_bytes + 1);
  return base_methods(file).xWrite(base_of(file), pages.page.data(), size, at);
}

int close(sqlite3_file* file) {
  const int code = base_methods(file).xClose(base_of(file));
  delete reinterpret_cast<CheckedFile*>(file)->pages;
  delete log_of(file);
  return code;
}

int write_log(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) noexcept {
  UnsyncedLog* const log = log_of(file);
  if (log == nullptr) return base_methods(file).xWrite(base_of(file), from, size, at);
  try {
    return log->put(base_of(file), from, size, at);
  } catch (const std::bad_alloc&) {
    return SQLITE_IOERR_NOMEM;
  }
}

/// Where a transaction is larger than SQLite's cache, it reads of a log what it has just written.
/// Of the file's size it asks only when all of it is written.
int read_log(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  UnsyncedLog* const log = log_of(file);
  const int code = log != nullptr ? log->write_if_within(base_of(file), at, size) : SQLITE_OK;
  return code == SQLITE_OK ? read_base(file, to, size, at) : code;
}

int sync_file(sqlite3_file* file, int flags) {
  UnsyncedLog* const log = log_of(file);
  if (log == nullptr) return base_methods(file).xSync(base_of(file), flags);
  constexpr int strength = SQLITE_SYNC_NORMAL | SQLITE_SYNC_FULL;
  const bool is_of_commit = (flags & strength) == SQLITE_SYNC_NORMAL;
  if (!log->is_on() || !is_of_commit) return log->sync(base_of(file), flags);
  return mutant("gathered_not_written") ? SQLITE_OK : log->complete(base_of(file));
}

/// What goes through as it is. Of SQLite's third version of these methods, which maps files into
/// memory, there is nothing: pages read so would not be compared.
sqlite3_io_methods make_methods(int version, bool has_pages) {
  sqlite3_io_methods m{};
  m.iVersion = version;
  m.xClose = close;
  m.xRead = has_pages ? read : read_log;
  m.xWrite = has_pages ? write : write_log;
  m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
    if (log_of(f) != nullptr) log_of(f)->note_cut();
    return base_methods(f).xTruncate(base_of(f), size);
  };
  m.xSync = sync_file;
  m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
    return base_methods(f).xFileSize(base_of(f), size);
  };
  m.xLock = [](sqlite3_file* f, int level) { return base_methods(f).xLock(base_of(f), level); };
  m.xUnlock = [](sqlite3_file* f, int level) { return base_methods(f).xUnlock(base_of(f), level); };
  m.xCheckReservedLock = [](sqlite3_file* f, int* reserved) {
    return base_methods(f).xCheckReservedLock(base_of(f), reserved);
  };
  m.xFileControl = [](sqlite3_file* f, int op, void* argument) {
    return base_methods(f).xFileControl(base_of(f), op, argument);
  };
  m.xSectorSize = [](sqlite3_file* f) { return base_methods(f).xSectorSize(base_of(f)); };
  m.xDeviceCharacteristics = [](sqlite3_file* f) {
    return base_methods(f).xDeviceCharacteristics(base_of(f));
  };
  m.xShmMap = [](sqlite3_file* f, int region, int size, int extend, void volatile** to) {
    const int code = base_methods(f).xShmMap(base_of(f), region, size, extend, to);
    note_opening(code);
    return code;
  };
  m.xShmLock = [](sqlite3_file* f, int first, int count, int flags) {
    return base_methods(f).xShmLock(base_of(f), first, count, flags);
  };
  m.xShmBarrier = [](sqlite3_file* f) { base_methods(f).xShmBarrier(base_of(f)); };
  m.xShmUnmap = [](sqlite3_file* f, int remove) {
    return base_methods(f).xShmUnmap(base_of(f), remove);
  };
  return m;
}

const sqlite3_io_methods& methods(int version, bool has_pages) {
  static const sqlite3_io_methods first = make_methods(1, true);
  static const sqlite3_io_methods second = make_methods(2, true);
  static const sqlite3_io_methods without_pages = make_methods(1, false);
  return !has_pages ? without_pages : version < 2 ? first : second;
}

sqlite3_vfs* base_vfs(sqlite3_vfs* vfs) {
  return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  sqlite3_vfs* const base = base_vfs(vfs);
  // Logs and journals have checksums of SQLite's own.
  const bool has_pages = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  auto* const checked = reinterpret_cast<CheckedFile*>(file);
  checked->file.pMethods = nullptr;
  const bool is_log = (flags & SQLITE_OPEN_WAL) != 0;
  std::unique_ptr<Pages> pages(has_pages ? new (std::nothrow) Pages : nullptr);
  std::unique_ptr<UnsyncedLog> log = is_log ? UnsyncedLog::make() : nullptr;
  if ((has_pages && !pages) || (is_log && !log)) return SQLITE_NOMEM;
  sqlite3_file* const behind = base_of(file);
  behind->pMethods = nullptr;
  const int code = base->xOpen(base, name, behind, flags, flags_out);
  note_opening(code);
  if (code != SQLITE_OK) {
    if (behind->pMethods != nullptr) behind->pMethods->xClose(behind);
    return code;
  }
  checked->pages = pages.release();
  checked->log = log.release();
  checked->file.pMethods = &methods(behind->pMethods->iVersion, has_pages);
  return SQLITE_OK;
}

sqlite3_file* log_file(sqlite3* db) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  const bool is_ours =
      file != nullptr && file->pMethods != nullptr && file->pMethods->xSync == sync_file;
  return is_ours ? file : nullptr;
}

/// A VFS and its name, which SQLite keeps for ever.
struct Registered {
  std::string name;
  sqlite3_vfs vfs;
};

sqlite3_file* main_file(sqlite3* db) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  const bool is_ours =
      file != nullptr && file->pMethods != nullptr && file->pMethods->xRead == read;
  return is_ours ? file : nullptr;
}

}  // namespace

std::string checked_vfs(const std::string& base) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Registered>> all;
  const std::lock_guard<std::mutex> lock(mutex);
  sqlite3_vfs* const found = sqlite3_vfs_find(base.empty() ? nullptr : base.c_str());
  if (found == nullptr) throw SQLite::Exception("no such VFS: " + base, SQLITE_ERROR);
  std::unique_ptr<Registered>& known = all[found->zName];
  if (known) return known->name;
  auto made = std::make_unique<Registered>();
  made->name = "pawl-checked-" + std::string(found->zName);
  // All but opening is the base's, which is given itself where a VFS is asked for.
  sqlite3_vfs vfs{};
  vfs.iVersion = std::min(found->iVersion, 2);
  vfs.szOsFile = static_cast<int>(base_at) + found->szOsFile;
  vfs.mxPathname = found->mxPathname;
  vfs.zName = made->name.c_str();
  vfs.pAppData = found;
  vfs.xOpen = open;
  vfs.xDelete = [](sqlite3_vfs* v, const char* name, int sync_folder) {
    return base_vfs(v)->xDelete(base_vfs(v), name, sync_folder);
  };
  vfs.xAccess = [](sqlite3_vfs* v, const char* name, int flags, int* result) {
    return base_vfs(v)->xAccess(base_vfs(v), name, flags, result);
  };
  vfs.xFullPathname = [](sqlite3_vfs* v, const char* name, int size, char* out) {
    return base_vfs(v)->xFullPathname(base_vfs(v), name, size, out);
  };
  vfs.xRandomness = [](sqlite3_vfs* v, int size, char* out) {
    return base_vfs(v)->xRandomness(base_vfs(v), size, out);
  };
  vfs.xSleep = [](sqlite3_vfs* v, int us) { return base_vfs(v)->xSleep(base_vfs(v), us); };
  vfs.xCurrentTime = [](sqlite3_vfs* v, double* days) {
    return base_vfs(v)->xCurrentTime(base_vfs(v), days);
  };
  vfs.xGetLastError = [](sqlite3_vfs* v, int size, char* out) {
    return base_vfs(v)->xGetLastError(base_vfs(v), size, out);
  };
  if (vfs.iVersion >= 2)
    vfs.xCurrentTimeInt64 = [](sqlite3_vfs* v, sqlite3_int64* now) {
      return base_vfs(v)->xCurrentTimeInt64(base_vfs(v), now);
    };
  made->vfs = vfs;
  if (sqlite3_vfs_register(&made->vfs, 0) != SQLITE_OK)
    throw SQLite::Exception("the VFS " + made->name + " cannot be registered", SQLITE_ERROR);
  known = std::move(made);
  return known->name;
}

std::vector<DamagedPage> take_damaged_pages(sqlite3* db) {
  sqlite3_file* const file = main_file(db);
  if (file == nullptr) return {};
  std::vector<DamagedPage> damaged = std::exchange(pages_of(file).damaged, {});
  std::sort(damaged.begin(), damaged.end(),
            [](const DamagedPage& a, const DamagedPage& b) { return a.page < b.page; });
  return damaged;
}

void accept_pages(sqlite3* db, std::vector<DamagedPage> pages) {
  if (sqlite3_file* const file = main_file(db); file != nullptr)
    pages_of(file).accepted = std::move(pages);
}

void accept_all_pages(sqlite3* db) {
  if (sqlite3_file* const file = main_file(db); file != nullptr) pages_of(file).accepts_all = true;
}

bool checks_pages(sqlite3* db) {
  sqlite3_file* const file = main_file(db);
  return file != nullptr && pages_of(file).checked;
}

UnsyncedLog* unsynced_log(sqlite3* db) {
  sqlite3_file* const log = log_file(db);
  return log != nullptr ? log_of(log) : nullptr;
}

std::int64_t log_file_bytes(sqlite3* db) {
  sqlite3_int64 bytes = 0;
  if (sqlite3_file* const log = log_file(db); log != nullptr) log->pMethods->xFileSize(log, &bytes);
  return bytes;
}

int sync_log(sqlite3* db) {
  sqlite3_file* const log = log_file(db);
  return log != nullptr ? sync_file(log, SQLITE_SYNC_FULL) : SQLITE_MISUSE;
}

int rewrite_pages(sqlite3* db, const std::vector<std::int64_t>& pages) {
  sqlite3_file* const file = main_file(db);
  if (file == nullptr) return SQLITE_MISUSE;
  std::vector<unsigned char> bytes(page_bytes);
  for (const std::int64_t page : pages) {
    const sqlite3_int64 at = (page - 1) * page_bytes;
    int code = read(file, bytes.data(), page_bytes, at);
    if (code == SQLITE_OK) code = write(file, bytes.data(), page_bytes, at);
    if (code != SQLITE_OK) return code;
  }
  return base_methods(file).xSync(base_of(file), SQLITE_SYNC_FULL);
}

}  // namespace pawl
