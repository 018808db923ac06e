/// SideFile: a file that lies beside the store's main file, on simulated disks too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct sqlite3_file;

namespace pawl {

/// Opened through SQLite's VFS, as the main file is.
///
/// Errors: all throw SQLite::Exception, which names the file.
class SideFile {
 public:
  /// Given: `what`, the file's name in messages;
  ///        `vfs`, as `SqliteStoreOptions::vfs`; `flags`, SQLite's for opening a file.
  SideFile(std::string what, std::string path, const std::string& vfs, int flags);
  ~SideFile();

  SideFile(const SideFile&) = delete;
  SideFile& operator=(const SideFile&) = delete;

  /// Reads from the file's beginning. False, and nothing else can be said of `to`, if the file is
  /// shorter.
  bool read(void* to, int size) { return read(to, size, 0); }

  /// Writes at the file's beginning.
  void write(const void* from, int size) { write(from, size, 0); }

  /// Writes to the file what it holds: what the system has dropped after a failed sync, and still
  /// shows, no later sync makes durable otherwise.
  void write_again();

  /// Waits until everything is durable that was written to the file before, through whatever
  /// handle.
  void sync();

 private:
  sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(memory_.data()); }

  bool read(void* to, int size, std::int64_t at);
  void write(const void* from, int size, std::int64_t at);
  void close();
  [[noreturn]] void fail(int code, const char* done) const;

  std::string what_;
  std::string path_;  // a VFS keeps the address
  std::vector<std::max_align_t> memory_;
};

}  // namespace pawl
