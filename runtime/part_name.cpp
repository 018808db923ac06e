#include "runtime/part_name.hpp"

#include "runtime/plan.hpp"

#include <charconv>

namespace pawl {

namespace {

constexpr std::string_view undo_suffix = ":undo";

}  // namespace

std::string PartName::str() const {
  std::string text = step;
  if (element) text += "[" + std::to_string(*element) + "]";
  if (undo) text += undo_suffix;
  return text;
}

PartName part_name_from(std::string_view text) {
  PartName name;
  const std::string_view whole = text;
  if (text.size() > undo_suffix.size() &&
      text.substr(text.size() - undo_suffix.size()) == undo_suffix) {
    name.undo = true;
    text.remove_suffix(undo_suffix.size());
  }
  const auto bracket = text.find('[');
  if (bracket == std::string_view::npos) {
    name.step = std::string(text);
    return name;
  }
  std::size_t element = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto read = std::from_chars(text.data() + bracket + 1, end, element);
  if (text.back() != ']' || read.ec != std::errc() || read.ptr != end)
    return {std::string(whole), std::nullopt, false};
  name.step = std::string(text.substr(0, bracket));
  name.element = element;
  return name;
}

const PlannedStep* definition_of(const Plan& plan, const PartName& name) {
  const auto place = plan.index.find(name.step);
  if (place == plan.index.end()) return nullptr;
  const PlannedStep* definition = &plan.steps[place->second];
  if (name.element.has_value() != (definition->kind == StepKind::map) &&
      (name.element || name.undo))
    return nullptr;
  if (name.element) definition = definition->each.get();
  if (name.undo) definition = definition->undo.get();
  return definition;
}

}  // namespace pawl
