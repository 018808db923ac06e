// Elements of maps, and undos: places that come to a run's plan while it is under way.
#include <pawl/limits.hpp>

#include "runtime/flow_machine.hpp"
#include "runtime/mutant.hpp"
#include "runtime/part_name.hpp"
#include "runtime/unlawful.hpp"

#include <algorithm>
#include <utility>

namespace pawl {

namespace {

std::string undo_name(const std::string& done) {
  PartName name = part_name_from(done);
  name.undo = true;
  return name.str();
}

}  // namespace

std::optional<std::size_t> FlowMachine::find(const std::string& name) const {
  if (const auto step = plan_->index.find(name); step != plan_->index.end()) return step->second;
  if (const auto place = places_.find(name); place != places_.end()) return place->second;
  return std::nullopt;
}

std::size_t FlowMachine::add_place(Role role, std::size_t owner, const PlannedStep& definition,
                                   std::string name) {
  const std::size_t place = steps_.size();
  Step& step = steps_.emplace_back();
  step.role = role;
  step.owner = owner;
  step.definition = &definition;
  places_.emplace(name, place);
  step.name = std::move(name);
  ++phase_counts_[static_cast<std::size_t>(Phase::pending)];
  return place;
}

// --- maps

/// An array that does not fit is the step's failure, which is written like any other: see
/// issue_own.
void FlowMachine::begin_map(std::size_t i) {
  Step& map = steps_[i];
  move_to(map, Phase::mapping);
  Result<json> items = evaluate(i);
  if (!items || !items->is_array() || items->size() > Limits::elements_max) {
    map.error =
        !items
            ? items.error()
            : make_error(
                  Errc::invalid_argument,
                  items->is_array()
                      ? "the array has " + std::to_string(items->size()) + " elements; at most " +
                            std::to_string(Limits::elements_max) + " are allowed"
                      : std::string("expected an array to map over, found ") + items->type_name());
    return;
  }
  map.items = std::make_shared<const json>(std::move(*items));
  map.first_element = steps_.size();
  for (std::size_t index = 0; index < map.items->size(); ++index) {
    const std::size_t place =
        add_place(Role::element, i, *plan_->steps[i].each, PartName{name(i), index, false}.str());
    steps_[place].index = index;
  }
  if (map.items->empty()) move_to(map, Phase::computing);
  begin_elements(i);
}

/// Elements begin in their order, whatever becomes of the run: its records may be heard in another
/// order than they stand in the log, and must open the same attempts in both.
void FlowMachine::begin_elements(std::size_t i) {
  Step& map = steps_[i];
  const std::size_t size = map.items->size();
  const std::size_t bound = plan_->steps[i].max_parallel;
  while (map.elements_begun < size &&
         (bound == 0 || map.elements_begun - map.elements_ended < bound ||
          mutant("max_parallel_ignored")))
    begin_task(map.first_element + map.elements_begun++);
}

/// An element has its output, or will never have one.
void FlowMachine::end_element(std::size_t i) {
  const std::size_t owner = steps_[i].owner;
  Step& map = steps_[owner];
  ++map.elements_ended;
  const std::size_t size = map.items->size() - (mutant("map_ends_early") ? 1 : 0);
  if (map.elements_ended >= size && map.phase == Phase::mapping) {
    move_to(map, Phase::computing);
    ready_.push_back(owner);
  }
  begin_elements(owner);
}

void FlowMachine::fail_element(std::size_t i, Errc code) {
  Step& map = steps_[steps_[i].owner];
  const std::string& why = steps_[i].error->message;
  if (!plan_->steps[steps_[i].owner].collect && !mutant("failed_element_ignored")) {
    if (!failure_) failure_ = RunError{code, name(i), why};
    if (map.phase == Phase::mapping) {
      move_to(map, Phase::failed);
      map.error = make_error(code, "element " + std::to_string(steps_[i].index) + ": " + why);
    }
  }
  end_element(i);
}

/// The map's output: what its elements gave, in their order.
Result<json> FlowMachine::collect_elements(std::size_t i) const {
  const Step& map = steps_[i];
  const bool collect = plan_->steps[i].collect;
  json all = json::array();
  std::size_t bytes = 0;
  for (std::size_t index = 0; index < map.items->size(); ++index) {
    const Step& element = steps_[map.first_element + index];
    json one = element.output ? *element.output : json(nullptr);
    if (collect && element.output)
      one = json{{"output", std::move(one)}};
    else if (collect && element.error)
      one = json{{"error",
                  {{"code", to_string(element.error->code)}, {"message", element.error->message}}}};
    bytes += rough_size(one, Limits::output_bytes_max);
    if (bytes > Limits::output_bytes_max)
      return make_error(Errc::too_large, "the elements' outputs have more than " +
                                             std::to_string(Limits::output_bytes_max) +
                                             " bytes together");
    if (mutant("map_in_order_of_completion") && index > 0)
      all.insert(all.begin(), std::move(one));
    else
      all.push_back(std::move(one));
  }
  return all;
}

// --- undos

std::vector<std::size_t> FlowMachine::places_to_undo() const {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < steps_.size(); ++i)
    if (steps_[i].phase == Phase::succeeded && steps_[i].definition->undo &&
        steps_[i].output_seq > 0)
      places.push_back(i);
  std::stable_sort(places.begin(), places.end(), [this](std::size_t a, std::size_t b) {
    return mutant("undo_in_order_of_completion") ? steps_[a].output_seq < steps_[b].output_seq
                                                 : steps_[a].output_seq > steps_[b].output_seq;
  });
  if (mutant("last_undo_dropped") && places.size() > 1) places.pop_back();
  return places;
}

