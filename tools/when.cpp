#include "tools/when.hpp"

#include <pawl/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string_view>

namespace pawl::tools {

namespace {

constexpr const char* day_form = "9999-99-99";
constexpr const char* moment_form = "9999-99-99T99:99:99Z";

/// Whether `text` has a digit where `form` has a 9, and otherwise the same characters.
bool has_form(std::string_view text, std::string_view form) {
  return text.size() == form.size() &&
         std::equal(text.begin(), text.end(), form.begin(), [](char c, char wanted) {
           return wanted == '9' ? c >= '0' && c <= '9' : c == wanted;
         });
}

std::optional<std::int64_t> age_ms(const std::string& text) {
  if (text.size() < 2) return std::nullopt;
  std::int64_t unit_ms = 0;
  switch (text.back()) {
    case 's': unit_ms = 1000; break;
    case 'm': unit_ms = 60'000; break;
    case 'h': unit_ms = 3'600'000; break;
    case 'd': unit_ms = 86'400'000; break;
    default: return std::nullopt;
  }
  constexpr std::int64_t number_max = 100'000'000;
  std::int64_t number = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = number * 10 + (text[i] - '0');
    if (number > number_max) return std::nullopt;
  }
  return number * unit_ms;
}

std::optional<std::int64_t> day_or_moment_ms(const std::string& text) {
  if (!has_form(text, day_form) && !has_form(text, moment_form)) return std::nullopt;
  int year = 0;
  std::tm given{};
  std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &given.tm_mon, &given.tm_mday,
              &given.tm_hour, &given.tm_min, &given.tm_sec);
  given.tm_year = year - 1900;
  given.tm_mon -= 1;
  std::tm normal = given;
  const std::time_t seconds = ::timegm(&normal);
  // What is no day of the calendar, or no time of day, is made into another one.
  const bool is_real = normal.tm_year == given.tm_year && normal.tm_mon == given.tm_mon &&
                       normal.tm_mday == given.tm_mday && normal.tm_hour == given.tm_hour &&
                       normal.tm_min == given.tm_min && normal.tm_sec == given.tm_sec;
  if (!is_real || year < 1970) return std::nullopt;
  return static_cast<std::int64_t>(seconds) * 1000;
}

}  // namespace

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<std::int64_t> parse_moment(const std::string& option, const std::string& text,
                                  std::int64_t now_ms) {
  if (const std::optional<std::int64_t> ago_ms = age_ms(text)) return now_ms - *ago_ms;
  if (const std::optional<std::int64_t> at_ms = day_or_moment_ms(text)) return *at_ms;
  return make_error(Errc::invalid_argument,
                    option + ": \"" + printable_text(text, 60) +
                        "\" is no time; give a day (2026-11-24), a moment in UTC "
                        "(2026-11-24T18:30:00Z) or an age (90s, 30m, 2h, 7d)");
}

Result<std::int64_t> parse_age(const std::string& option, const std::string& text) {
  if (const std::optional<std::int64_t> age = age_ms(text)) return *age;
  return make_error(Errc::invalid_argument, option + ": \"" + printable_text(text, 60) +
                                                "\" is no age; give a number and a unit, such as "
                                                "90s, 30m, 2h or 7d");
}

}  // namespace pawl::tools
