#include <pawl/backup.hpp>
#include <pawl/sqlite_store.hpp>

#include "store/checked_vfs.hpp"
#include "store/high_water.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

Error copy_error(const std::string& what, const std::string& path) {
  return make_error(errno == ENOSPC ? Errc::full : Errc::io, what + ": " + std::strerror(errno),
                    path);
}

/// A file in the making. What is not kept is removed.
class Partial {
 public:
  explicit Partial(std::string path) : path_(std::move(path)) {}

  ~Partial() {
    ::unlink(path_.c_str());
    ::unlink((path_ + "-journal").c_str());
  }

  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;

  const std::string& path() const { return path_; }

  Result<void> create() {
    ::unlink(path_.c_str());  // of a copy that was interrupted
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return copy_error("the copy cannot be made", path_);
    ::close(fd);
    return {};
  }

 private:
  std::string path_;
};

Result<void> sync(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return copy_error("it cannot be opened to be synced", path);
  const int code = ::fsync(fd);
  const Error error = copy_error("it cannot be synced", path);
  ::close(fd);
  if (code != 0) return error;
  return {};
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

bool is_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

/// Copies pages. The store's reader has checked that it is one, and not rolled back.
Result<void> copy_pages(const std::string& from, const std::string& to) {
  return guarded(from, [&]() -> Result<void> {
    if (auto reader = open_sqlite_reader(from); !reader) return reader.error();
    auto source = SqliteConnection::open_reader(from, {});
    if (!source) return source.error();
    SQLite::Database copy(to, SQLite::OPEN_READWRITE, 0, checked_vfs({}));
    SQLite::Backup backup(copy, (*source)->db());
    // All at once: an owner who writes in between would make it begin anew.
    backup.executeStep(-1);
    // What it has, and more.
    SQLite::Transaction now((*source)->db());
    (*source)->db().execAndGet("SELECT count(*) FROM meta");
    if (Result<void> durable = await_durability(**source, from, {}); !durable) return durable;
    // So that looking at it makes no files beside it. Its next owner sets WAL again.
    copy.exec("PRAGMA journal_mode = DELETE");
    return {};
  });
}

/// A copy that is whole and synced, still under the name of what is in the making.
Result<Verification> make_copy(const std::string& from, Partial& partial) {
  if (Result<void> made = partial.create(); !made) return made.error();
  if (Result<void> copied = copy_pages(from, partial.path()); !copied) return copied.error();
  Result<Verification> verified = verify_sqlite_store(partial.path());
  if (!verified) return verified;
  if (Result<void> synced = sync(partial.path(), O_RDWR); !synced) return synced.error();
  return verified;
}

Result<void> rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return {};
  return copy_error("it cannot be renamed to " + to, from);
}

Result<void> move_if_there(const std::string& from, const std::string& to) {
  return is_there(from) ? rename(from, to) : Result<void>();
}

}  // namespace

Result<Verification> back_up_sqlite_store(const std::string& store, const std::string& to) {
  if (is_there(to))
    return make_error(Errc::invalid_argument,
                      "there is a file of that name; a backup replaces nothing", to);
  Partial partial(to + ".partial");
  Result<Verification> verified = make_copy(store, partial);
  if (!verified) return verified;
  // Unlike a rename, a link replaces nothing that has come meanwhile.
  if (::link(partial.path().c_str(), to.c_str()) != 0)
    return copy_error("the copy cannot get its name", to);
  if (Result<void> synced = sync(folder_of(to), O_RDONLY); !synced) return synced.error();
  return verified;
}

Result<Verification> restore_sqlite_store(const std::string& store, const std::string& from) {
  const Result<std::string> path = canonical_store_path(store);
  if (!path) return path.error();
  const auto lock = take_file_lock(*path, 0);
  if (!lock) return lock.error();
  const std::string replaced = *path + ".replaced";
  if (is_there(replaced))
    return make_error(Errc::invalid_argument,
                      "what an earlier restore replaced is still there; move or remove it",
                      replaced);
  Partial partial(*path + ".partial");
  Result<Verification> verified = make_copy(from, partial);
  if (!verified) return verified;
  if (!verified->findings.empty())
    return make_error(Errc::corrupt,
                      "the copy is damaged: " + verified->findings.front().message +
                          "; see pawl verify, or take another copy",
                      from);
  // The log first: with another main file it would be applied to that. The mark last: until then
  // whoever opens what a restore that died has left is told so.
  for (const char* end : {"-wal", "-shm", ""})
    if (Result<void> moved = move_if_there(*path + end, replaced + end); !moved)
      return moved.error();
  if (Result<void> placed = rename(partial.path(), *path); !placed) return placed.error();
  if (Result<void> moved = move_if_there(*path + "-mark", replaced + "-mark"); !moved)
    return moved.error();
  if (Result<void> synced = sync(folder_of(*path), O_RDONLY); !synced) return synced.error();
  return verified;
}

}  // namespace pawl
