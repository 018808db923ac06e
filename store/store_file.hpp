/// StoreFile: which file a store's path leads to, and whether it still does.
#pragma once

#include <pawl/error.hpp>

#include <string>
#include <sys/types.h>

namespace pawl {

class StoreFile {
 public:
  /// The file that `path` leads to now.
  ///
  /// Errors: as `check`.
  static Result<StoreFile> at(const std::string& path);

  /// Whether the path leads to this file.
  ///
  /// Errors: Errc::store_moved if it leads to another one, or to none: what is written then nobody
  ///         will find. Errc::io if nobody can say.
  Result<void> check() const;

 private:
  StoreFile(std::string path, dev_t device, ino_t inode);

  std::string path_;
  dev_t device_;
  ino_t inode_;
};

/// Makes an empty file that nobody else can read, if there is none. Whatever hinders it hinders
/// SQLite too, which has the message.
void create_private_file(const std::string& path);

/// Whether the path leads to something that SQLite can open without waiting for somebody else to
/// write into it, or to nothing.
///
/// Errors: Errc::foreign_file.
Result<void> check_no_device(const std::string& path);

}  // namespace pawl
