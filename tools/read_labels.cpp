#include "tools/read_labels.hpp"

#include <pawl/json.hpp>

namespace pawl::tools {

Result<Labels> read_labels(const std::vector<std::string>& texts) {
  Labels labels;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return make_error(Errc::invalid_argument,
                        "--label: \"" + printable_text(text, 60) +
                            "\" is no label; give KEY=VALUE, such as team=tea");
    if (!labels.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      return make_error(Errc::invalid_argument, "--label: \"" +
                                                    printable_text(text.substr(0, equals), 60) +
                                                    "\" is given twice; a run has one value of it");
  }
  if (const Result<void> checked = check_labels(labels); !checked)
    return make_error(checked.error().code, "--label: " + checked.error().message);
  return labels;
}

std::string labels_text(const Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) text += (text.empty() ? "" : ", ") + key + "=" + value;
  return text;
}

}  // namespace pawl::tools
