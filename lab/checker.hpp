/// The checker: what must hold after every case. It knows the history and what is stored, and
/// nothing of how either came to be.
#pragma once

#include <pawl/lab.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace pawl::lab {

/// A history in parts, none of which is copied.
class HistoryView {
 public:
  void add(const std::vector<HistoryEvent>& events, std::size_t count) {
    if (count > 0) parts_.emplace_back(events.data(), count);
  }

  template <class Visit>
  void each(Visit&& visit) const {
    for (const auto& [first, count] : parts_)
      for (std::size_t i = 0; i < count; ++i) visit(first[i]);
  }

  std::vector<HistoryEvent> copy() const {
    std::vector<HistoryEvent> all;
    each([&](const HistoryEvent& event) { all.push_back(event); });
    return all;
  }

 private:
  std::vector<std::pair<const HistoryEvent*, std::size_t>> parts_;
};

struct Breach {
  std::string invariant;
  std::string message;
};

/// Checks all invariants of docs/lab.md that history and store can show. Gives the first breach of
/// each.
///
/// Given: `runs`, what is stored after the last life, in which nothing went wrong; `stored_alone`,
///        whether to do `check_stored_alone` too.
std::vector<Breach> check_case(const Scenario& scenario, const HistoryView& history,
                               const std::vector<StoredRun>& runs, bool stored_alone = true);

/// Checks what the store shows without any history.
std::vector<Breach> check_stored_alone(const Scenario& scenario,
                                       const std::vector<StoredRun>& runs);

/// The names of all invariants, in the order of docs/lab.md.
const std::vector<std::string_view>& invariants();

/// What the case came to, for the user's check.
Ending make_ending(const HistoryView& history, const std::vector<StoredRun>& runs);

}  // namespace pawl::lab
