#include "support/faulty_vfs.hpp"

#include <sqlite3.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace pawl {

namespace {

// Read and set by tests on one thread, used by the store's thread.
std::atomic<int> fail_operation{-1};
std::atomic<int> fail_in{0};
std::atomic<int> fail_code{0};
std::atomic<int> fail_times{1};
std::atomic<long> sync_count{0};

bool fails(FaultyVfs::Operation operation) {
  if (fail_operation != static_cast<int>(operation)) return false;
  const int left = --fail_in;
  return left <= 0 && left > -fail_times;
}

struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<File*>(file)->real;
}

sqlite3_vfs* system_vfs() {
  static sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
  return vfs;
}

const sqlite3_io_methods& methods() {
  static const sqlite3_io_methods table = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) {
      const int code = real(f)->pMethods->xClose(real(f));
      std::free(real(f));
      return code;
    };
    m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return real(f)->pMethods->xRead(real(f), to, n, at);
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      if (fails(FaultyVfs::Operation::write)) return fail_code.load();
      return real(f)->pMethods->xWrite(real(f), from, n, at);
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) {
      return real(f)->pMethods->xTruncate(real(f), n);
    };
    m.xSync = [](sqlite3_file* f, int flags) {
      if (fails(FaultyVfs::Operation::sync)) return fail_code.load();
      ++sync_count;
      return real(f)->pMethods->xSync(real(f), flags);
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
      return real(f)->pMethods->xFileSize(real(f), n);
    };
    m.xLock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xLock(real(f), l); };
    m.xUnlock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xUnlock(real(f), l); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* r) {
      return real(f)->pMethods->xCheckReservedLock(real(f), r);
    };
    m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return real(f)->pMethods->xFileControl(real(f), op, arg);
    };
    m.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) {
      return real(f)->pMethods->xDeviceCharacteristics(real(f));
    };
    m.xShmMap = [](sqlite3_file* f, int i, int n, int e, void volatile** p) {
      return real(f)->pMethods->xShmMap(real(f), i, n, e, p);
    };
    m.xShmLock = [](sqlite3_file* f, int o, int n, int fl) {
      return real(f)->pMethods->xShmLock(real(f), o, n, fl);
    };
    m.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int d) { return real(f)->pMethods->xShmUnmap(real(f), d); };
    return m;
  }();
  return table;
}

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  auto* wrapper = reinterpret_cast<File*>(file);
  wrapper->base.pMethods = nullptr;
  wrapper->real =
      static_cast<sqlite3_file*>(std::calloc(1, static_cast<std::size_t>(system_vfs()->szOsFile)));
  const int code = fails(FaultyVfs::Operation::open)
                       ? fail_code.load()
                       : system_vfs()->xOpen(system_vfs(), name, wrapper->real, flags, out);
  if (code == SQLITE_OK)
    wrapper->base.pMethods = &methods();
  else
    std::free(wrapper->real);
  return code;
}

}  // namespace

std::string FaultyVfs::name() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *system_vfs();
    copy.zName = "faulty";
    copy.szOsFile = sizeof(File);
    copy.xOpen = open_file;
    return copy;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? "faulty" : "";
}

void FaultyVfs::fail(Operation operation, int nth, int sqlite_code, int times) {
  fail_in = nth;
  fail_code = sqlite_code;
  fail_times = times;
  fail_operation = static_cast<int>(operation);
}

void FaultyVfs::heal() {
  fail_operation = -1;
}

long FaultyVfs::syncs() {
  return sync_count;
}

}  // namespace pawl
