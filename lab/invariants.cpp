#include "lab/checker.hpp"

namespace pawl::lab {

const std::vector<std::string_view>& invariants() {
  static const std::vector<std::string_view> names{
      "acknowledged_is_kept",
      "completed_is_durable",
      "written_once",
      "end_is_durable",
      "nothing_runs_after_its_completion",
      "attempt_runs_once",
      "bodies_are_counted",
      "answers_are_recorded",
      "attempts_are_counted",
      "one_key",
      "inputs_are_durable",
      "everything_finishes",
      "cancel_is_kept",
      "reads_are_durable",
      "views_agree",
      "nothing_from_nowhere",
      "no_holes",
      "excluded_never_runs",
      "own_steps_follow",
      "sleeps_last",
      "signals_are_kept",
      "signals_count_once",
      "runs_at_most_once",
      "max_parallel_is_kept",
      "one_at_a_time_is_kept",
      "at_once_max_is_kept",
      "rates_are_kept",
      "priority_is_kept",
      "a_person_is_asked",
      "nothing_begins_while_paused",
      "what_was_done_is_undone",
      "undone_in_reverse",
      "child_and_parent_agree",
      "child_ends_first",
      "progress_is_handed_on",
      "a_heartbeat_keeps_it_alive",
      "file_is_sound",
      "every_point_is_reached",
      "your_check",
  };
  return names;
}

}  // namespace pawl::lab
