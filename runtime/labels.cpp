#include <pawl/json.hpp>
#include <pawl/labels.hpp>
#include <pawl/limits.hpp>

#include <algorithm>
#include <string_view>

namespace pawl {

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_key(std::string_view key) {
  return !key.empty() && is_alphanumeric(key.front()) &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return is_alphanumeric(c) || c == '.' || c == '_' || c == '/' || c == '-';
         });
}

bool is_value(const std::string& value) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::none_of(value.begin(), value.end(), is_control) &&
         canonical_json(json(value), 8 * value.size() + 8).has_value();  // else it is no UTF-8
}

}  // namespace

Result<void> check_labels(const Labels& labels) {
  if (labels.size() > Limits::labels_max)
    return make_error(Errc::too_large, "a run has at most " + std::to_string(Limits::labels_max) +
                                           " labels, not " + std::to_string(labels.size()));
  for (const auto& [key, value] : labels) {
    const std::string name = "the label \"" + printable_text(key, 60) + "\"";
    if (key.size() > Limits::name_bytes_max || value.size() > Limits::label_bytes_max)
      return make_error(Errc::too_large, name + " is too long: a key has at most " +
                                             std::to_string(Limits::name_bytes_max) +
                                             " bytes, a value " +
                                             std::to_string(Limits::label_bytes_max));
    if (!is_key(key))
      return make_error(Errc::invalid_argument,
                        name +
                            ": a key consists of letters, digits and . _ / - and begins with a "
                            "letter or a digit");
    if (!is_value(value))
      return make_error(Errc::invalid_argument,
                        name + ": its value must be UTF-8 text without control characters");
  }
  return {};
}

bool has_labels(const Labels& has, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = has.find(label.first);
    return found != has.end() && found->second == label.second;
  });
}

}  // namespace pawl