Result<void> FlowMachine::take_undoing(const Record& record) {
  Result<Outcome> end = outcome_of(record);
  if (!end || end->succeeded()) return unlawful(record, "is not readable");
  if (undoing_) return unlawful(record, "stands here twice");
  if (!resumed_ && mutant("undoing_forgotten_at_restart")) return {};
  // A cancel that was asked for meanwhile stands before this record, and decides.
  if (cancelling_) {
    end->state = RunState::cancelled;
    end->error = RunError{Errc::cancelled, "", "the run was cancelled"};
  }
  if (!cancelling_) failure_ = end->error;
  undoing_ = std::move(*end);
  // In whichever order they were heard: outputs that differ change nothing any more.
  divergences_.clear();
  other_outputs_.clear();
  for (const std::size_t done : places_to_undo())
    undos_.push_back(
        add_place(Role::undo, done, *steps_[done].definition->undo, undo_name(name(done))));
  undo_next();
  if (mutant("undos_all_at_once"))
    while (undos_begun_ < undos_.size()) undo_next();
  return {};
}

void FlowMachine::undo_next() {
  if (undos_begun_ < undos_.size()) open(undos_[undos_begun_++], 1);
}

void FlowMachine::issue_undos(Commands& commands) {
  const auto is_no_undo = [this](std::size_t i) { return steps_[i].role != Role::undo; };
  ready_.erase(std::remove_if(ready_.begin(), ready_.end(), is_no_undo), ready_.end());
  to_wait_.erase(std::remove_if(to_wait_.begin(), to_wait_.end(), is_no_undo), to_wait_.end());
  issue_starts(commands);
}

void FlowMachine::issue_undoing(const Outcome& end, Commands& commands) {
  Record record;
  record.kind = RecordKind::undoing;
  record.body = to_json_value(end).dump();
  undoing_asked_ = true;
  commands.emplace_back(WriteRecord{std::move(record)});
}

/// What references within a place's parameters name.
Scope FlowMachine::scope_of(std::size_t i, const std::vector<const json*>& outputs) const {
  Scope scope{input_, run_.str(), outputs};
  std::size_t at = i;
  if (steps_[at].role == Role::undo) {
    at = steps_[at].owner;
    if (!mutant("undo_without_output")) scope.output = steps_[at].output.get();
  }
  if (steps_[at].role == Role::element) {
    const json& items = *steps_[steps_[at].owner].items;
    scope.item = &items[mutant("item_of_first_element") ? 0 : steps_[at].index];
    scope.index = steps_[at].index;
  }
  return scope;
}

}  // namespace pawl
