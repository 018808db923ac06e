/// LogRoom: zeros behind a log's end, for what will be written there.
#pragma once

#include <cstdint>

struct sqlite3_file;

namespace pawl {

/// A file that has grown is synced together with what the file system notes of its length and its
/// blocks, which takes about as long again as the sync of its bytes. So a log is made longer less
/// often, and by more: with zeros, which SQLite takes for the log's end, as it takes what is left
/// of an older log there. A log below 64 KiB has none.
///
/// Threads: one at a time.
class LogRoom {
 public:
  /// Makes room behind what has just been written, from `at` to `end`, if it has made the file
  /// longer. After it, so that zeros take no place that is needed. Where none can be made, as on a
  /// full disk, there is none.
  ///
  /// Given:  who holds SQLite's lock for writing.
  void make(sqlite3_file* file, std::int64_t at, std::int64_t end) noexcept;

  /// The file was cut.
  void forget() noexcept { end_ = 0; }

 private:
  std::int64_t end_ = 0;  // of the file, as far as is known
};

}  // namespace pawl
