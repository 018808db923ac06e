/// FreeLock: an owner's lock that nobody else could have: of a simulated process one lives at a
/// time.
#pragma once

#include <pawl/sqlite_store.hpp>

#include <memory>
#include <string>

namespace pawl::lab {

class FreeLock final : public OwnerLock {
 public:
  /// As `SqliteStoreOptions::take_lock`.
  static Result<std::unique_ptr<OwnerLock>> take(const std::string&) {
    return std::unique_ptr<OwnerLock>(std::make_unique<FreeLock>());
  }
};

}  // namespace pawl::lab
