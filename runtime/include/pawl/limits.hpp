/// Every upper bound of pawl in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pawl {

/// What is refused beyond these bounds is refused with `Errc::too_large` or as a problem of the
/// flow, before anything is written.
struct Limits {
  static constexpr std::size_t json_depth_max = 128;        ///< nesting of arrays and objects
  static constexpr std::size_t flow_bytes_max = 4u << 20;   ///< a flow's text
  static constexpr std::size_t input_bytes_max = 4u << 20;  ///< a run's merged input
  static constexpr std::size_t steps_max = 10'000;          ///< steps of one flow
  static constexpr std::size_t elements_max = 10'000;       ///< of an array that a step maps over
  static constexpr int child_depth_max = 8;                 ///< flows within flows
  static constexpr std::size_t dependencies_max = 1'000;    ///< what one step waits for
  static constexpr std::size_t with_bytes_max = 16u << 20;  ///< a step's resolved parameters
  static constexpr std::size_t output_bytes_max =
      4u << 20;  ///< a step's or a run's output as JSON text
  static constexpr std::size_t progress_bytes_max =
      64u << 10;  ///< what a step reports while it runs, as JSON text
  /// The shortest time between two writes of one attempt's progress: what is reported in between
  /// waits, and only the latest is written.
  static constexpr std::int64_t progress_interval_ms = 1000;
  static constexpr std::size_t error_bytes_max =
      4u << 10;                                        ///< an error's message; longer ones are cut
  static constexpr std::size_t name_bytes_max = 128;   ///< flow, step, type names and run ids
  static constexpr std::size_t labels_max = 32;        ///< of a run
  static constexpr std::size_t label_bytes_max = 256;  ///< a label's value; its key is a name
  static constexpr std::size_t turn_key_bytes_max = 256;  ///< `one_at_a_time`, once resolved
  static constexpr int priority_max = 100;                ///< of a run, either way: -100 to 100
  static constexpr std::size_t problems_max = 200;        ///< problems listed of one flow
  static constexpr std::int64_t delay_ms_max =
      366LL * 86'400'000;  ///< timeouts and backoff: one leap year
  static constexpr std::int64_t time_ms_max =
      253'402'300'799'999;                        ///< a moment: the end of the year 9999
  static constexpr int attempts_max = 1'000'000;  ///< `max_attempts`
  static constexpr int lost_attempts_max = 10;    ///< crashes in a row before `crash_loop`

  static_assert(input_bytes_max <= with_bytes_max, "a step must be able to take the whole input");
  static_assert(output_bytes_max <= with_bytes_max, "a step must be able to take any output");
  static_assert(progress_bytes_max <= output_bytes_max, "a note is no place for a step's output");
  static_assert(with_bytes_max < 1'000'000'000, "SQLite's own limit of a value");
};

}  // namespace pawl
