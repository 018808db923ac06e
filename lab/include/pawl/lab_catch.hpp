/// The lab in Catch2 tests, version 2 or 3: a matcher that prints the finding, and generators of
/// cases.
///
/// Header only: it needs Catch2 where it is included, the library does not.
#pragma once

#include <pawl/lab.hpp>
#include <pawl/lab_replay.hpp>

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#define PAWL_LAB_MATCHER_BASE Catch::Matchers::MatcherBase
#else
#include <catch2/catch.hpp>
#define PAWL_LAB_MATCHER_BASE Catch::MatcherBase
#endif

#include <cstdint>
#include <string>
#include <vector>

namespace Catch {

/// What a failed check prints of a report: the violation, its timeline, and the line that replays
/// it.
template <>
struct StringMaker<pawl::lab::Report> {
  static std::string convert(const pawl::lab::Report& report) {
    return "\n" + report.text() + "\n";
  }
};

template <>
struct StringMaker<pawl::lab::Replay> {
  static std::string convert(const pawl::lab::Replay& replay) {
    return "\n" + replay.text() + "\n";
  }
};

template <>
struct StringMaker<pawl::lab::LabCase> {
  static std::string convert(const pawl::lab::LabCase& lab_case) { return lab_case.text(); }
};

}  // namespace Catch

namespace pawl::lab {

/// Matches a report without violations: `CHECK_THAT(report, lab::holds())`.
class Holds final : public PAWL_LAB_MATCHER_BASE<Report> {
 public:
  bool match(const Report& report) const override { return report.holds(); }

  std::string describe() const override { return "holds"; }
};

inline Holds holds() {
  return {};
}

/// Matches a report whose first violation is of that invariant: for tests that show that a check
/// can fail.
class Breaks final : public PAWL_LAB_MATCHER_BASE<Report> {
 public:
  explicit Breaks(std::string invariant) : invariant_(std::move(invariant)) {}

  bool match(const Report& report) const override {
    return !report.violations.empty() && report.violations.front().invariant == invariant_;
  }

  std::string describe() const override { return "breaks " + invariant_; }

 private:
  std::string invariant_;
};

inline Breaks breaks(std::string invariant) {
  return Breaks(std::move(invariant));
}

/// Matches a run that fits a flow: `CHECK_THAT(lab::replay("r1.fixture.json", flow), lab::fits())`.
class Fits final : public PAWL_LAB_MATCHER_BASE<Replay> {
 public:
  bool match(const Replay& replay) const override { return replay.fits(); }

  std::string describe() const override { return "fits"; }
};

inline Fits fits() {
  return {};
}

/// Random cases with the seeds from `first` on, for `GENERATE_COPY(lab::random_cases(scenario, 1,
/// 100))`.
inline Catch::Generators::GeneratorWrapper<LabCase> random_cases(const Scenario& scenario,
                                                                 std::uint64_t first,
                                                                 std::uint64_t count,
                                                                 const Options& options = {}) {
  std::vector<LabCase> cases;
  for (std::uint64_t i = 0; i < count; ++i)
    cases.push_back(random_case(scenario, first + i, options));
  return Catch::Generators::from_range(cases);
}

}  // namespace pawl::lab

#undef PAWL_LAB_MATCHER_BASE
