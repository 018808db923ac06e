#include <pawl/ids.hpp>
#include <pawl/limits.hpp>

#include "runtime/mutant.hpp"

#include <cstdio>
#include <ctime>

namespace pawl {

namespace {

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

using CharTest = bool (*)(char);

std::string complaint_about(const char* what, std::string_view text, CharTest first, CharTest rest,
                            const char* pattern) {
  const std::string kind(what);
  if (text.empty()) return kind + " must not be empty";
  if (text.size() > Limits::name_bytes_max)
    return kind + " has " + std::to_string(text.size()) + " bytes; at most " +
           std::to_string(Limits::name_bytes_max) + " are allowed";
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!(i == 0 ? first(text[i]) : rest(text[i])))
      return kind + " has a character that is not allowed at position " + std::to_string(i) +
             "; it must match " + pattern;
  return {};
}

}  // namespace

std::string RunIdKind::complaint(std::string_view text) {
  return complaint_about(
      "a run id", text, [](char c) { return is_letter(c) || is_digit(c); },
      [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; },
      "[A-Za-z0-9][A-Za-z0-9._-]*");
}

std::string StepNameKind::complaint(std::string_view text) {
  return complaint_about(
      "a step name", text, [](char c) { return is_letter(c) || c == '_'; },
      [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; },
      "[A-Za-z_][A-Za-z0-9_-]*");
}

std::string idempotency_key(const RunId& run, std::string_view step) {
  std::string key;
  key.reserve(run.str().size() + 1 + step.size());
  key += run.str();
  key += '/';
  if (mutant("one_key_for_all_elements")) step = step.substr(0, step.find('['));
  if (!mutant("one_key_for_all_steps")) key += step;
  return key;
}

RunId generate_run_id(std::int64_t now_ms, std::uint64_t random) {
  const std::time_t seconds = static_cast<std::time_t>(now_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char time[32];
  char text[64];
  std::strftime(time, sizeof time, "%Y%m%d-%H%M%S", &utc);
  std::snprintf(text, sizeof text, "%s-%03d-%08x", time, static_cast<int>(now_ms % 1000),
                static_cast<unsigned>(random & 0xffffffff));
  return RunId::trusted(text);
}

}  // namespace pawl
