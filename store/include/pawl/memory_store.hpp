/// MemoryStore: the model of a store. What any store must do, in the plainest code that does it.
#pragma once

#include <pawl/store.hpp>

#include <memory>

namespace pawl {

/// A store that lives as long as its object. For tests, and as the statement that other stores are
/// tested against.
std::unique_ptr<Store> make_memory_store();

}  // namespace pawl
