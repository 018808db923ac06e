#include "runtime/json_reader.hpp"

#include <pawl/limits.hpp>

#include "runtime/mutant.hpp"

namespace pawl {

namespace {

/// Builds the value and remembers where it is, so that a problem can name its place.
class StrictBuilder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return add(json(nullptr)); }

  bool boolean(bool value) override { return add(json(value)); }

  bool number_integer(number_integer_t value) override { return add(json(value)); }

  bool number_unsigned(number_unsigned_t value) override { return add(json(value)); }

  bool number_float(number_float_t value, const string_t& text) override {
    if (text.find_first_of(".eE") != string_t::npos) return add(json(value));
    complain("number_out_of_range", "the integer " + printable_text(text, 40) +
                                        " has more than 64 bits; write it as a string");
    return add(json(nullptr));
  }

  bool string(string_t& value) override { return add(json(std::move(value))); }

  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(json::object()); }

  bool start_array(std::size_t) override { return open(json::array()); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = std::move(name);
    level.in_member = true;
    level.duplicate = level.value.contains(level.key);
    if (level.duplicate && !mutant("input_duplicate_key_kept"))
      complain("duplicate_key", "the key \"" + printable_text(level.key, 80) +
                                    "\" stands here twice; keep one of them");
    return true;
  }

  bool end_object() override { return close(); }

  bool end_array() override { return close(); }

  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // The library's text begins with its own exception name in brackets, which tells a user
    // nothing.
    std::string_view text = error.what();
    if (const auto end = text.find("] "); end != std::string_view::npos)
      text.remove_prefix(end + 2);
    problems_.push_back({pointer(), "syntax", printable_text(text, 300)});
    return false;
  }

  JsonReading take(bool complete) {
    JsonReading reading;
    if (complete) reading.value = std::move(root_);
    reading.problems = std::move(problems_);
    return reading;
  }

 private:
  struct Level {
    json value;
    std::string key;         // of the last member
    bool in_member = false;  // that member is being read
    bool duplicate = false;  // that member is read and dropped
  };

  bool add(json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Level& level = levels_.back();
    if (level.value.is_array())
      level.value.push_back(std::move(value));
    else if (!level.duplicate)
      level.value[level.key] = std::move(value);
    level.in_member = false;
    return true;
  }

  bool open(json empty) {
    if (levels_.size() >= Limits::json_depth_max) {
      complain("too_deep", "nested deeper than " + std::to_string(Limits::json_depth_max) +
                               " levels; flatten it");
      return false;
    }
    levels_.push_back({std::move(empty), {}, false, false});
    return true;
  }

  bool close() {
    json value = std::move(levels_.back().value);
    levels_.pop_back();
    return add(std::move(value));
  }

  std::string pointer() const {
    std::string pointer;
    for (const Level& level : levels_) {
      if (level.value.is_array())
        pointer = pointer_to(pointer, std::to_string(level.value.size()));
      else if (level.in_member)
        pointer = pointer_to(pointer, level.key);
    }
    return pointer;
  }

  void complain(const char* code, std::string message) {
    if (problems_.size() < Limits::problems_max)
      problems_.push_back({pointer(), code, std::move(message)});
  }

  json root_;
  std::vector<Level> levels_;
  std::vector<Problem> problems_;
};

}  // namespace

JsonReading read_json(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max)
    return {std::nullopt,
            {{"", "too_large",
              "the text has more than " + std::to_string(bytes_max) +
                  " bytes, the most that is allowed; put what is large into a file, and name that "
                  "instead"}}};
  StrictBuilder builder;
  const bool complete = json::sax_parse(text.begin(), text.end(), &builder);
  JsonReading reading = builder.take(complete);
  // The library takes a NUL for the text's end, and what follows it for nothing.
  if (const std::size_t at = text.find('\0'); complete && at != std::string_view::npos)
    reading.problems.push_back({"", "syntax",
                                "a raw NUL stands at byte " + std::to_string(at) +
                                    ", behind the value; a string has it as \\u0000"});
  return reading;
}

}  // namespace pawl
