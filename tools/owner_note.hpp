/// What the owner of a store says of itself to those who look at the store: a store that cannot be
/// written cannot tell it.
#pragma once

#include <pawl/json.hpp>
#include <pawl/run_state.hpp>
#include <pawl/sqlite_store.hpp>

#include <optional>
#include <string>

namespace pawl::tools {

/// The store's owner, if there is one that could not write when it last tried. Whoever cannot be
/// asked is none.
std::optional<StoreOwner> hindered_owner(const std::string& store_path);

/// In words, why the store's runs wait.
std::string text_of(const StoreOwner& hindered);

/// Adds it to an unfinished run's document, as "owner_cannot_write".
void note_in(json& document, RunState state, const std::optional<StoreOwner>& hindered);

}  // namespace pawl::tools
