/// Console: data to stdout, words to stderr; for people, or as JSON for programs.
#pragma once

#include <pawl/error.hpp>
#include <pawl/json.hpp>

#include "tools/exit_code.hpp"

#include <string>
#include <vector>

namespace pawl::tools {

/// What every command is given.
struct Settings {
  std::string store = "pawl.db";
  bool json = false;       ///< documents on stdout, one per line
  bool quiet = false;      ///< no words about progress
  bool take_over = false;  ///< `run`, `resume`: kill an owner that hangs
  int verbosity = 0;       ///< 0: errors; 1: what the engine does; 2: everything
};

/// The command line that goes on with a store's runs.
std::string how_to_resume(const Settings& settings);

class Console {
 public:
  explicit Console(const Settings& settings) : settings_(settings) {}

  bool json_wanted() const { return settings_.json; }

  /// One JSON document as a line on stdout.
  void document(const json& value);

  /// A line of data for people on stdout.
  void data(const std::string& line);

  /// A line of words on stderr, unless they are not wanted.
  void words(const std::string& line);

  /// Tells an error: as `{"error":{...}}` on stdout with --json, and in words on stderr. Gives its
  /// exit code.
  ExitCode error(const Error& error);

  /// The same for a flow that the command was given: always bad usage, even where its file cannot
  /// be read.
  ExitCode flow_error(const Error& error);

  /// Whether everything could be written to stdout; call it last.
  bool flush();

 private:
  const Settings& settings_;
};

/// Rows as text with aligned columns, the first row being the heading.
std::vector<std::string> table(const std::vector<std::vector<std::string>>& rows);

/// `12 ms`, `3.4 s`, `5 min 2 s`.
std::string duration_text(std::int64_t ms);

/// `2026-11-23 20:51:02 UTC`.
std::string time_text(std::int64_t unix_ms);

}  // namespace pawl::tools
