#include "tools/read_json.hpp"

#include <pawl/limits.hpp>

#include <fstream>
#include <iostream>
#include <utility>

namespace pawl::tools {

namespace {

/// No more than an input may have, and what tells that it has more.
Result<std::string> read_text(std::istream& stream, const std::string& name) {
  std::string text(Limits::input_bytes_max + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return make_error(Errc::invalid_input, "the file cannot be read", name);
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

Result<std::string> read_file(const std::string& name) {
  if (name == "-") return read_text(std::cin, "stdin");
  std::ifstream file(name, std::ios::binary);
  if (!file) return make_error(Errc::invalid_input, "the file cannot be read", name);
  return read_text(file, name);
}

}  // namespace

Result<json> read_json_argument(const std::string& option, const std::string& argument,
                                json otherwise) {
  if (argument.empty()) return otherwise;
  const Result<std::string> text =
      argument.front() == '@' ? read_file(argument.substr(1)) : Result<std::string>(argument);
  Error error;
  if (text) {
    Result<json> value = parse_json(*text, Limits::input_bytes_max);
    if (value) return value;
    error = value.error();
  } else {
    error = text.error();
  }
  error.message = option + ": " + error.message;
  return error;
}

}  // namespace pawl::tools
