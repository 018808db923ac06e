#include "tools/console.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace pawl::tools {

namespace {

/// Columns as a terminal shows them, for text that is mostly ASCII: bytes that continue a character
/// take no room.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void put_line(std::FILE* stream, const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stream);
  std::fputc('\n', stream);
}

}  // namespace

std::string how_to_resume(const Settings& settings) {
  return "pawl resume" + (settings.store == "pawl.db" ? "" : " --store " + settings.store);
}

void Console::document(const json& value) {
  // Names that come from the command line may be no UTF-8.
  put_line(stdout, value.dump(-1, ' ', false, json::error_handler_t::replace));
}

void Console::data(const std::string& line) {
  put_line(stdout, line);
}

void Console::words(const std::string& line) {
  if (!settings_.quiet) put_line(stderr, line);
}

ExitCode Console::error(const Error& error) {
  if (settings_.json) {
    json value{{"code", to_string(error.code)}, {"step", ""}, {"message", error.message}};
    if (!error.where.empty()) value["where"] = printable_text(error.where, 4096);
    for (const Problem& problem : error.problems)
      value["problems"].push_back(
          json{{"pointer", problem.pointer}, {"code", problem.code}, {"message", problem.message}});
    document(json{{"error", value}});
  }
  std::string text = "pawl: ";
  if (!error.where.empty()) text += error.where + ": ";
  text += error.message.empty() ? std::string(to_string(error.code)) : error.message;
  for (const Problem& problem : error.problems)
    text += "\n  " + (problem.pointer.empty() ? "/" : problem.pointer) + ": " + problem.message;
  put_line(stderr, text);
  return exit_code_of(error.code);
}

ExitCode Console::flow_error(const Error& error) {
  this->error(error);
  return ExitCode::usage;
}

bool Console::flush() {
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

std::vector<std::string> table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string duration_text(std::int64_t ms) {
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 60'000) return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
  const std::int64_t seconds = ms / 1000;
  if (seconds < 3600)
    return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds % 3600 / 60) + " min";
}

std::string time_text(std::int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text;
}

}  // namespace pawl::tools
