/// What every store must do: a kit for whoever writes another one.
#pragma once

#include <pawl/store.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pawl::lab {

/// The place where a store under test keeps its runs; a fresh one for every check.
struct StoreUnderTest {
  /// Opens the store as a new owner: a higher epoch, which fences the owners before. The first call
  /// finds it empty.
  std::function<std::unique_ptr<Store>()> open;
  /// What somebody finds who looks at the place itself, such as parts that belong to no run; asked
  /// after each check. May be left out.
  std::function<std::vector<std::string>()> damage = {};
};

struct StoreFinding {
  std::string check;    ///< what was checked, such as `the first output of a step stands`
  std::string message;  ///< what was seen instead
};

/// Runs every check, each on a place of its own. Nothing is found if the store keeps the promises
/// of store.hpp.
///
/// Not checked: that what was answered survives a power loss. Only a simulated disk can show that.
std::vector<StoreFinding> check_store(const std::function<StoreUnderTest()>& make);

/// The names of all checks.
std::vector<std::string> store_checks();

}  // namespace pawl::lab
