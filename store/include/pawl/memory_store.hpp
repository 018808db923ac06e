/// The model of a store: what any store must do, in the plainest code that does it.
#pragma once

#include <pawl/store.hpp>

#include <memory>

namespace pawl {

/// What a store in memory keeps; plays the part of the file, and outlives the store that is opened
/// on it.
class MemoryFile;

std::shared_ptr<MemoryFile> make_memory_file();

/// Opens a store on `file`: a new epoch, which fences the store that was opened before.
///
/// For tests, and as the statement that other stores are tested against.
/// Threads: the stores on one file, one at a time.
std::unique_ptr<Store> open_memory_store(std::shared_ptr<MemoryFile> file);

/// Looks at `file` without becoming its owner.
std::unique_ptr<StoreView> open_memory_view(std::shared_ptr<MemoryFile> file);

}  // namespace pawl
