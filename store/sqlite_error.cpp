#include "store/sqlite_error.hpp"

#include <sqlite3.h>

#include <cerrno>

namespace pawl {

namespace {

Errc code_from_sqlite(int result_code) {
  if (result_code == SQLITE_IOERR_DATA) return Errc::corrupt;
  switch (result_code & 0xff) {
    case SQLITE_FULL: return Errc::full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Errc::busy;
    case SQLITE_CORRUPT: return Errc::corrupt;
    case SQLITE_NOTADB: return Errc::foreign_file;
    case SQLITE_TOOBIG: return Errc::too_large;
    default: return Errc::io;
  }
}

thread_local bool had_no_descriptors = false;

}  // namespace

Error error_from_sqlite(const SQLite::Exception& exception, const std::string& where,
                        int system_errno) {
  const int code = exception.getExtendedErrorCode() > 0 ? exception.getExtendedErrorCode()
                                                        : exception.getErrorCode();
  std::string message(exception.what());
  if (code > 0) message += " (SQLite " + std::to_string(code) + ")";
  const bool is_too_large = code == SQLITE_IOERR_WRITE && system_errno == EFBIG;
  const Errc errc = is_too_large ? Errc::full : code_from_sqlite(code);
  if (code == SQLITE_IOERR_DATA)
    message =
        "a page of the file is damaged: its checksum does not fit; restore the store from a "
        "backup";
  if (errc == Errc::foreign_file) message = "this is not a pawl store: " + message;
  const int primary = code & 0xff;
  if (primary == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM) message += "; free memory";
  if (code == SQLITE_READONLY_ROLLBACK)
    message =
        "its process was killed while the store was being made, and nothing was answered yet; "
        "whoever opens it to write puts it right, as `pawl resume` does";
  else if (primary == SQLITE_CANTOPEN && had_no_descriptors)
    message += "; no file descriptors are left: close some, or raise their limit (`ulimit -n`)";
  else if (primary == SQLITE_READONLY || primary == SQLITE_CANTOPEN)
    message +=
        "; whoever uses a store, even to look at it, must be able to write to its file and "
        "to the folder around it";
  if (code == SQLITE_IOERR_WRITE && system_errno == EROFS)
    message += "; the file system is read-only";
  if (is_too_large)
    message +=
        "; this process may make no file that large: raise its limit (`ulimit -f`, prlimit(1)), "
        "nothing acknowledged is lost";
  else if (errc == Errc::full)
    message += "; make space, nothing acknowledged is lost";
  return make_error(errc, std::move(message), where);
}

void note_opening(int code) noexcept {
  had_no_descriptors = (code & 0xff) == SQLITE_CANTOPEN && (errno == EMFILE || errno == ENFILE);
}

}  // namespace pawl
