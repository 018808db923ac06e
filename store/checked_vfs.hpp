/// Checksums of pages: a SQLite VFS in front of another one, whose main files have a checksum in
/// each page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct sqlite3;

namespace pawl {

class UnsyncedLog;

/// Registers the VFS in front of the one named `base` (the system's if empty), once, and gives its
/// name.
///
/// A main file whose pages have `page_checksum_bytes` reserved at their ends gets there, whenever a
/// page is written to it, a checksum of the page and its number. It is compared whenever a page is
/// read. One bit that has flipped is put right; more make the read fail with SQLITE_IOERR_DATA.
/// SQLite sees zeros in its place: so pages in its cache and its log have none, and another program
/// that moves them into the file writes zeros: such pages are to be accepted by somebody who has
/// looked at them. Files without the reserved bytes are left as they are.
///
/// Errors: throws SQLite::Exception if there is no such VFS.
/// Threads: any.
/// Source: https://sqlite.org/vfs.html; https://sqlite.org/fileformat2.html, "reserved bytes"
std::string checked_vfs(const std::string& base);

constexpr int page_checksum_bytes = 8;

/// A page that was not as it was written when it was read.
struct DamagedPage {
  std::int64_t page = 0;      ///< from 1
  bool corrected = false;     ///< one bit had flipped; it was read as it was written
  bool is_unsealed = false;   ///< it has no checksum: another program may have written it
  bool is_of_index = false;   ///< as its first byte says
  std::uint64_t content = 0;  ///< a digest, by which the same damage is known again
};

/// The pages that a connection with that VFS has found damaged since this was asked last, each
/// once, in their order.
std::vector<DamagedPage> take_damaged_pages(sqlite3* db);

/// From now on pages that are damaged in just these ways are read as they are.
void accept_pages(sqlite3* db, std::vector<DamagedPage> pages);

/// From now on all pages are read as they are, and those that are damaged are noted.
void accept_all_pages(sqlite3* db);

/// Whether the connection's main file has checksums in its pages, as far as was read.
bool checks_pages(sqlite3* db);

/// What the connection has written to its log without waiting for the disk; null if it has no log.
/// Where it is on, a commit's sync of the log does nothing: it is asked for with
/// SQLITE_SYNC_NORMAL. Every other sync is done, if the connection has checkpoint_fullfsync=ON:
/// SQLite's own order of log and main file rests on those, and asks for them with SQLITE_SYNC_FULL.
///
/// Given:  a connection in WAL mode, which has read or written.
/// Source: https://sqlite.org/pragma.html#pragma_checkpoint_fullfsync
UnsyncedLog* unsynced_log(sqlite3* db);

/// The size of the file of the connection's log; 0 if it has none.
std::int64_t log_file_bytes(sqlite3* db);

/// Waits for the disk to have the connection's log, which is written once more where a sync has
/// failed before. Gives SQLite's result code.
int sync_log(sqlite3* db);

/// Writes pages back to the file as they are read, with their checksums, and syncs that.
///
/// Given:  a connection that alone writes to the file, whose log is empty.
/// Gives:  SQLite's result code.
int rewrite_pages(sqlite3* db, const std::vector<std::int64_t>& pages);

}  // namespace pawl
