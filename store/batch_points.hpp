/// Points that concern a whole batch of writes are reached once for each write in it.
#pragma once

#include <pawl/point.hpp>
#include <pawl/store.hpp>

#include <vector>

namespace pawl {

inline void batch_point(std::string_view name, const std::vector<const Write*>& batch) {
  if (!points_armed()) return;
  for (const Write* write : batch) {
    if (const auto* start = std::get_if<StartRun>(write))
      point(name, start->run);
    else if (const auto* append = std::get_if<AppendRecord>(write))
      point(name, {}, append->record->step, append->record->attempt);
    else if (const auto* note = std::get_if<NoteProgress>(write))
      point(name, {}, note->progress->step, note->progress->attempt);
    else if (std::holds_alternative<PruneRuns>(*write))
      point(name);
  }
}

}  // namespace pawl
