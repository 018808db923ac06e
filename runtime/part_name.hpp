/// PartName: the names that records give to steps and to parts of them: `NAME`, `NAME[2]` for an
/// element of a map, `NAME:undo` and `NAME[2]:undo` for an undo.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pawl {

struct Plan;
struct PlannedStep;

struct PartName {
  std::string step;
  std::optional<std::size_t> element;
  bool undo = false;

  std::string str() const;

  /// The name of what an undo undoes.
  PartName undone() const { return {step, element, false}; }
};

/// Reads a name from a record; what is no part's name is taken for a step's.
PartName part_name_from(std::string_view text);

/// What is to be done for that part; null if the plan has no such step, or it no such part.
const PlannedStep* definition_of(const Plan& plan, const PartName& name);

}  // namespace pawl
