#include "tools/owner_note.hpp"

#include "tools/console.hpp"

namespace pawl::tools {

std::optional<StoreOwner> hindered_owner(const std::string& store_path) {
  const Result<std::optional<StoreOwner>> owner = find_store_owner(store_path);
  return owner && *owner && (*owner)->cannot_write ? *owner : std::nullopt;
}

std::string text_of(const StoreOwner& hindered) {
  return "the store's owner, process " + std::to_string(hindered.process) +
         ", could not write when it last tried (" + std::string(to_string(*hindered.cannot_write)) +
         ", since " + time_text(hindered.since_ms) + "): unfinished runs wait until it can";
}

void note_in(json& document, RunState state, const std::optional<StoreOwner>& hindered) {
  if (!hindered || is_ended(state)) return;
  document["owner_cannot_write"] = {{"code", to_string(*hindered->cannot_write)},
                                    {"process", hindered->process},
                                    {"since_ms", hindered->since_ms}};
}

}  // namespace pawl::tools
