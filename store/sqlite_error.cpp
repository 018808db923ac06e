#include "store/sqlite_error.hpp"

#include <sqlite3.h>

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

}  // namespace

Error error_from_sqlite(const SQLite::Exception& exception, const std::string& where) {
  const int code = exception.getExtendedErrorCode() > 0 ? exception.getExtendedErrorCode()
                                                        : exception.getErrorCode();
  std::string message(exception.what());
  if (code > 0) message += " (SQLite " + std::to_string(code) + ")";
  const Errc errc = code_from_sqlite(code);
  if (code == SQLITE_IOERR_DATA)
    message =
        "a page of the file is damaged: its checksum does not fit; restore the store from a "
        "backup";
  if (errc == Errc::foreign_file) message = "this is not a pawl store: " + message;
  if (code == SQLITE_READONLY_ROLLBACK)
    message =
        "its process was killed while the store was being made, and nothing was answered yet; it "
        "is "
        "put right by whoever opens it to write, as `pawl resume` does";
  else if ((code & 0xff) == SQLITE_READONLY || (code & 0xff) == SQLITE_CANTOPEN)
    message +=
        "; whoever uses a store, even to look at it, must be able to write to its file and "
        "to the folder around it";
  if (errc == Errc::full) message += "; make space, nothing acknowledged is lost";
  return make_error(errc, std::move(message), where);
}

}  // namespace pawl
