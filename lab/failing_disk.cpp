#include "lab/failing_disk.hpp"

#include <algorithm>

namespace pawl::lab {

namespace {

constexpr FaultKind ways_to_fail[] = {FaultKind::io, FaultKind::full, FaultKind::nomem,
                                      FaultKind::busy, FaultKind::short_read};

/// For a while: so many operations that can fail in that way.
constexpr std::int64_t operations_that_fail = 30;

/// Which of the case's lives suffers.
std::size_t life_that_fails(const LabCase& lab_case) {
  return lab_case.lives.size() - 1;
}

}  // namespace

std::vector<LabCase> cases_to_fail_in(LabCase course, const LifeEnd& baseline,
                                      const Options& options) {
  course.lives.back().faults.clear();
  std::vector<LabCase> cases{course};
  const std::size_t positions = baseline.course.entries().size() + 1;
  const std::size_t wanted = std::min(options.fault_recoveries, positions);
  for (std::size_t i = 0; i < wanted; ++i) {
    LabCase recovery = course;
    recovery.lives.back().crash = Crash{(2 * i + 1) * positions / (2 * wanted), Loss::kill, 0};
    recovery.lives.emplace_back();
    cases.push_back(std::move(recovery));
  }
  return cases;
}

std::vector<Life> failing_lives(const Life& life, const std::vector<Disk::Operation>& operations) {
  std::vector<Life> lives;
  for (std::size_t i = 0; i < operations.size(); ++i)
    for (const FaultKind kind : ways_to_fail) {
      if (!Disk::can_fail(operations[i], kind)) continue;
      const auto operation = static_cast<std::int64_t>(i);
      Life once = life;
      once.faults.push_back({operation, kind, false});
      Life for_a_while = life;
      for (std::int64_t more = 0; more < operations_that_fail; ++more)
        for_a_while.faults.push_back({operation + more, kind, false});
      Life for_ever = life;
      for_ever.faults.push_back({operation, kind, true});
      lives.insert(lives.end(), {once, for_a_while, for_ever});
    }
  return lives;
}

void count_fault(FaultCounts& counts, const CaseEnd& end, const LabCase& lab_case) {
  const LifeFacts& life = end.facts[life_that_fails(lab_case)];
  ++counts.cases;
  if (!life.opened)
    ++counts.refused;
  else if (life.clean)
    ++counts.finished;
  else
    ++counts.given_up;
}

Breach where_it_failed(const CaseEnd& end, const LabCase& lab_case) {
  const Fault& fault = lab_case.lives.back().faults.front();
  const std::string wanted =
      std::string(to_string(fault.kind)) + " at operation " + std::to_string(fault.operation);
  for (const HistoryEvent& event : end.histories[life_that_fails(lab_case)])
    if (event.what == Happened::fault)
      return {"the_fault_lands",
              event.text.rfind(wanted, 0) == 0 ? "" : event.text + ", not " + wanted};
  return {"the_fault_lands", "nothing failed; wanted was " + wanted};
}

}  // namespace pawl::lab
