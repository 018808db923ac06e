#include "lab/shrink.hpp"

#include "actors/real_seams.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace pawl::lab {

namespace {

/// Enough for the cases that explorations make; a bound for those that somebody writes.
constexpr int tries_max = 600;

/// A case that comes to no end takes long; somebody waits for the finding.
constexpr std::int64_t us_max = 5'000'000;

class Shrinking {
 public:
  Shrinking(const Scenario& scenario, LabCase lab_case, std::string invariant)
      : scenario_(scenario), best_(std::move(lab_case)), invariant_(std::move(invariant)) {}

  LabCase run() {
    if (!breaks(best_)) return best_;  // it breaks only in company: left as it was found
    bool better = true;
    while (better && may_try()) {
      better = fewer_runs();
      better = fewer_lives() || better;
      better = fewer_faults() || better;
      better = fairer_weather() || better;
      better = less_chance() || better;
      better = milder_losses() || better;
      better = earlier_crashes() || better;
    }
    return best_;
  }

 private:
  bool may_try() const { return tries_ < tries_max && clock_->steady_us() - began_us_ < us_max; }

  bool breaks(const LabCase& lab_case) {
    ++tries_;
    const CaseEnd end = run_case(scenario_, lab_case);
    return std::any_of(end.breaches.begin(), end.breaches.end(),
                       [&](const Breach& breach) { return breach.invariant == invariant_; });
  }

  template <class Change>
  bool keep_if_breaks(Change&& change) {
    if (!may_try()) return false;
    LabCase changed = best_;
    change(changed);
    if (changed.text() == best_.text() || !breaks(changed)) return false;
    best_ = std::move(changed);
    return true;
  }

  bool fewer_runs() {
    bool better = false;
    for (std::size_t runs = 1; runs < scenario_.runs.size(); ++runs) {
      if (best_.runs > 0 && runs >= best_.runs) break;
      if (keep_if_breaks([&](LabCase& c) { c.runs = runs; })) return true;
    }
    return better;
  }

  bool fewer_lives() {
    bool better = false;
    for (std::size_t i = 0; i < best_.lives.size();) {
      const bool dropped = best_.lives.size() > 1 && keep_if_breaks([&](LabCase& c) {
                             c.lives.erase(c.lives.begin() + static_cast<std::ptrdiff_t>(i));
                           });
      better = better || dropped;
      if (!dropped) ++i;
    }
    return better;
  }

  template <class Element>
  bool fewer_of(std::size_t i, std::vector<Element> Life::*list) {
    bool better = false;
    for (std::size_t at = 0; at < (best_.lives[i].*list).size();) {
      const bool dropped = keep_if_breaks([&](LabCase& c) {
        auto& elements = c.lives[i].*list;
        elements.erase(elements.begin() + static_cast<std::ptrdiff_t>(at));
      });
      better = better || dropped;
      if (!dropped) ++at;
    }
    return better;
  }

  bool fewer_faults() {
    bool better = false;
    for (std::size_t i = 0; i < best_.lives.size(); ++i) {
      better = fewer_of(i, &Life::faults) || better;
      better = fewer_of(i, &Life::mishaps) || better;
      better = keep_if_breaks([&](LabCase& c) { c.lives[i].crash.reset(); }) || better;
    }
    return better;
  }

  bool fairer_weather() {
    static constexpr int Weather::*members[] = {
        &Weather::early_timers, &Weather::slow_steps, &Weather::failed_steps,
        &Weather::lost_answers, &Weather::stalls,     &Weather::killed_runners,
        &Weather::readers,      &Weather::cancels,    &Weather::pauses};
    bool better = false;
    for (std::size_t i = 0; i < best_.lives.size(); ++i)
      for (const auto member : members)
        better = keep_if_breaks([&](LabCase& c) { c.lives[i].weather.*member = 0; }) || better;
    return better;
  }

  bool less_chance() {
    bool better = false;
    for (std::size_t i = 0; i < best_.lives.size(); ++i)
      for (const std::uint64_t seed : {0u, 1u, 2u, 3u})
        if (best_.lives[i].seed > seed &&
            keep_if_breaks([&](LabCase& c) { c.lives[i].seed = seed; })) {
          better = true;
          break;
        }
    return better;
  }

  bool milder_losses() {
    bool better = false;
    for (std::size_t i = 0; i < best_.lives.size(); ++i) {
      if (!best_.lives[i].crash) continue;
      for (const Loss loss : {Loss::kill, Loss::power}) {
        if (best_.lives[i].crash->loss <= loss) continue;
        if (keep_if_breaks([&](LabCase& c) {
              c.lives[i].crash = Crash{c.lives[i].crash->position, loss, 0};
            })) {
          better = true;
          break;
        }
      }
    }
    return better;
  }

  bool earlier_crashes() {
    bool better = false;
    for (std::size_t i = 0; i < best_.lives.size(); ++i)
      for (std::size_t less = 64; less > 0; less /= 2)
        while (best_.lives[i].crash && best_.lives[i].crash->position >= less &&
               keep_if_breaks([&](LabCase& c) { c.lives[i].crash->position -= less; }))
          better = true;
    return better;
  }

  const Scenario& scenario_;
  LabCase best_;
  std::string invariant_;
  std::shared_ptr<const Clock> clock_ = make_system_clock();
  std::int64_t began_us_ = clock_->steady_us();
  int tries_ = 0;
};

}  // namespace

LabCase shrink(const Scenario& scenario, LabCase lab_case, const std::string& invariant) {
  return Shrinking(scenario, std::move(lab_case), invariant).run();
}

}  // namespace pawl::lab
