#include "store/side_file.hpp"

#include "store/checked_vfs.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace pawl {

SideFile::SideFile(std::string what, std::string path, const std::string& vfs, int flags)
    : what_(std::move(what)), path_(std::move(path)) {
  // What is read short although it is there must not count as shorter.
  sqlite3_vfs* const files = sqlite3_vfs_find(checked_vfs(vfs).c_str());
  memory_.resize(static_cast<std::size_t>(files->szOsFile) / sizeof(std::max_align_t) + 1);
  const int code = files->xOpen(files, path_.c_str(), file(), flags, nullptr);
  if (code == SQLITE_OK) return;
  close();
  fail(code, "opened");
}

SideFile::~SideFile() {
  close();
}

bool SideFile::read(void* to, int size, std::int64_t at) {
  const int code = file()->pMethods->xRead(file(), to, size, at);
  if (code == SQLITE_IOERR_SHORT_READ) return false;
  if (code != SQLITE_OK) fail(code, "read");
  return true;
}

void SideFile::write(const void* from, int size, std::int64_t at) {
  const int code = file()->pMethods->xWrite(file(), from, size, at);
  if (code != SQLITE_OK) fail(code, "written");
}

void SideFile::write_again() {
  sqlite3_int64 bytes = 0;
  const int code = file()->pMethods->xFileSize(file(), &bytes);
  if (code != SQLITE_OK) fail(code, "looked at");
  std::vector<unsigned char> part(1 << 20);
  for (sqlite3_int64 at = 0; at < bytes;) {
    const auto size =
        static_cast<int>(std::min(static_cast<sqlite3_int64>(part.size()), bytes - at));
    if (!read(part.data(), size, at)) return;  // it was cut meanwhile
    write(part.data(), size, at);
    at += size;
  }
}

void SideFile::sync() {
  const int code = file()->pMethods->xSync(file(), SQLITE_SYNC_FULL);
  if (code != SQLITE_OK) fail(code, "synced");
}

void SideFile::close() {
  if (file()->pMethods != nullptr) file()->pMethods->xClose(file());
}

void SideFile::fail(int code, const char* done) const {
  throw SQLite::Exception(what_ + " " + path_ + " cannot be " + done + ": " + sqlite3_errstr(code),
                          code);
}

}  // namespace pawl
