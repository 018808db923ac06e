// A place for each kind of store, for suites that run over all of them.
#pragma once

#include <pawl/memory_store.hpp>
#include <pawl/sqlite_store.hpp>

#include "support/temp_folder.hpp"

#include <memory>
#include <string>

namespace pawl {

struct MemoryWorld {
  std::shared_ptr<MemoryFile> file = make_memory_file();
  std::unique_ptr<Store> store = open_memory_store(file);

  std::unique_ptr<Store> open_again() { return open_memory_store(file); }

  std::unique_ptr<StoreView> view() { return open_memory_view(file); }
};

struct SqliteWorld {
  TempFolder folder;
  std::unique_ptr<Store> store = open_again();

  /// A further owner beside the one that is there: for tests of what happens then.
  std::unique_ptr<Store> open_again() {
    class NoLock : public OwnerLock {};

    SqliteStoreOptions options{folder / "pawl.db"};
    options.take_lock = [](const std::string&) {
      return Result<std::unique_ptr<OwnerLock>>(std::make_unique<NoLock>());
    };
    return open_sqlite_store(options).value();
  }

  std::unique_ptr<StoreView> view() { return open_sqlite_reader(folder / "pawl.db").value(); }
};

}  // namespace pawl
